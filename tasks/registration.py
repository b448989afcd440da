"""The step that registers an estimator."""

from collections.abc import Mapping
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.registry import RegisteredVersion, register
from storage.runs import StoreReference


@task(persist_result=False, cache_policy=NO_CACHE)
def register_version(
    folder: Path,
    run_id: str,
    train: StoreReference,
    validation: StoreReference,
    metrics: Mapping[str, float],
    preset: str,
    tracking_uri: str,
) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage; it becomes champion if it is better.

    Raises:
        MistworksError: the folder holds no estimator, or there is no such run.
    """
    return register(
        folder,
        tracking_uri=tracking_uri,
        run_id=run_id,
        train=train,
        validation=validation,
        validation_mse=metrics["validation.mse.all"],
        preset=preset,
        metrics=metrics,
    )
