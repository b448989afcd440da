"""The step that registers an estimator."""

import math
from collections.abc import Mapping
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

import mistworks
from mistworks.errors import MistworksError
from storage.registry import RegisteredVersion, register
from storage.runs import training_record
from tasks.retries import may_pass


@task(
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=may_pass,
    persist_result=False,
    cache_policy=NO_CACHE,
)
def register_version(
    folder: Path, run_id: str, metrics: Mapping[str, float], tracking_uri: str
) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage; it becomes champion if it is better.

    Raises:
        MistworksError: there is no such training run, or the folder does not hold the estimator that it made.
    """
    record = training_record(tracking_uri, run_id)
    weights = mistworks.load(folder).weights_sha256
    if weights != record.weights_sha256:
        raise MistworksError(
            f"run {run_id} made an estimator with weights {record.weights_sha256[:12]}…, and {folder} holds "
            f"{weights[:12]}…; give the run and the folder of one training"
        )
    complete = metrics.get("validation.failures.all") == 0
    return register(
        folder,
        tracking_uri=tracking_uri,
        run_id=run_id,
        train=record.train,
        validation=record.validation,
        # A mean that leaves failures out compares with nothing: such a version is never champion.
        validation_mse=metrics["validation.mse.all"] if complete else math.nan,
        preset=record.preset,
        metrics=metrics,
        revision=record.revision,
    )
