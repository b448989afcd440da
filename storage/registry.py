"""Registered estimators: versions with metrics and lineage, and the alias ``champion`` for the best of them.

A version is complete or not there: its model is logged, loaded back and checked bit by bit first, then the
version is made together with all its tags. Aliases are decided under a lock, so that of two registrations at
once each compares itself with the champion of its moment; see `storage.tracking.exclusive` for its reach.
"""

import hashlib
import math
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mistworks
from mistworks.errors import MistworksError
from storage.model_package import check_predictions, estimator_folder, log_model
from storage.runs import CodeRevision, StoreReference, code_revision, existing_run
from storage.tracking import default_tracking_uri, exclusive, fluent, open_client, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from mistworks.estimation import Estimator

MODEL = "mist"
CHAMPION = "champion"
VALIDATION_MSE = "validation.mse"

_LINEAGE = "mistworks."
_METRIC = "metric."
_PROMOTED, _REASON = "mistworks.promoted", "mistworks.promotion"
_REFERENCE = re.compile(r"(?:models:/)?(?P<name>[^/@:]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[1-9]\d*))")


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version came from.

    Attributes:
        run_id: MLflow run of the training.
        preset: name of the preset that was run.
        train_store: URL of the store it was trained on.
        train_hash: content hash of that store.
        validation_store: URL of the store it was measured on.
        validation_hash: content hash of that store.
        weights_sha256: of ``model.safetensors``.
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
    weights_sha256: str
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
        metrics: by name, MSE in nats², ``"validation.mse"`` always among them.
        lineage: what it was made from.
        promoted: whether it became champion when it was registered.
        promotion: one sentence on why it did or did not.
        created: when it was registered, ISO 8601, UTC.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    lineage: Lineage
    promoted: bool
    promotion: str
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
        """Everything as plain values, ready for JSON."""
        return {**asdict(self), "metrics": dict(self.metrics), "uri": self.uri}


def register(
    folder: str | Path,
    *,
    tracking_uri: str,
    run_id: str,
    train: StoreReference,
    validation: StoreReference,
    validation_mse: float,
    preset: str,
    metrics: Mapping[str, float] | None = None,
    revision: CodeRevision | None = None,
    name: str = MODEL,
) -> RegisteredVersion:
    """Register a saved estimator as a new version, and make it champion if it is better than the present one.

    Champion means: strictly lower MSE on the same validation data. The first version becomes champion; one
    measured on other validation data, or without a finite MSE, never does. Registering the same run and
    weights again returns the version that is there.

    Args:
        folder: what `Estimator.save` wrote.
        tracking_uri: where runs and models are kept.
        run_id: the run of its training.
        train: the store it was trained on.
        validation: the store that ``validation_mse`` was measured on.
        validation_mse: mean squared error in nats².
        preset: name of the preset.
        metrics: further figures to show beside the version.
        revision: the code that ran; found out if none is given.
        name: the registered model.

    Raises:
        MistworksError: the folder holds no estimator, there is no such run, or what was logged does not give
            the predictions of the folder's estimator.
    """
    folder = Path(folder)
    code = code_revision() if revision is None else revision
    lineage = Lineage(
        run_id=run_id,
        preset=preset,
        train_store=train.url,
        train_hash=train.content_hash,
        validation_store=validation.url,
        validation_hash=validation.content_hash,
        weights_sha256=_weights_sha256(folder),
        code_commit=code.commit,
        code_dirty=code.dirty,
        code_version=code.version,
    )
    figures = {**(metrics or {}), VALIDATION_MSE: validation_mse}
    client = open_client(tracking_uri)
    existing_run(client, run_id, tracking_uri)
    with exclusive(tracking_uri), fluent(tracking_uri):
        number = _version_of(client, name, lineage)
        if number is None:
            number = _create_version(client, folder, name, lineage, figures)
        # A version that was there may lack the decision: its registration was killed on the way.
        _decide_champion(client, name, number)
        return _read(client, client.get_model_version(name, str(number)))


def is_reference(text: str) -> bool:
    """Whether a text has the form of a version's name, such as ``"mist@champion"``."""
    return _REFERENCE.fullmatch(text) is not None


def load(reference: str, tracking_uri: str | None = None) -> "Estimator":
    """The estimator behind ``models:/mist@champion``, ``models:/mist/3``, ``mist@champion`` or ``mist/3``.

    Args:
        reference: the name of a version.
        tracking_uri: where the registry is; see `storage.tracking.default_tracking_uri` if None.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
    """
    tracking_uri = tracking_uri or default_tracking_uri()
    client = open_client(tracking_uri)
    found = _resolve(client, reference, tracking_uri)
    with fluent(tracking_uri), tempfile.TemporaryDirectory() as scratch:
        import mlflow

        local = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{found.name}/{found.version}", dst_path=scratch
        )
        return mistworks.load(estimator_folder(Path(local)))


def lookup(reference: str, tracking_uri: str) -> RegisteredVersion:
    """One version with its metrics and lineage; the forms of reference are those of `load`.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
    """
    client = open_client(tracking_uri)
    return _read(client, _resolve(client, reference, tracking_uri))


def versions(tracking_uri: str, name: str = MODEL) -> list[RegisteredVersion]:
    """All versions of a registered model, oldest first; empty where there is none of that name.

    Raises:
        MistworksError: there is no registry at the tracking URI.
    """
    client = open_client(tracking_uri)
    return [_read(client, found) for found in _model_versions(client, name)]


