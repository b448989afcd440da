"""The tags of a registered version: its lineage, its metrics, and whether it is champion."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mistworks.estimation.loaders import MODEL

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CHAMPION = "champion"
VALIDATION_MSE = "validation.mse"

# Tags of the registered model (its champions) and of a version (what the gate decided).
CHAMPIONS_TAG = "mistworks.champions"
PROMOTED_TAG = "mistworks.promoted"
PROMOTION_TAG = "mistworks.promotion"
ROLLED_BACK_TAG = "mistworks.rolled_back"

_LINEAGE = "mistworks."
_METRIC = "metric."


@dataclass(frozen=True, slots=True)
class Lineage:
    """The origin of a version.

    Attributes:
        run_id: MLflow run of the training.
        preset: name of the preset that was run.
        train_store: URL of the store it was trained on.
        train_hash: content hash of that store.
        validation_store: URL of the store it was measured on.
        validation_hash: content hash of that store.
        calibration_store: URL of the store it was calibrated on, empty if not calibrated.
        calibration_hash: content hash of that store.
        weights_sha256: SHA-256 of ``model.safetensors``.
        calibration_sha256: SHA-256 of the calibration, empty if there is none.
        code_commit: git commit of the code, or ``"unknown"``.
        code_dirty: whether the code differed from the commit.
        code_version: version of the package.
    """

    run_id: str
    preset: str
    train_store: str
    train_hash: str
    validation_store: str
    validation_hash: str
    calibration_store: str
    calibration_hash: str
    weights_sha256: str
    calibration_sha256: str
    code_commit: str
    code_dirty: bool
    code_version: str


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version in the model registry.

    Attributes:
        name: the registered model.
        version: its number, from 1.
        aliases: the aliases that point to it now.
        metrics: metrics by name, MSE in nats²; ``"validation.mse"`` is always present.
        lineage: its origin.
        promoted: whether it is or was champion and was not rolled back.
        promotion: one sentence on why or why not.
        decided: whether the gate has fully decided about it.
        created: time of registration, ISO 8601, UTC.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    lineage: Lineage
    promoted: bool
    promotion: str
    decided: bool
    created: str

    @property
    def uri(self) -> str:
        """The address of exactly this version, such as ``"models:/mist/3"``."""
        return f"models:/{self.name}/{self.version}"

    @property
    def validation_mse(self) -> float:
        """Mean squared error on the validation split, nats²."""
        return self.metrics[VALIDATION_MSE]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return {**asdict(self), "metrics": dict(self.metrics), "uri": self.uri}


def champions(model: "RegisteredModel") -> tuple[int, ...]:
    """Return the champions in order, the present one last; empty if the alias is not set.

    The alias names the present champion, and a tag the earlier ones. A promotion writes both; if it was
    killed in between, the tag is ahead of the alias or behind it.
    """
    if CHAMPION not in model.aliases:
        return ()
    present = int(model.aliases[CHAMPION])
    order = [int(number) for number in model.tags.get(CHAMPIONS_TAG, "").split(",") if number]
    if present not in order:
        return (*order, present)
    while order[-1] != present:
        order.pop()
    return tuple(order)


def model_versions(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    """List the versions that this package registered, oldest first."""
    quoted = name.replace("'", "''")
    versions: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{quoted}'", page_token=token)
        versions += [version for version in page if f"{_LINEAGE}weights_sha256" in version.tags]
        token = page.token
        if not token:
            return sorted(versions, key=lambda version: int(version.version))


def read_version(client: "MlflowClient", version: "ModelVersion") -> RegisteredVersion:
    """Read a version of the registry with everything in its tags."""
    number = int(version.version)
    model = client.get_registered_model(version.name)
    promoted, promotion, decided = _standing(number, version.tags, champions(model))
    return RegisteredVersion(
        name=version.name,
        version=number,
        aliases=tuple(sorted(alias for alias, of in model.aliases.items() if int(of) == number)),
        metrics=_metrics(version.tags),
        lineage=read_lineage(version.tags),
        promoted=promoted,
        promotion=promotion,
        decided=decided,
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
    )


def _standing(
    number: int, tags: Mapping[str, str], champion_order: tuple[int, ...]
) -> tuple[bool, str, bool]:
    """Return whether a version became champion, a sentence why, and whether that was fully decided."""
    reason = tags.get(PROMOTION_TAG)
    accepted = tags.get(PROMOTED_TAG) == "true"
    if number in champion_order:
        return True, reason if accepted and reason else "champion: its alias was set without the gate", True
    if ROLLED_BACK_TAG in tags:
        return False, f"rolled back {tags[ROLLED_BACK_TAG]}; it had been {reason or 'champion'}", True
    if reason is None or PROMOTED_TAG not in tags:
        return False, "not decided yet: its registration was interrupted. Register it again", False
    if accepted:
        return False, "not champion: its promotion was interrupted; promote it again", False
    return False, reason, True


def tags_of(lineage: Lineage, metrics: Mapping[str, float]) -> dict[str, str]:
    """Return the tags that a version is created with."""
    tags = {f"{_LINEAGE}{key}": str(value) for key, value in asdict(lineage).items() if value != ""}
    # The shortest text that reads back as the same float.
    return tags | {f"{_METRIC}{key}": repr(float(value)) for key, value in metrics.items()}


def read_lineage(tags: Mapping[str, str]) -> Lineage:
    """Read the lineage from a version's tags."""
    values: dict[str, Any] = {
        field.name: tags.get(f"{_LINEAGE}{field.name}", "") for field in fields(Lineage)
    }
    values["code_dirty"] = values["code_dirty"] == "True"
    return Lineage(**values)


def _metrics(tags: Mapping[str, str]) -> dict[str, float]:
    return {key.removeprefix(_METRIC): float(text) for key, text in tags.items() if key.startswith(_METRIC)}


__all__ = [
    "CHAMPION",
    "CHAMPIONS_TAG",
    "MODEL",
    "PROMOTED_TAG",
    "PROMOTION_TAG",
    "ROLLED_BACK_TAG",
    "VALIDATION_MSE",
    "Lineage",
    "RegisteredVersion",
    "champions",
    "model_versions",
    "read_lineage",
    "read_version",
    "tags_of",
]
