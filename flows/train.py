"""The flow that trains an estimator."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from flows.declaration import flow
from flows.parameters import ChosenPreset, Seed, StoreUrl, Where
from flows.plans import TrainingPlan, plan_training
from flows.progress import progress
from flows.summarise import make_readable
from flows.workspace import Workspace
from mistworks.training.config import Objective
from storage.datasets.opening import open_store
from tasks.calibration import calibrate_estimator
from tasks.training import Trained, train_estimator


@dataclass(frozen=True)
class TrainingData:
    """The stores that an estimator is trained and calibrated on.

    Attributes:
        train: path or URL of the training split.
        validation: path or URL of the validation split.
        calibration: path or URL of the calibration split; not calibrated if None.
        content_hashes: expected content hashes by split; not checked for splits that are left out.
    """

    train: str
    validation: str
    calibration: str | None
    content_hashes: Mapping[str, str]

    @property
    def urls(self) -> list[str]:
        """The stores that are given."""
        return [url for url in (self.train, self.validation, self.calibration) if url is not None]


@flow("train", "train-{preset}")
def train(
    store: StoreUrl,
    validation_store: StoreUrl,
    calibration_store: Annotated[
        StoreUrl | None, Field(description="Store of the calibration split. Default: not calibrated.")
    ] = None,
    preset: ChosenPreset = "quick",
    objective: Annotated[
        Objective | None, Field(description="The loss to minimise. Default: the preset's.")
    ] = None,
    seed: Annotated[
        Seed | None, Field(description=("Seed of weights and order. Default: the preset's."))
    ] = None,
    workspace: Where = None,
) -> Trained:
    """Train an estimator on a store, resume a training that was stopped, or read a finished one.

    With a calibration store the estimator is calibrated on it, unless it has no quantiles.

    Args:
        store: path or URL of the training split.
        validation_store: path or URL of the validation split.
        calibration_store: path or URL of the calibration split; not calibrated if None.
        preset: name of a preset, or path of a JSON file with one.
        objective: the loss to minimise; the preset's if None.
        seed: seed of weights and order; the preset's if None.
        workspace: where checkpoints, runs and the Dask cluster are.

    Raises:
        MistworksError: a store is missing or damaged, another run does the same training, or the loss
            diverges.
    """
    data = TrainingData(store, validation_store, calibration_store, {})
    return train_on(data, plan_training(preset, objective, seed), workspace or Workspace.of())


def train_on(data: TrainingData, plan: TrainingPlan, workspace: Workspace) -> Trained:
    """Do the same as `train`, for a planned training.

    Raises:
        MistworksError: see `train`.
    """
    if not plan.has_quantiles:
        data = replace(data, calibration=None)
    for url in data.urls:
        open_store(url).require_complete()
    make_readable(data.urls, plan.network, workspace)
    with progress("train", 100) as report:
        trained = train_estimator(
            data.train,
            data.validation,
            plan.network,
            plan.training,
            workspace.checkpoints,
            workspace.tracking_uri,
            plan.preset,
            data.content_hashes,
            lambda share: report(100 * share),
        )
    if data.calibration is None:
        return trained
    with progress("calibrate", 100) as report:
        folder, calibration = calibrate_estimator(
            trained.folder,
            data.calibration,
            plan.training.seed,
            trained.run_id,
            workspace.tracking_uri,
            data.content_hashes.get("calibration"),
            lambda share: report(100 * share),
        )
    return replace(trained, folder=folder, calibration=calibration)


train_planned = flow("train", "train-{plan.preset}", checked=False)(train_on)
"""Run `train_on` as a separate flow, for the pipeline."""
