"""The steps that register an estimator and decide whether it becomes champion."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import AllowInfNan, ConfigDict, WithJsonSchema, model_serializer

import mistworks
from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimator
from mistworks.estimation.folder import CARD_FILE
from mistworks.evaluation.gate import Condition, Decision, GateConfig
from storage.evaluations.estimators import EstimatorReference, trained_estimator
from storage.places.location import Location
from storage.registry.comparison import decide_between
from storage.registry.lineage import RegisteredVersion
from storage.registry.promotion import champion, promote
from storage.registry.revision import CodeRevision
from storage.registry.runs import (
    CALIBRATION_TAG,
    PRESET_TAG,
    WEIGHTS_TAG,
    StoreReference,
    TrainingRecord,
    start_or_resume,
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


class Measured(FrozenConfig):
    """An evaluated estimator. In recorded parameters, its folder and its run stand for it.

    Attributes:
        folder: local folder of the estimator.
        estimator: the estimator in it.
        record: the record of its training.
        metrics: metrics of its evaluation, including ``"validation.mse.all"``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    folder: Path
    estimator: Annotated[Estimator, WithJsonSchema({"type": "string"})]
    record: TrainingRecord
    metrics: Mapping[str, Annotated[float, AllowInfNan(True)]]

    @classmethod
    def of(
        cls, folder: Path, reference: EstimatorReference, record: TrainingRecord, metrics: Mapping[str, float]
    ) -> Self:
        """Take the estimator of a reference, which this process has opened to evaluate it.

        Raises:
            MistworksError: the reference is to a baseline or a bootstrap.
        """
        return cls(folder=folder, estimator=trained_estimator(reference), record=record, metrics=metrics)

    @model_serializer
    def _names(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "run_id": self.record.run_id, "metrics": dict(self.metrics)}


@retried
def register_version(measured: Measured, tracking_uri: str) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage.

    Args:
        measured: the estimator, its training and its metrics.
        tracking_uri: where the registry is.

    Raises:
        MistworksError: the folder does not hold the estimator of the training.
    """
    record, metrics = measured.record, measured.metrics
    weights, calibration = measured.estimator.weights_sha256, measured.estimator.calibration
    if weights != record.weights_sha256:
        raise MistworksError(
            f"Expected weights {record.weights_sha256[:12]}… of run {record.run_id}, got {weights[:12]}… in "
            f"{measured.folder}. Give the run and the folder of one training."
        )
    if calibration is not None and calibration.sha256 != record.calibration_sha256:
        raise MistworksError(
            f"Expected calibration {record.calibration_sha256[:12] or 'none'}… of run {record.run_id}, got "
            f"{calibration.sha256[:12]}… in {measured.folder}. Give the run and the folder of one "
            "calibration."
        )
    complete = metrics.get("validation.failures.all") == 0
    with alone(tracking_uri, record.model):
        return register(
            measured.folder,
            measured.estimator,
            record,
            tracking_uri=tracking_uri,
            # A mean without the failures is not comparable.
            validation_mse=metrics["validation.mse.all"] if complete else math.nan,
            metrics=metrics,
        )


def shipped_key(estimator: Estimator) -> str:
    """Return the training key of the estimator that comes with the package."""
    return f"shipped-{estimator.sha256[:16]}"


@retried
def record_shipped(estimator: Estimator, validation: StoreReference, tracking_uri: str) -> str:
    """Make the run that stands for the training of the estimator that comes with the package.

    Its model card says what it was made from. Its data are known only by their content hash.

    Args:
        estimator: the estimator that comes with the package.
        validation: the store that it is measured on.
        tracking_uri: where runs are kept.

    Returns:
        The identifier of the run: always the same one for an estimator.
    """
    card = (SHIPPED_FOLDER / CARD_FILE).read_text()
    made_from = [
        StoreReference(split, NOT_KEPT, content_hash)
        for split, content_hash in re.findall(r"Data, (train|calibration): content hash `(\w+)`", card)
    ]
    commit = re.search(r"at commit `(\w+)`", card)
    with start_or_resume(
        tracking_uri,
        training_key=shipped_key(estimator),
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
    reference: str, tracking_uri: str, stores: Sequence[Location] = (), config: GateConfig | None = None
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


__all__ = [
    "NOT_KEPT",
    "SHIPPED_FOLDER",
    "Comparison",
    "Measured",
    "compare_with_champion",
    "compare_with_nobody",
    "promote_version",
    "record_shipped",
    "register_version",
    "shipped_key",
]
