"""The step that trains an estimator."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mistworks.estimation.estimator import shipped
from mistworks.estimation.folder import CONFIG_FILE
from mistworks.estimation.loaders import MODEL
from mistworks.networks import AnyNetworkConfig
from mistworks.presets import TrainingPlan
from mistworks.training import AnySource, CurvePoint, Progress, TrainingConfig, TrainingResult, train
from storage.datasets.statistics import open_summaries
from storage.datasets.store import Store
from storage.places.folders import WorkingFolder, working_folder
from storage.places.location import Location
from storage.places.lock import exclusive
from storage.registry.runs import (
    MODEL_TAG,
    PRESET_TAG,
    WEIGHTS_TAG,
    StoreReference,
    TrainingRun,
    start_or_resume,
)
from tasks.retries import retried
from tasks.stores import TrainingData

Report = Callable[[float], None]

_MODEL = "model"


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        folder: folder of the estimator, calibrated if a calibration store was given.
        run_id: its MLflow run.
        train: the store it was trained on.
        validation: the store it was validated on.
        calibration: the store it was calibrated on, or None.
        steps: steps of the optimiser.
        best_step: the step with the lowest validation loss, whose weights were kept.
        validation_mse: at that step, nats².
        datasets_per_second: median over the run.
        seconds: time taken by the steps of the optimiser, over all processes.
    """

    folder: Location
    run_id: str
    train: StoreReference
    validation: StoreReference
    calibration: StoreReference | None
    steps: int
    best_step: int
    validation_mse: float
    datasets_per_second: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {**asdict(self), "folder": self.folder.url}


@retried
def train_estimator(
    data: TrainingData, plan: TrainingPlan, checkpoints: Location, tracking_uri: str, report: Report
) -> Trained:
    """Train a network on a store, or resume a training that was stopped.

    The folder of a training is named by a hash of its configuration, of the content of both stores, and of
    the initial weights if the seed does not give them.

    Args:
        data: the stores.
        plan: configuration of the network and of the training.
        checkpoints: folder below which trainings are kept.
        tracking_uri: where the MLflow run is kept.
        report: called with the share of steps done.

    Raises:
        MistworksError: a store is missing or damaged, has another split or content than expected, another run
            does the same training, or the loss diverges.
    """
    network, training = plan.network, plan.training
    references = (data.reference("train", data.train), data.reference("validation", data.validation))
    data_hash = "/".join([*(reference.content_hash for reference in references), *_initial(training)])
    text = f"{network.canonical_json()}\n{training.canonical_json()}\n{data_hash}"
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    place = checkpoints / key
    with (
        exclusive(place, "training folder"),
        working_folder(place) as folder,
        start_or_resume(
            tracking_uri,
            training_key=key,
            name=f"{network.network}-{plan.preset}",
            parameters={
                "network": network.model_dump(mode="json"),
                "training": training.model_dump(mode="json"),
            },
            datasets=references,
            tags={PRESET_TAG: plan.preset} | ({} if plan.model == MODEL else {MODEL_TAG: plan.model}),
        ) as run,
    ):
        result = train(
            readable(data.train, network),
            readable(data.validation, network),
            network,
            training,
            folder.path / "checkpoint",
            data_hash,
            lambda progress: _report(progress, run, report, folder),
        )
        _record(result, run, folder)
    best = next(point for point in result.history if point.step == result.best_step)
    return Trained(
        folder=place / _MODEL,
        run_id=run.run_id,
        train=references[0],
        validation=references[1],
        calibration=None,
        steps=result.steps,
        best_step=result.best_step,
        validation_mse=best.mse,
        datasets_per_second=sorted(p.datasets_per_second for p in result.history)[len(result.history) // 2],
        seconds=_seconds(result.history, training.batch_size),
    )


def _initial(training: TrainingConfig) -> list[str]:
    """Hash of the initial weights, unless the seed gives them."""
    return [shipped().weights_sha256] if training.initial == "shipped" else []


def _seconds(history: Sequence[CurvePoint], batch_size: int) -> float:
    steps = [point.step for point in history]
    taken = [step - before for step, before in zip(steps, [0, *steps], strict=False)]
    return sum(
        batch_size * count / point.datasets_per_second for count, point in zip(taken, history, strict=True)
    )


def _record(result: TrainingResult, run: TrainingRun, folder: WorkingFolder) -> None:
    for point in result.history:
        # Again, since a run killed between a checkpoint and the next flush would lack points.
        run.log_curves(point.step, point.model_dump(exclude={"step"}))
    model = folder.path / _MODEL
    if not (model / CONFIG_FILE).exists():
        result.estimator.save(model)
        folder.save()
    run.set_tag(WEIGHTS_TAG, result.estimator.weights_sha256)


def _report(progress: Progress, run: TrainingRun, report: Report, folder: WorkingFolder) -> None:
    report(progress.step / progress.steps)
    # Called after each step, but it sends only after a checkpoint.
    folder.save()
    if progress.point is not None:
        run.log_curves(progress.step, progress.point.model_dump(exclude={"step"}))


def readable(store: Store, network: AnyNetworkConfig) -> AnySource:
    """Open what a network learns from in a store."""

    def samples() -> AnySource:
        return store

    def statistics() -> AnySource:
        return open_summaries(store)

    return network.choose(samples=samples, statistics=statistics)()


__all__ = ["Report", "Trained", "readable", "train_estimator"]
