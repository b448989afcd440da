"""The whole pipeline, from samples to a registered version. Each step gets the result of the last one."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect.runtime import flow_run

from flows.artifacts import leave_result, present_champion
from flows.declaration import flow
from flows.evaluate import evaluate_in
from flows.generate import Generated, generate_split
from flows.parameters import ChosenPreset, DatedSeed, Where, run_name, seed_of
from flows.plans import PipelinePlan, plan_pipeline, require_room
from flows.register import register_measured
from flows.services import dask_cluster
from flows.summarise import Summarised, make_readable
from flows.train import TrainingData, train_planned
from flows.workspace import Workspace
from mistworks.estimation.card import ModelCard
from mistworks.estimation.estimator import load
from mistworks.estimation.folder import CARD_FILE
from mistworks.evaluation import AccuracyRow, metrics
from mistworks.simulation.splits import SplitName
from storage.datasets.opening import open_store
from storage.places.folders import working_folder
from storage.registry.lineage import RegisteredVersion
from storage.registry.runs import training_record
from storage.registry.tracking import require_tracking
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
    """Do the same as `pipeline`, for a planned run, and show the metrics on the Artifacts page.

    Raises:
        MistworksError: see `pipeline`.
    """
    require_tracking(workspace.tracking_uri)
    before = present_champion(workspace.tracking_uri)
    with dask_cluster(workspace.dask_address, workspace.workers) as address:
        here = workspace.on(address)
        stores = {split: generate_split(store, here) for split, store in plan.stores.items()}
    made_from = {split: stores[split] for split in plan.read_in_training}
    urls = [store.url for store in made_from.values()]
    summarised = make_readable(urls, plan.training.network, workspace)
    data = TrainingData(
        train=stores["train"].url,
        validation=stores["validation"].url,
        calibration=made_from["calibration"].url if "calibration" in made_from else None,
        content_hashes={split: made.content_hash for split, made in stores.items()},
    )
    trained = train_planned(data, plan.training, workspace)
    prior_mean = float(open_store(data.train).index.mi.mean())
    accuracy = evaluate_in(
        [trained.folder],
        [made.url for split, made in stores.items() if split not in _FITTED],
        workspace,
        run_id=trained.run_id,
        prior_mean=prior_mean,
    ).accuracy(prior_mean)
    with working_folder(trained.folder) as folder:
        if not (folder.path / CARD_FILE).exists():
            card = _model_card(trained, made_from, summarised, accuracy, plan.training.preset, workspace)
            card.write(folder.path, load(folder.path))
            folder.save()
        registered = register_measured(folder.path, trained.run_id, metrics(accuracy), workspace)
    leave_result(registered, before, workspace.tracking_uri)
    return Produced(stores, trained.run_id, accuracy, registered)


def _model_card(
    trained: Trained,
    made_from: dict[SplitName, Generated],
    summarised: dict[str, Summarised],
    accuracy: Sequence[AccuracyRow],
    preset: str,
    workspace: Workspace,
) -> ModelCard:
    """Return the facts about the estimator for its card. Only steps that ran completely here are timed."""
    revision = training_record(workspace.tracking_uri, trained.run_id).revision
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
