"""The flow that registers an estimator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.evaluate import evaluate_in
from flows.parameters import Where
from flows.promote import settle
from flows.workspace import Workspace
from mistworks.evaluation import metrics
from storage.catalogue import find_by_content
from storage.folders import fetch_folder
from storage.registry import RegisteredVersion
from storage.runs import training_record
from tasks.registration import register_version


@flow(name="register", flow_run_name="register-{run_id}", persist_result=False)
def register(
    model: Annotated[str, Field(min_length=1, description="Path or URL of the folder of the estimator.")],
    run_id: Annotated[str, Field(min_length=1, description="MLflow run of its training.")],
    workspace: Where = None,
) -> RegisteredVersion:
    """Measure an estimator on the validation store of its training, then register it.

    It becomes champion if it passes the gate.

    Args:
        model: folder of the estimator.
        run_id: the MLflow run of its training, which says what it was trained on.
        workspace: where results, the registry and the Dask cluster are.

    Raises:
        MistworksError: there is no such training run, the folder does not hold the estimator that it made, or
            its training's data are neither where they were nor in the stores.
    """
    where = workspace or Workspace.of()
    record = training_record(where.tracking_uri, run_id)
    train, validation = (
        find_by_content(reference.split, reference.content_hash, (reference.url, where.stores))
        for reference in (record.train, record.validation)
    )
    prior_mean = float(train.index.mi.mean())
    evaluated = evaluate_in([model], [validation.url], where, run_id=run_id, prior_mean=prior_mean)
    figures = metrics(evaluated.accuracy(prior_mean))
    with fetch_folder(model) as folder:
        return register_measured.fn(folder, run_id, figures, where)


@flow(name="register", flow_run_name="register-{run_id}", persist_result=False, validate_parameters=False)
def register_measured(
    folder: Path, run_id: str, metrics: Mapping[str, float], workspace: Workspace
) -> RegisteredVersion:
    """Register an estimator that was evaluated, with its metrics and lineage, and let the gate decide.

    Args:
        folder: the estimator.
        run_id: the MLflow run of its training, which says what it was trained on.
        metrics: of its evaluation, ``"validation.mse.all"`` among them.
        workspace: where the registry is.

    Raises:
        MistworksError: there is no such training run, or the folder does not hold the estimator that it made.
    """
    uri = workspace.tracking_uri
    return settle(register_version(folder, run_id, metrics, uri), uri, (workspace.stores,))
