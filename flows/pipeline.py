"""The whole pipeline, from samples to a registered version; each step is handed what the one before made."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import flow

from flows.evaluate import evaluate
from flows.generate import Generated, generate
from flows.register import register
from flows.services import dask_cluster
from flows.summarise import Summarised, summarise_all
from flows.train import train
from mistworks.estimation import load
from mistworks.evaluation import AccuracyRow, metrics
from mistworks.model_card import ModelCard
from mistworks.model_folder import CARD_FILE
from mistworks.networks import reads_statistics
from mistworks.presets import Preset, load_preset, preset_name
from mistworks.splits import SPLITS, SplitName
from storage.registry import RegisteredVersion
from storage.runs import training_record
from storage.store import open_store
from tasks.training import Trained

_REQUIRED: tuple[SplitName, ...] = ("train", "validation")
# What an estimator was fitted to says nothing of its accuracy.
_FITTED: tuple[SplitName, ...] = ("train", "calibration")


@dataclass(frozen=True)
class Produced:
    """What a run of the pipeline made.

    Attributes:
        stores: by split.
        run_id: the MLflow run.
        accuracy: on validation and test splits.
        registered: the version in the registry.
    """

    stores: dict[SplitName, Generated]
    run_id: str
    accuracy: tuple[AccuracyRow, ...]
    registered: RegisteredVersion


@flow(name="pipeline", flow_run_name="pipeline-{preset}", persist_result=False)
def pipeline(
    preset: str,
    root: Path,
    tracking_uri: str,
    seed: int | None = None,
    workers: int | None = None,
    dask_address: str | None = None,
) -> Produced:
    """Run every step for the splits that the preset has; what is done already is kept.

    Args:
        preset: name of a preset, or path of a JSON file with one.
        root: directory for stores, checkpoints and evaluations.
        tracking_uri: where runs and models are kept.
        seed: root of every random stream, 0 if None; of weights and order too, the preset's if None.
        workers: processes of the local Dask cluster, one a core if None.
        dask_address: of an existing Dask scheduler.

    Raises:
        MistworksError: the preset lacks a split that training needs, or a step could not be done; the
            message says which and why.
    """
    chosen = load_preset(preset)
    for required in _REQUIRED:
        chosen.split(required)
    splits = [split for split in SPLITS if split in chosen.splits]
    folder = root / "stores" / f"{preset_name(preset)}-seed-{seed or 0}"
    with dask_cluster(dask_address, workers) as address:
        stores = {
            split: generate(
                str(folder / f"{split}.zarr"), split, preset, seed=seed or 0, dask_address=address
            )
            for split in splits
        }
    made_from = {split: stores[split] for split in _read_in_training(chosen)}
    summarised: dict[str, Summarised] = {}
    if reads_statistics(chosen.network):
        summarised = summarise_all([store.url for store in made_from.values()], workers, dask_address)
    trained = train(
        stores["train"].url,
        stores["validation"].url,
        preset,
        root=root,
        tracking_uri=tracking_uri,
        seed=seed,
        content_hashes={split: made.content_hash for split, made in stores.items()},
        calibration_store=made_from["calibration"].url if "calibration" in made_from else None,
        workers=workers,
        dask_address=dask_address,
    )
    prior_mean = float(open_store(stores["train"].url).index.mi.mean())
    accuracy = evaluate(
        [str(trained.folder)],
        [stores[split].url for split in splits if split not in _FITTED],
        root,
        tracking_uri,
        workers=workers,
        dask_address=dask_address,
        run_id=trained.run_id,
        prior_mean=prior_mean,
    ).accuracy(prior_mean)
    if not (trained.folder / CARD_FILE).exists():
        _model_card(trained, made_from, summarised, accuracy, preset_name(preset), tracking_uri).write(
            trained.folder, load(trained.folder)
        )
    registered = register(trained.folder, trained.run_id, metrics(accuracy), tracking_uri)
    return Produced(stores, trained.run_id, accuracy, registered)


def _read_in_training(preset: Preset) -> list[SplitName]:
    """The splits that an estimator is made from; one without quantiles is not calibrated."""
    calibrated = "calibration" in preset.splits and preset.training.objective != "squared-error"
    return [*_REQUIRED, "calibration"] if calibrated else [*_REQUIRED]


def _model_card(
    trained: Trained,
    made_from: dict[SplitName, Generated],
    summarised: dict[str, Summarised],
    accuracy: Sequence[AccuracyRow],
    preset: str,
    tracking_uri: str,
) -> ModelCard:
    """What the run tells of the model it made; only steps that were done here from the start are timed."""
    revision = training_record(tracking_uri, trained.run_id).revision
    seconds = {}
    for split, store in made_from.items():
        partitions = open_store(store.url).manifest.partitions
        if store.made == partitions:
            seconds[f"samples of {split}"] = store.seconds
        if (statistics := summarised.get(store.url)) and statistics.made == partitions:
            seconds[f"statistics of {split}"] = statistics.seconds
    return ModelCard(
        preset=preset,
        commit=f"{revision.commit}{', with changes' if revision.dirty else ''}",
        data={split: store.content_hash for split, store in made_from.items()},
        seconds={**seconds, "training": trained.seconds},
        machine=f"{os.cpu_count()} cores",
        results={
            f"{row.suite}, n {row.n_bin}: MSE, nats²": row.mse
            for row in accuracy
            if (row.family, row.dimension_bin) == ("all", "all") and row.mse is not None
        },
    )
