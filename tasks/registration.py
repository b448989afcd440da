"""The steps that register an estimator and decide whether it becomes champion."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

import mistworks
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimator
from mistworks.estimation.folder import CARD_FILE
from mistworks.evaluation.gate import Condition, Decision, GateConfig
from storage.registry.comparison import decide_between
from storage.registry.lineage import MODEL, RegisteredVersion
from storage.registry.promotion import champion, promote
from storage.registry.revision import CodeRevision
from storage.registry.runs import (
    CALIBRATION_TAG,
    PRESET_TAG,
    WEIGHTS_TAG,
    StoreReference,
    start_or_resume,
    training_record,
)
from storage.registry.versions import load, lookup, register
from tasks.alone import alone
from tasks.retries import retried

SHIPPED_FOLDER = Path(mistworks.__file__).parent / "weights"
"""The estimator that comes with the package."""
NOT_KEPT = "not kept"
"""The recorded place of data of which only the content hash is known."""


@dataclass(frozen=True)
class Comparison:
    """The decision of the gate about one version.

    Attributes:
        reference: the version, such as ``"mist/4"``.
        against: the champion it was compared with, or None.
        decision: the conditions.
    """

    reference: str
    against: int | None
    decision: Decision


@retried
def register_version(
    folder: Path,
    run_id: str,
    metrics: Mapping[str, float],
    tracking_uri: str,
    estimator: Estimator | None = None,
) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage.

    Args:
        folder: folder of the estimator.
        run_id: the MLflow run of its training.
        metrics: metrics of its evaluation.
        tracking_uri: where the registry is.
        estimator: the estimator in the folder; loaded if None.

    Raises:
        MistworksError: the training run does not exist, or the folder does not hold its estimator.
    """
    record = training_record(tracking_uri, run_id)
    estimator = mistworks.load(folder) if estimator is None else estimator
    weights, calibration = estimator.weights_sha256, estimator.calibration
    if weights != record.weights_sha256:
        raise MistworksError(
            f"Expected weights {record.weights_sha256[:12]}… of run {run_id}, got {weights[:12]}… in "
            f"{folder}. Give the run and the folder of one training."
        )
    if calibration is not None and calibration.sha256 != record.calibration_sha256:
        raise MistworksError(
            f"Expected calibration {record.calibration_sha256[:12] or 'none'}… of run {run_id}, got "
            f"{calibration.sha256[:12]}… in {folder}. Give the run and the folder of one calibration."
        )
    complete = metrics.get("validation.failures.all") == 0
    with alone(tracking_uri, MODEL):
        return register(
            folder,
            tracking_uri=tracking_uri,
            run_id=run_id,
            train=record.train,
            validation=record.validation,
            # A mean without the failures is not comparable.
            validation_mse=metrics["validation.mse.all"] if complete else math.nan,
            preset=record.preset,
            calibration=record.calibration if calibration is not None else None,
            metrics=metrics,
            revision=record.revision,
            estimator=estimator,
        )


def shipped_key() -> str:
    """The training key of the estimator that comes with the package."""
    return f"shipped-{_shipped().sha256[:16]}"


@cache
def _shipped() -> Estimator:
    return mistworks.load(SHIPPED_FOLDER)


@retried
def record_shipped(validation: StoreReference, tracking_uri: str) -> str:
    """Make the run that stands for the training of the estimator that comes with the package.

    Its model card says what it was made from. Its data are known only by their content hash.

    Args:
        validation: the store that it is measured on.
        tracking_uri: where runs are kept.

    Returns:
        The identifier of the run: always the same one for an estimator.
    """
    estimator = _shipped()
    card = (SHIPPED_FOLDER / CARD_FILE).read_text()
    made_from = [
        StoreReference(split, NOT_KEPT, content_hash)
        for split, content_hash in re.findall(r"Data, (train|calibration): content hash `(\w+)`", card)
    ]
    commit = re.search(r"at commit `(\w+)`", card)
    with start_or_resume(
        tracking_uri,
        training_key=shipped_key(),
        name="shipped",
        parameters={"network": estimator.network_config.model_dump(mode="json")},
        datasets=[*made_from, validation],
        tags={
            PRESET_TAG: "shipped",
            WEIGHTS_TAG: estimator.weights_sha256,
            CALIBRATION_TAG: "" if estimator.calibration is None else estimator.calibration.sha256,
        },
        revision=CodeRevision(commit[1] if commit else "unknown", False, mistworks.__version__),
    ) as run:
        return run.run_id


@retried
def compare_with_champion(
    reference: str, tracking_uri: str, stores: Sequence[str] = (), config: GateConfig | None = None
) -> Comparison:
    """Let the gate compare a version with the present champion.

    Both are measured again, on the validation data of both trainings. If they cannot be compared here, that
    says nothing about either: it is an error, and nothing is decided.

    Args:
        reference: the version, such as ``"mist/4"``.
        tracking_uri: where the registry is.
        stores: places to search for validation data that are no longer where they were recorded.
        config: conditions of the gate.

    Raises:
        MistworksError: there is no such version, its estimator or the champion's cannot be loaded, or
            validation data are in none of the places.
    """
    challenger = lookup(reference, tracking_uri)
    present = champion(tracking_uri, challenger.name)
    decision = decide_between(challenger, present, tracking_uri, stores, config)
    return Comparison(
        f"{challenger.name}/{challenger.version}", present.version if present else None, decision
    )


@retried
def compare_with_nobody(reference: str, tracking_uri: str, why: str) -> Comparison:
    """Return a substitute for a comparison that cannot be made, for promotion by force.

    Args:
        reference: the version, such as ``"mist/4"``.
        tracking_uri: where the registry is.
        why: the reason why it cannot be made.

    Raises:
        MistworksError: there is no such version, or its own estimator cannot be loaded.
    """
    challenger = lookup(reference, tracking_uri)
    load(challenger.uri, tracking_uri)
    present = champion(tracking_uri, challenger.name)
    decision = Decision((Condition("comparison", False, why),))
    return Comparison(
        f"{challenger.name}/{challenger.version}", present.version if present else None, decision
    )


@task(persist_result=False, cache_policy=NO_CACHE)
def promote_version(comparison: Comparison, tracking_uri: str, *, force: bool = False) -> RegisteredVersion:
    """Make a version champion if the gate accepted it, or by force; see `storage.registry.promotion.promote`.

    Raises:
        ChampionMovedError: another version has become champion since the comparison.
    """
    name = comparison.reference.partition("/")[0]
    with alone(tracking_uri, name):
        return promote(
            comparison.reference, comparison.decision, comparison.against, tracking_uri, force=force
        )
