"""The steps that register an estimator and decide whether it becomes champion."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

import mistworks
from mistworks.errors import MistworksError
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
"""Where data lie of which nothing but the content hash is known."""


@dataclass(frozen=True)
class Comparison:
    """What the gate found about one version.

    Attributes:
        reference: the version, such as ``"mist/4"``.
        against: the version that was champion, None where there was none.
        decision: the conditions.
    """

    reference: str
    against: int | None
    decision: Decision


@retried
def register_version(
    folder: Path, run_id: str, metrics: Mapping[str, float], tracking_uri: str
) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage.

    Raises:
        MistworksError: there is no such training run, or the folder does not hold the estimator that it made.
    """
    record = training_record(tracking_uri, run_id)
    estimator = mistworks.load(folder)
    weights, calibration = estimator.weights_sha256, estimator.calibration
    if weights != record.weights_sha256:
        raise MistworksError(
            f"run {run_id} made an estimator with weights {record.weights_sha256[:12]}…, and {folder} holds "
            f"{weights[:12]}…; give the run and the folder of one training"
        )
    if calibration is not None and calibration.sha256 != record.calibration_sha256:
        raise MistworksError(
            f"run {run_id} made the calibration {record.calibration_sha256[:12] or 'none'}…, and {folder} "
            f"holds {calibration.sha256[:12]}…; give the run and the folder of one calibration"
        )
    complete = metrics.get("validation.failures.all") == 0
    with alone(tracking_uri, MODEL):
        return register(
            folder,
            tracking_uri=tracking_uri,
            run_id=run_id,
            train=record.train,
            validation=record.validation,
            # A mean that leaves failures out compares with nothing.
            validation_mse=metrics["validation.mse.all"] if complete else math.nan,
            preset=record.preset,
            calibration=record.calibration if calibration is not None else None,
            metrics=metrics,
            revision=record.revision,
        )


def shipped_key() -> str:
    """The training key of the estimator that comes with the package."""
    return f"shipped-{mistworks.load(SHIPPED_FOLDER).sha256[:16]}"


@retried
def record_shipped(validation: StoreReference, tracking_uri: str) -> str:
    """Make the run that stands for the training of the estimator that comes with the package.

    Its model card says what it was made from. The data are known by their content alone.

    Args:
        validation: the store that it is measured on.
        tracking_uri: where runs are kept.

    Returns:
        The identifier of the run: one for each estimator, however often it is asked for.
    """
    estimator = mistworks.load(SHIPPED_FOLDER)
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
    """Put a version to the gate, beside the champion of this moment.

    Both are measured anew, on the validation data of both their trainings. That they cannot be compared here
    says nothing about either: it is an error, and nothing is decided.

    Args:
        reference: the version, such as ``"mist/4"``.
        tracking_uri: where the registry is.
        stores: places to look for validation data that are not where they were recorded.
        config: what the gate asks for.

    Raises:
        MistworksError: there is no such version, its model or the champion's cannot be loaded, or validation
            data are in none of the places.
    """
    challenger = lookup(reference, tracking_uri)
    present = champion(tracking_uri, challenger.name)
    decision = decide_between(challenger, present, tracking_uri, stores, config)
    return Comparison(
        f"{challenger.name}/{challenger.version}", present.version if present else None, decision
    )


@retried
def compare_with_nobody(reference: str, tracking_uri: str, why: str) -> Comparison:
    """What stands in for a comparison that cannot be made, for a version to be promoted by force.

    Args:
        reference: the version, such as ``"mist/4"``.
        tracking_uri: where the registry is.
        why: it cannot be made.

    Raises:
        MistworksError: there is no such version, or its own model cannot be loaded.
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
    """Make a version champion if the gate let it pass, or by force; see `storage.registry.promotion.promote`.

    Raises:
        ChampionMovedError: another version has become champion since the comparison.
    """
    name = comparison.reference.partition("/")[0]
    with alone(tracking_uri, name):
        return promote(
            comparison.reference, comparison.decision, comparison.against, tracking_uri, force=force
        )
