"""The flow that registers an estimator."""

from collections.abc import Mapping
from pathlib import Path

from prefect import flow

from flows.evaluate import evaluate
from mistworks.presets import preset_name
from storage.registry import RegisteredVersion
from storage.runs import datasets_of_run
from tasks.registration import register_version


@flow(name="register", persist_result=False, validate_parameters=False)
def register(
    folder: Path, run_id: str, metrics: Mapping[str, float], preset: str, tracking_uri: str
) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage; it becomes champion if it is better.

    Args:
        folder: the estimator.
        run_id: the MLflow run of its training, which says what it was trained on.
        metrics: of its evaluation, ``"validation.mse.all"`` among them.
        preset: name of the preset.
        tracking_uri: where runs and models are kept.

    Raises:
        MistworksError: the folder holds no estimator, or there is no such run.
    """
    return register_version(folder, run_id, metrics, preset, tracking_uri)


def evaluate_and_register(
    folder: Path, run_id: str, preset: str, root: Path, tracking_uri: str
) -> RegisteredVersion:
    """Measure an estimator on the validation store of its training, then register it.

    Raises:
        MistworksError: the folder holds no estimator, there is no such run, or its store is gone.
    """
    validation = datasets_of_run(tracking_uri, run_id)["validation"]
    evaluation = evaluate(str(folder), [validation.url], root, tracking_uri, run_id=run_id)
    return register(folder, run_id, evaluation.metrics(), preset_name(preset), tracking_uri)
