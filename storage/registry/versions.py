"""Registered estimators: versions with metrics and lineage, and the alias ``champion`` for the best one.

A version is complete or absent: its model is logged, loaded back and checked bit by bit before the version is
created with all its tags. Which version is champion is decided separately, by `storage.registry.promotion`.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import mistworks
from mistworks.errors import MistworksError
from storage.registry.lineage import (
    CHAMPION,
    MODEL,
    PROMOTION_TAG,
    VALIDATION_MSE,
    Lineage,
    RegisteredVersion,
    model_versions,
    read_lineage,
    read_version,
    tags_of,
)
from storage.registry.moved import current_location
from storage.registry.outage import TrackingUnreachableError, shown
from storage.registry.package import check_predictions, estimator_folder, log_model
from storage.registry.runs import TrainingRecord, existing_run
from storage.registry.tracking import database_path, default_tracking_uri, exclusive, fluent, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from mistworks.estimation.estimator import Estimator


_IDENTITY = ("run_id", "weights_sha256", "calibration_sha256")
_REFERENCE = re.compile(r"(?:models:/)?(?P<name>[^/@:]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[1-9]\d*))")


class MissingModelError(MistworksError):
    """A registered version whose model is missing or damaged."""


def register(
    folder: str | Path,
    estimator: "Estimator",
    record: TrainingRecord,
    *,
    tracking_uri: str,
    validation_mse: float,
    metrics: Mapping[str, float] | None = None,
) -> RegisteredVersion:
    """Register a saved estimator as a new version. Whether it becomes champion is decided separately.

    Registering the same run, weights and calibration again returns the existing version. If two machines do
    so at once on a server without locks, the version with the lowest number stays.

    Args:
        folder: the folder that `Estimator.save` wrote.
        estimator: the estimator in it.
        record: the record of its training, which says under which name.
        tracking_uri: where runs and models are kept.
        validation_mse: mean squared error in nats² on the validation store of its training.
        metrics: further metrics to show with the version.

    Raises:
        MistworksError: the folder holds no estimator, there is no such run, or the logged model does not
            predict what the estimator does.
    """
    folder = Path(folder)
    lineage = _lineage(folder, estimator, record)
    figures = {**(metrics or {}), VALIDATION_MSE: validation_mse}
    client = open_client(tracking_uri)
    existing_run(client, record.run_id, tracking_uri)
    with exclusive(tracking_uri), fluent(tracking_uri):
        number = _version_of(client, record.model, lineage)
        if number is None:
            model_id = log_model(folder, lineage.run_id, record.model)
            check_predictions(estimator, f"models:/{model_id}")
            _create_version(client, model_id, record.model, lineage, figures)
        number = _settle_version(client, record.model, lineage)
        return read_version(client, client.get_model_version(record.model, str(number)))


def _lineage(folder: Path, estimator: "Estimator", record: TrainingRecord) -> Lineage:
    calibrated, calibration = estimator.calibration, record.calibration
    if calibrated is None:
        calibration = None
    return Lineage(
        run_id=record.run_id,
        preset=record.preset,
        train_store=record.train.url,
        train_hash=record.train.content_hash,
        validation_store=record.validation.url,
        validation_hash=record.validation.content_hash,
        calibration_store=calibration.url if calibration else "",
        calibration_hash=calibration.content_hash if calibration else "",
        weights_sha256=_weights_sha256(folder),
        calibration_sha256=calibrated.sha256 if calibrated else "",
        code_commit=record.revision.commit,
        code_dirty=record.revision.dirty,
        code_version=record.revision.version,
    )


def is_reference(text: str) -> bool:
    """Whether a text has the form of a version's name, such as ``"mist@champion"``."""
    return _REFERENCE.fullmatch(text) is not None


def load(reference: str, tracking_uri: str | None = None) -> "Estimator":
    """Load the estimator ``models:/mist@champion``, ``models:/mist/3``, ``mist@champion`` or ``mist/3``.

    Args:
        reference: the name of a version.
        tracking_uri: where the registry is; see `storage.registry.tracking.default_tracking_uri` if None.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
        MissingModelError: the version exists, but its model is missing or damaged.
    """
    tracking_uri = tracking_uri or default_tracking_uri()
    client = open_client(tracking_uri)
    version = resolve(client, reference, tracking_uri)
    location = _location(client, version, tracking_uri)
    with (
        _explained(f"{version.name}/{version.version}", location),
        fluent(tracking_uri),
        tempfile.TemporaryDirectory() as scratch,
    ):
        import mlflow

        local = mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=scratch)
        return mistworks.load(estimator_folder(Path(local)))


def lookup(reference: str, tracking_uri: str) -> RegisteredVersion:
    """Look up one version with its metrics and lineage. The forms of reference are those of `load`.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
    """
    client = open_client(tracking_uri)
    return read_version(client, resolve(client, reference, tracking_uri))


