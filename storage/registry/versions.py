"""Registered estimators: versions with metrics and lineage, and the alias ``champion`` for the best of them.

A version is complete or not there: its model is logged, loaded back and checked bit by bit first, then the
version is made together with all its tags. Which version is champion is decided apart, by
`storage.registry.promotion`.
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
from storage.registry.revision import CodeRevision, code_revision
from storage.registry.runs import StoreReference, existing_run
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
    *,
    tracking_uri: str,
    run_id: str,
    train: StoreReference,
    validation: StoreReference,
    validation_mse: float,
    preset: str,
    calibration: StoreReference | None = None,
    metrics: Mapping[str, float] | None = None,
    revision: CodeRevision | None = None,
    name: str = MODEL,
) -> RegisteredVersion:
    """Register a saved estimator as a new version; whether it becomes champion is decided apart.

    Registering the same run, weights and calibration again returns the version that is there. Where two
    machines do so at once on a server that offers no lock, one version stays: that with the lowest number.

    Args:
        folder: what `Estimator.save` wrote.
        tracking_uri: where runs and models are kept.
        run_id: the run of its training.
        train: the store it was trained on.
        validation: the store that ``validation_mse`` was measured on.
        validation_mse: mean squared error in nats².
        preset: name of the preset.
        calibration: the store it was calibrated on, if it was.
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
        calibration_store=calibration.url if calibration else "",
        calibration_hash=calibration.content_hash if calibration else "",
        weights_sha256=_weights_sha256(folder),
        calibration_sha256=_calibration_sha256(folder),
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
            _create_version(client, folder, name, lineage, figures)
        number = _settle_version(client, name, lineage)
        return read_version(client, client.get_model_version(name, str(number)))


def is_reference(text: str) -> bool:
    """Whether a text has the form of a version's name, such as ``"mist@champion"``."""
    return _REFERENCE.fullmatch(text) is not None


def load(reference: str, tracking_uri: str | None = None) -> "Estimator":
    """The estimator behind ``models:/mist@champion``, ``models:/mist/3``, ``mist@champion`` or ``mist/3``.

    Args:
        reference: the name of a version.
        tracking_uri: where the registry is; see `storage.registry.tracking.default_tracking_uri` if None.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
        MissingModelError: the version is there, and its model is missing or damaged.
    """
    tracking_uri = tracking_uri or default_tracking_uri()
    client = open_client(tracking_uri)
    found = resolve(client, reference, tracking_uri)
    location = _location(client, found, tracking_uri)
    with (
        _explained(f"{found.name}/{found.version}", location),
        fluent(tracking_uri),
        tempfile.TemporaryDirectory() as scratch,
    ):
        import mlflow

        local = mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=scratch)
        return mistworks.load(estimator_folder(Path(local)))


def lookup(reference: str, tracking_uri: str) -> RegisteredVersion:
    """One version with its metrics and lineage; the forms of reference are those of `load`.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
    """
    client = open_client(tracking_uri)
    return read_version(client, resolve(client, reference, tracking_uri))


def versions(tracking_uri: str, name: str = MODEL) -> list[RegisteredVersion]:
    """All versions of a registered model, oldest first; empty where there is none of that name.

    Raises:
        MistworksError: there is no registry at the tracking URI.
    """
    client = open_client(tracking_uri)
    return [read_version(client, found) for found in model_versions(client, name)]


def _location(client: "MlflowClient", found: "ModelVersion", tracking_uri: str) -> str:
    """Where the model of a version lies: beside the database, also where that was moved and is read only."""
    path = database_path(tracking_uri)
    if path is None:
        return f"models:/{found.name}/{found.version}"
    return current_location(client.get_logged_model(_model_id(found)).artifact_location, path)


def _model_id(found: "ModelVersion") -> str:
    """The identifier of the logged model that a version was made from."""
    return str(found.source).removeprefix("models:/")


