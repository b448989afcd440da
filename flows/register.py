"""The flow that registers an estimator."""

from collections.abc import Mapping
from pathlib import Path

from prefect import flow

from storage.registry import RegisteredVersion
from storage.runs import StoreReference
from tasks.registration import register_version


@flow(name="register", persist_result=False, validate_parameters=False)
def register(
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
    return register_version(folder, run_id, train, validation, metrics, preset, tracking_uri)
