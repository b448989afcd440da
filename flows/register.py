"""The flow that registers an estimator."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from flows.declaration import flow
from flows.evaluate import EvaluationPlan, OpenSuite, evaluate_planned
from flows.generate import generate_planned
from flows.parameters import Where
from flows.plans import plan_store, require_room
from flows.promote import settle
from flows.workspace import Workspace
from mistworks.evaluation import metrics
from storage.datasets.catalogue import find_by_content
from storage.datasets.opening import open_at, open_store
from storage.datasets.store import Store
from storage.evaluations.estimators import find_estimators, trained_estimator
from storage.places.folders import fetch_folder
from storage.places.location import Location
from storage.registry.lineage import RegisteredVersion
from storage.registry.promotion import champion
from storage.registry.runs import find_run, training_record
from storage.registry.tracking import database_path
from storage.registry.versions import versions
from tasks.registration import SHIPPED_FOLDER, Measured, record_shipped, register_version, shipped_key
from tasks.stores import store_reference

SHIPPED_COUNT = 1_000
"""Number of its own validation datasets on which the shipped estimator is measured in an empty registry."""


@flow("register", "register-{run_id}")
def register(
    model: Annotated[str, Field(min_length=1, description="Path or URL of the folder of the estimator.")],
    run_id: Annotated[str, Field(min_length=1, description="MLflow run of its training.")],
    workspace: Where = None,
) -> RegisteredVersion:
    """Measure an estimator on the validation store of its training, then register it.

    It becomes champion if it passes the gate.

    Args:
        model: folder of the estimator.
        run_id: the MLflow run of its training, which records what it was trained on.
        workspace: where results, the registry and the Dask cluster are.

    Raises:
        MistworksError: the training run does not exist, the folder does not hold its estimator, or the data
            of the training are neither where they were nor in the stores.
    """
    where = workspace or Workspace.of()
    record = training_record(where.tracking_uri, run_id)
    train, validation = (
        find_by_content(
            reference.split, reference.content_hash, (Location.parse(reference.url), where.stores)
        )
        for reference in (record.train, record.validation)
    )
    prior_mean = float(train.index.mi.mean())
    plan = plan_measurement(model, [validation], where)
    evaluated = evaluate_planned(plan, where, run_id=run_id, prior_mean=prior_mean)
    figures = metrics(evaluated.accuracy(prior_mean))
    with fetch_folder(Location.parse(model)) as folder:
        return settle_measured(Measured.of(folder, plan.estimators[0], record, figures), where)


@flow("register-shipped", "register-shipped")
def register_shipped(
    validation_store: Annotated[
        str | None,
        Field(
            description=(
                "Path or URL of the store it is measured on. Default: the champion's validation data, or "
                "else the validation split of its own preset."
            )
        ),
    ] = None,
    workspace: Where = None,
) -> RegisteredVersion:
    """Register the estimator that comes with the package. It becomes champion if it passes the gate.

    Registering it again returns the existing version.

    Args:
        validation_store: the store it is measured on. If None, the champion's validation data; without a
            champion, the validation split of its own preset, which is generated.
        workspace: where stores, results, the registry and the Dask cluster are.

    Raises:
        MistworksError: the store is missing or has another split, or the champion's data are neither where
            they were nor in the stores.
    """
    where = workspace or Workspace.of()
    [reference] = find_estimators([str(SHIPPED_FOLDER)], where.tracking_uri)
    estimator = trained_estimator(reference)
    known = find_run(where.tracking_uri, shipped_key(estimator))
    registered = [each for each in _versions(where.tracking_uri) if each.lineage.run_id == known]
    if registered:
        return settle(registered[0], where.tracking_uri, (where.stores,))
    store = _validation_store(validation_store, where)
    run_id = record_shipped(estimator, store_reference(store, "validation", None), where.tracking_uri)
    plan = EvaluationPlan(estimators=(reference,), suites=(OpenSuite.of_store(store),))
    figures = metrics(evaluate_planned(plan, where, run_id=run_id).accuracy())
    record = training_record(where.tracking_uri, run_id)
    return settle_measured(Measured.of(SHIPPED_FOLDER, reference, record, figures), where)


def _versions(tracking_uri: str) -> list[RegisteredVersion]:
    path = database_path(tracking_uri)
    return [] if path is not None and not path.is_file() else versions(tracking_uri)


def _validation_store(given: str | None, where: Workspace) -> Store:
    if given is not None:
        return open_store(given)
    if _versions(where.tracking_uri) and (present := champion(where.tracking_uri)) is not None:
        lineage = present.lineage
        recorded = Location.parse(lineage.validation_store)
        return find_by_content("validation", lineage.validation_hash, (recorded, where.stores))
    place = where.store("shipped", 0, f"validation-{SHIPPED_COUNT}")
    plan = plan_store(place, "validation", "shipped", SHIPPED_COUNT)
    require_room([plan])
    generate_planned(plan, where)
    return open_at(plan.place)


def plan_measurement(folder: str, stores: Sequence[Store], workspace: Workspace) -> EvaluationPlan:
    """Plan the evaluation of one estimator on some stores.

    Args:
        folder: path or URL of the estimator.
        stores: the stores.
        workspace: where the registry is.

    Raises:
        MistworksError: the folder holds no trained estimator, or a store is incomplete.
    """
    reference = find_estimators([folder], workspace.tracking_uri)[0]
    trained_estimator(reference)
    return EvaluationPlan(
        estimators=(reference,),
        suites=tuple(OpenSuite.of_store(store) for store in stores),
    )


def settle_measured(measured: Measured, workspace: Workspace) -> RegisteredVersion:
    """Register an evaluated estimator with its metrics and lineage, and let the gate decide.

    Args:
        measured: the estimator, its training and its metrics.
        workspace: where the registry is.

    Raises:
        MistworksError: the folder does not hold the estimator of the training.
    """
    uri = workspace.tracking_uri
    return settle(register_version(measured, uri), uri, (workspace.stores,))


register_measured = flow("register", "register-{measured.record.run_id}", checked=False)(settle_measured)
"""Run `settle_measured` as a separate flow."""


__all__ = [
    "SHIPPED_COUNT",
    "plan_measurement",
    "register",
    "register_measured",
    "register_shipped",
    "settle_measured",
]