@contextmanager
def _explained(version: str, location: str) -> Iterator[None]:
    """Name the version whose model cannot be read, and what to do.

    Raises:
        MissingModelError: whatever the artifact store or the model's files gave as a reason.
    """
    try:
        yield
    except TrackingUnreachableError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise MissingModelError(
            f"Expected the model of {version} at {location}, got: {reason}. Restore its artifacts from a "
            "backup, or delete the version and register its estimator again; a champion goes with "
            "`mistworks rollback`."
        ) from error


def _create_version(
    client: "MlflowClient", folder: Path, name: str, lineage: Lineage, metrics: Mapping[str, float]
) -> None:
    from mlflow.exceptions import MlflowException

    model_id = log_model(folder, lineage.run_id, name)
    check_predictions(folder, f"models:/{model_id}")
    with suppress(MlflowException):
        # It is there, from before or made by another machine now; if not, what comes next says why.
        client.create_registered_model(name)
    client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=lineage.run_id,
        tags=tags_of(lineage, metrics),
        model_id=model_id,
    )


def _settle_version(client: "MlflowClient", name: str, lineage: Lineage) -> int:
    """The number of the version with an identity; any others with the same are deleted.

    Another machine may have registered the same meanwhile. Each made its version before it looked here, so
    that all agree on the lowest number.
    """
    from mlflow.exceptions import MlflowException

    first, *others = _alike(client, name, lineage)
    aliases = client.get_registered_model(name).aliases.values()
    for other in others:
        if PROMOTION_TAG not in other.tags and other.version not in aliases:
            # Both machines may come here.
            with suppress(MlflowException):
                client.delete_model_version(name, other.version)
                client.delete_logged_model(_model_id(other))
    return int(first.version)


def resolve(client: "MlflowClient", reference: str, tracking_uri: str) -> "ModelVersion":
    """The version that a reference names; its forms are those of `load`.

    Raises:
        MistworksError: there is no such model, alias or version; the message names those that exist.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise MistworksError(
            f"{reference!r} does not name a registered model; expected models:/{MODEL}@{CHAMPION} or "
            f"models:/{MODEL}/3, or the same without models:/"
        )
    name, alias = match["name"], match["alias"]
    numbers = [int(found.version) for found in model_versions(client, name)]
    if not numbers:
        known = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        raise MistworksError(
            f"{reference!r}: there is no registered model {name!r} at {shown(tracking_uri)}; registered "
            f"models: {known}; train and register one, or give another tracking URI"
        )
    aliases = {of: int(number) for of, number in client.get_registered_model(name).aliases.items()}
    number = aliases.get(alias) if alias else int(match["version"])
    if number not in numbers:
        wanted = f"alias {alias!r}" if alias else f"version {match['version']}"
        raise MistworksError(
            f"{reference!r}: the model {name!r} has no {wanted}; its aliases: "
            f"{', '.join(sorted(aliases)) or 'none'}; its versions: {', '.join(map(str, numbers))}; ask for "
            "one of these"
        )
    return client.get_model_version(name, str(number))


def _version_of(client: "MlflowClient", name: str, lineage: Lineage) -> int | None:
    """The number of the version registered from the same run, weights and calibration, or none."""
    return next((int(found.version) for found in _alike(client, name, lineage)), None)


def _alike(client: "MlflowClient", name: str, lineage: Lineage) -> list["ModelVersion"]:
    """The versions registered from the same run, weights and calibration, oldest first."""
    return [
        found
        for found in model_versions(client, name)
        if all(getattr(read_lineage(found.tags), part) == getattr(lineage, part) for part in _IDENTITY)
    ]


def _weights_sha256(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    except OSError:
        raise MistworksError(
            f"{folder} holds no readable model.safetensors; give the folder that Estimator.save wrote"
        ) from None


def _calibration_sha256(folder: Path) -> str:
    calibration = mistworks.load(folder).calibration
    return "" if calibration is None else calibration.sha256


__all__ = ["MissingModelError", "is_reference", "load", "lookup", "register", "resolve", "versions"]
