"""The step that registers an estimator."""

import math
from collections.abc import Mapping
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.registry import RegisteredVersion, register
from storage.runs import datasets_of_run


@task(persist_result=False, cache_policy=NO_CACHE)
def register_version(
    folder: Path, run_id: str, metrics: Mapping[str, float], preset: str, tracking_uri: str
) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage; it becomes champion if it is better.

    Raises:
        MistworksError: the folder holds no estimator, or there is no such run.
    """
    datasets = datasets_of_run(tracking_uri, run_id)
    return register(
        folder,
        tracking_uri=tracking_uri,
        run_id=run_id,
        train=datasets["train"],
        validation=datasets["validation"],
        # Absent where every estimate failed: such a version is kept, but is never champion.
        validation_mse=metrics.get("validation.mse.all", math.nan),
        preset=preset,
        metrics=metrics,
    )
