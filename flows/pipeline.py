"""The whole pipeline, from samples to a registered version. Each step gets the result of the last one."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect.runtime import flow_run

from flows.artifacts import leave_result, present_champion
from flows.declaration import flow
from flows.evaluate import evaluate_planned
from flows.generate import Generated, generate_planned
from flows.parameters import ChosenPreset, DatedSeed, Where, run_name, seed_of
from flows.plans import PipelinePlan, StorePlan, plan_pipeline, require_room
from flows.register import plan_measurement, register_measured
from flows.services import dask_cluster
from flows.summarise import Summarised, make_readable
from flows.train import train_planned
from flows.workspace import Workspace
from mistworks.estimation.card import ModelCard
from mistworks.estimation.folder import CARD_FILE
from mistworks.evaluation import AccuracyRow, metrics
from mistworks.presets import TrainingPlan
from mistworks.simulation.splits import SplitName
from storage.datasets.opening import open_at
from storage.datasets.store import Store
from storage.places.folders import working_folder
from storage.registry.lineage import RegisteredVersion
from storage.registry.revision import CodeRevision
from storage.registry.runs import training_record
from storage.registry.tracking import require_tracking
from tasks.registration import Measured
from tasks.stores import TrainingData
from tasks.training import Trained

# Data that an estimator was fitted to say nothing about its accuracy.
_FITTED: tuple[SplitName, ...] = ("train", "calibration")


@dataclass(frozen=True)
class Produced:
    """The results of a run of the pipeline.

    Attributes:
        stores: stores by split.
        run_id: the MLflow run.
        accuracy: accuracy on validation and test splits.
        registered: the version in the registry.
    """

    stores: dict[SplitName, Generated]
    run_id: str
    accuracy: tuple[AccuracyRow, ...]
    registered: RegisteredVersion


def dated_name(kind: str) -> Callable[[Mapping[str, Any]], str]:
    """Return a function that names a run by its kind, preset and seed, which may be a date."""
    name = run_name(kind, "preset", "seed")

    def dated(parameters: Mapping[str, Any]) -> str:
        seed = seed_of(parameters.get("seed"), flow_run.scheduled_start_time)
        return name({**parameters, "seed": seed})

    return dated


@flow("pipeline", dated_name("pipeline"))
def pipeline(preset: ChosenPreset = "quick", seed: DatedSeed = None, workspace: Where = None) -> Produced:
    """Run every step for the splits of the preset, and keep what is already done.

    Args:
        preset: name of a preset, or path of a JSON file with one.
        seed: root of every random stream, 0 if None; also seed of weights and order, the preset's if None.
            ``"date"`` is the day (UTC) for which the run was scheduled, such as 20261231.
        workspace: where stores, checkpoints, results, the registry and the Dask cluster are.

    Raises:
        MistworksError: the preset lacks a split that training needs, or a step failed. The message says which
            and why.
    """
    where = workspace or Workspace.of()
    plan = plan_pipeline(preset, seed_of(seed, flow_run.scheduled_start_time), where)
    require_room(plan.stores.values())
    return produce(plan, where)


def produce(plan: PipelinePlan, workspace: Workspace) -> Produced:
    """Run every step as planned, skip what is done, and show the metrics on the Artifacts page.

    Raises:
        MistworksError: see `pipeline`.
    """
    require_tracking(workspace.tracking_uri)
    before = present_champion(workspace.tracking_uri, plan.training.model)
    with dask_cluster(workspace.dask_address, workspace.workers) as address:
        here = workspace.on(address)
        generated = {split: generate_planned(store, here) for split, store in plan.stores.items()}
    stores = {split: _to_read(plan.stores[split], each) for split, each in generated.items()}
    read = plan.read_in_training
    summarised = make_readable([stores[split] for split in read], plan.training.network, workspace)
    data = TrainingData(
        train=stores["train"],
        validation=stores["validation"],
        calibration=stores["calibration"] if "calibration" in read else None,
        content_hashes={split: each.content_hash for split, each in generated.items()},
    )
    trained = train_planned(data, plan.training, workspace)
    prior_mean = float(data.train.index.mi.mean())
    measurement = plan_measurement(
        trained.folder.url, [store for split, store in stores.items() if split not in _FITTED], workspace
    )
    evaluated = evaluate_planned(measurement, workspace, run_id=trained.run_id, prior_mean=prior_mean)
    accuracy = evaluated.accuracy(prior_mean)
    record = training_record(workspace.tracking_uri, trained.run_id)
    with working_folder(trained.folder) as folder:
        measured = Measured.of(folder.path, measurement.estimators[0], record, metrics(accuracy))
        if not (folder.path / CARD_FILE).exists():
            seconds = _seconds(plan, generated, summarised)
            card = _model_card(trained, plan.training, seconds, accuracy, _commit(record.revision))
            card.write(folder.path, measured.estimator)
            folder.save()
        registered = register_measured(measured, workspace)
    leave_result(registered, before, workspace.tracking_uri)
    return Produced(generated, trained.run_id, accuracy, registered)


pipeline_planned = flow("pipeline", "pipeline-{plan.title}", checked=False)(produce)
"""Run `produce` as a separate flow."""


def _to_read(plan: StorePlan, generated: Generated) -> Store:
    """Return a store for reading, reopened only if this run has written to it."""
    store = None if generated.made else plan.existing()
    return open_at(plan.place) if store is None else store


def _seconds(
    plan: PipelinePlan, generated: Mapping[SplitName, Generated], summarised: Mapping[str, Summarised]
) -> dict[str, float]:
    """Return the time taken by each step that this run did completely."""
    seconds = {}
    for split in plan.read_in_training:
        store, partitions = generated[split], plan.stores[split].manifest.partitions
        if store.made == partitions:
            seconds[f"samples of {split}"] = store.seconds
        if (statistics := summarised.get(store.url)) and statistics.made == partitions:
            seconds[f"statistics of {split}"] = statistics.seconds
    return seconds


def _model_card(
    trained: Trained,
    plan: TrainingPlan,
    seconds: Mapping[str, float],
    accuracy: Sequence[AccuracyRow],
    commit: str,
) -> ModelCard:
    """Return the facts about the estimator for its card."""
    stores = (trained.train, trained.validation, trained.calibration)
    return ModelCard(
        preset=plan.preset,
        commit=commit,
        data={store.split: store.content_hash for store in stores if store is not None},
        seconds={**seconds, "training": trained.seconds},
        machine=f"{os.cpu_count()} cores",
        results={
            f"{row.suite}, n {row.n_bin}: MSE, nats²": row.mse
            for row in accuracy
            if (row.family, row.dimension_bin) == ("all", "all") and row.mse is not None
        },
    )


def _commit(revision: CodeRevision) -> str:
    return f"{revision.commit}{', with changes' if revision.dirty else ''}"


__all__ = ["Produced", "dated_name", "pipeline", "pipeline_planned", "produce"]