def _create_version(
    client: "MlflowClient", folder: Path, name: str, lineage: Lineage, metrics: Mapping[str, float]
) -> int:
    from mlflow.exceptions import MlflowException

    model_id = log_model(folder, lineage.run_id, name)
    check_predictions(folder, f"models:/{model_id}")
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    tags = {f"{_LINEAGE}{key}": str(value) for key, value in asdict(lineage).items()}
    # The shortest text that reads back as the same float: champions are compared without rounding.
    tags |= {f"{_METRIC}{key}": repr(float(value)) for key, value in metrics.items()}
    made = client.create_model_version(
        name, source=f"models:/{model_id}", run_id=lineage.run_id, tags=tags, model_id=model_id
    )
    return int(made.version)


def _decide_champion(client: "MlflowClient", name: str, number: int) -> None:
    version_tags = client.get_model_version(name, str(number)).tags
    if _REASON in version_tags:
        return
    present = _aliases(client, name).get(CHAMPION)
    promoted, reason = _compare(
        _metrics(version_tags)[VALIDATION_MSE],
        version_tags[f"{_LINEAGE}validation_hash"],
        None if present in (None, number) else client.get_model_version(name, str(present)),
    )
    # The alias before the reason: a registration killed between them decides again, with the same outcome.
    if promoted:
        client.set_registered_model_alias(name, CHAMPION, str(number))
    client.set_model_version_tag(name, str(number), _PROMOTED, str(promoted).lower())
    client.set_model_version_tag(name, str(number), _REASON, reason)


def _compare(mse: float, validation_hash: str, champion: "ModelVersion | None") -> tuple[bool, str]:
    """Whether a challenger takes the champion's place, and one sentence why."""
    if not math.isfinite(mse):
        return False, f"not champion: its validation MSE is {mse}, and a finite one is needed"
    if champion is None:
        return True, f"champion: the first version with a finite validation MSE, {mse:.4g} nats²"
    best = _metrics(champion.tags)[VALIDATION_MSE]
    its_hash = champion.tags[f"{_LINEAGE}validation_hash"]
    if its_hash != validation_hash:
        return False, (
            f"not champion: it was measured on validation data {validation_hash[:12]} and champion version "
            f"{champion.version} on {its_hash[:12]}, so their errors cannot be compared; evaluate both on "
            "the same store"
        )
    figures = f"{mse:.6g} nats² against {best:.6g} of version {champion.version}"
    if mse < best:
        return True, f"champion: its validation MSE is lower, {figures}"
    return False, f"not champion: its validation MSE is not lower, {figures}"


def _resolve(client: "MlflowClient", reference: str, tracking_uri: str) -> "ModelVersion":
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise MistworksError(
            f"{reference!r} does not name a registered model; expected models:/{MODEL}@{CHAMPION} or "
            f"models:/{MODEL}/3, or the same without models:/"
        )
    name, alias = match["name"], match["alias"]
    numbers = [int(found.version) for found in _model_versions(client, name)]
    if not numbers:
        known = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        raise MistworksError(
            f"{reference!r}: there is no registered model {name!r} at {shown(tracking_uri)}; registered "
            f"models: {known}; train and register one, or give another tracking URI"
        )
    aliases = _aliases(client, name)
    number = aliases.get(alias) if alias else int(match["version"])
    if number not in numbers:
        wanted = f"alias {alias!r}" if alias else f"version {match['version']}"
        raise MistworksError(
            f"{reference!r}: the model {name!r} has no {wanted}; its aliases: "
            f"{', '.join(sorted(aliases)) or 'none'}; its versions: {', '.join(map(str, numbers))}; ask for "
            "one of these"
        )
    return client.get_model_version(name, str(number))


def _model_versions(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    """The versions that this package registered, oldest first."""
    quoted = name.replace("'", "''")
    found: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{quoted}'", page_token=token)
        found += [version for version in page if f"{_LINEAGE}weights_sha256" in version.tags]
        token = page.token
        if not token:
            return sorted(found, key=lambda version: int(version.version))


def _version_of(client: "MlflowClient", name: str, lineage: Lineage) -> int | None:
    """The number of the version registered from the same run and weights, or none."""
    for found in _model_versions(client, name):
        known = _lineage(found.tags)
        if (known.run_id, known.weights_sha256) == (lineage.run_id, lineage.weights_sha256):
            return int(found.version)
    return None


def _aliases(client: "MlflowClient", name: str) -> dict[str, int]:
    return {alias: int(number) for alias, number in client.get_registered_model(name).aliases.items()}


def _read(client: "MlflowClient", found: "ModelVersion") -> RegisteredVersion:
    number = int(found.version)
    return RegisteredVersion(
        name=found.name,
        version=number,
        aliases=tuple(sorted(alias for alias, n in _aliases(client, found.name).items() if n == number)),
        metrics=_metrics(found.tags),
        lineage=_lineage(found.tags),
        promoted=found.tags.get(_PROMOTED) == "true",
        promotion=found.tags.get(
            _REASON, "not decided yet: its registration was interrupted; register it again"
        ),
        created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
    )


def _lineage(tags: Mapping[str, str]) -> Lineage:
    values: dict[str, Any] = {
        field.name: tags.get(f"{_LINEAGE}{field.name}", "") for field in fields(Lineage)
    }
    values["code_dirty"] = values["code_dirty"] == "True"
    return Lineage(**values)


def _metrics(tags: Mapping[str, str]) -> dict[str, float]:
    return {key.removeprefix(_METRIC): float(text) for key, text in tags.items() if key.startswith(_METRIC)}


def _weights_sha256(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    except OSError:
        raise MistworksError(
            f"{folder} holds no readable model.safetensors; give the folder that Estimator.save wrote"
        ) from None