def versions(tracking_uri: str, name: str = MODEL) -> list[RegisteredVersion]:
    """List all versions of a registered model, oldest first; empty if the model does not exist.

    Raises:
        MistworksError: there is no registry at the tracking URI.
    """
    client = open_client(tracking_uri)
    return [read_version(client, version) for version in model_versions(client, name)]


def every_version(tracking_uri: str) -> list[RegisteredVersion]:
    """List all versions of all registered models that this package registered, by name, oldest first.

    Raises:
        MistworksError: there is no registry at the tracking URI.
    """
    client = open_client(tracking_uri)
    names = sorted(model.name for model in client.search_registered_models())
    return [version for name in names for version in versions(tracking_uri, name)]


def _location(client: "MlflowClient", version: "ModelVersion", tracking_uri: str) -> str:
    """Locate the model of a version: beside the database, even if that was moved and is read-only."""
    path = database_path(tracking_uri)
    if path is None:
        return f"models:/{version.name}/{version.version}"
    return current_location(client.get_logged_model(_model_id(version)).artifact_location, path)


def _model_id(version: "ModelVersion") -> str:
    """The identifier of the logged model that a version was made from."""
    return str(version.source).removeprefix("models:/")


@contextmanager
def _explained(version: str, location: str) -> Iterator[None]:
    """Name a version whose model cannot be read, and say what to do.

    Raises:
        MissingModelError: for whatever reason the artifact store or the files give.
    """
    try:
        yield
    except TrackingUnreachableError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if isinstance(error, MistworksError):
            # What to do is said below.
            reason = reason.partition(". ")[0]
        raise MissingModelError(
            f"Expected to load the model of {version} at {location}, got: {reason.rstrip('.')}. Restore its "
            "artifacts from a backup, or delete the version and register its estimator again; a champion "
            "goes with `mistworks rollback`."
        ) from error


def _create_version(
    client: "MlflowClient", model_id: str, name: str, lineage: Lineage, metrics: Mapping[str, float]
) -> None:
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException):
        # It exists already, or another machine just created it. If not, the next call says why.
        client.create_registered_model(name)
    client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=lineage.run_id,
        tags=tags_of(lineage, metrics),
        model_id=model_id,
    )


def _settle_version(client: "MlflowClient", name: str, lineage: Lineage) -> int:
    """Return the number of the version with an identity, and delete others with the same.

    Another machine may have registered the same in the meantime. Each creates its version before it looks for
    others, so all agree on the lowest number.
    """
    from mlflow.exceptions import MlflowException

    first, *others = _alike(client, name, lineage)
    aliases = client.get_registered_model(name).aliases.values()
    for other in others:
        if PROMOTION_TAG not in other.tags and other.version not in aliases:
            # Both machines may reach this line.
            with suppress(MlflowException):
                client.delete_model_version(name, other.version)
                client.delete_logged_model(_model_id(other))
    return int(first.version)


def resolve(client: "MlflowClient", reference: str, tracking_uri: str) -> "ModelVersion":
    """Resolve a reference to a version. Its forms are those of `load`.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise MistworksError(
            f"Expected a registered model such as models:/{MODEL}@{CHAMPION} or models:/{MODEL}/3, with or "
            f"without models:/, got {reference!r}."
        )
    name, alias = match["name"], match["alias"]
    numbers = [int(version.version) for version in model_versions(client, name)]
    if not numbers:
        known = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        raise MistworksError(
            f"Expected a registered model at {shown(tracking_uri)} ({known}), got {reference!r}. Train and "
            "register one, or give another tracking URI."
        )
    aliases = {of: int(number) for of, number in client.get_registered_model(name).aliases.items()}
    number = aliases.get(alias) if alias else int(match["version"])
    if number not in numbers:
        wanted = f"alias {alias!r}" if alias else f"version {match['version']}"
        raise MistworksError(
            f"Expected an alias ({', '.join(sorted(aliases)) or 'none'}) or version "
            f"({', '.join(map(str, numbers))}) of the model {name!r}, got {wanted} in {reference!r}."
        )
    return client.get_model_version(name, str(number))


def _version_of(client: "MlflowClient", name: str, lineage: Lineage) -> int | None:
    """Return the number of the version with the same run, weights and calibration, or None."""
    return next((int(version.version) for version in _alike(client, name, lineage)), None)


def _alike(client: "MlflowClient", name: str, lineage: Lineage) -> list["ModelVersion"]:
    """List the versions with the same run, weights and calibration, oldest first."""
    return [
        version
        for version in model_versions(client, name)
        if all(getattr(read_lineage(version.tags), part) == getattr(lineage, part) for part in _IDENTITY)
    ]


def _weights_sha256(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    except OSError:
        raise MistworksError(
            f"Expected a readable model.safetensors in {folder}, got none. Give the folder that "
            "Estimator.save wrote."
        ) from None


__all__ = [
    "MissingModelError",
    "every_version",
    "is_reference",
    "load",
    "lookup",
    "register",
    "resolve",
    "versions",
]
