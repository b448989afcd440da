"""The places of a run, as one frozen value that is created where the run starts and passed on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, field_serializer

from flows.root import local_root
from mistworks.config import FrozenConfig
from storage.places.location import Location
from storage.registry.outage import shown
from storage.registry.tracking import local_tracking_uri


def _defaults(root: Path) -> dict[str, str | None]:
    """Defaults from the environment, or else below a local root."""
    environment = os.environ
    return {
        "stores": environment.get("MISTWORKS_STORES") or str(root / "stores"),
        "checkpoints": environment.get("MISTWORKS_CHECKPOINTS") or str(root / "training"),
        "results": environment.get("MISTWORKS_RESULTS") or str(root / "evaluations"),
        "tracking_uri": environment.get("MLFLOW_TRACKING_URI") or local_tracking_uri(root),
        "dask_address": environment.get("MISTWORKS_DASK_ADDRESS") or None,
        "workers": environment.get("MISTWORKS_WORKERS") or None,
    }


def _default(name: str) -> Callable[[], Any]:
    return lambda: _defaults(local_root())[name]


def _parse_place(text: object) -> Location:
    if isinstance(text, Location):
        return text
    if not isinstance(text, str):
        raise ValueError(f"Expected a path or a URL, got {text!r}. Give it as text.")
    if urlsplit(text).password is not None:
        raise ValueError(
            "Expected a URL without a password. Set the credentials of the object store in the "
            "environment instead"
        )
    place = Location.parse(text)
    return place if place.path is not None else Location(place.url.rstrip("/"), None)


Place = Annotated[
    Location,
    PlainValidator(_parse_place, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]
"""A place that is given as text, and recorded as text."""


class Workspace(FrozenConfig):
    """The places where a run reads and writes.

    Each omitted field is taken from the environment, or else is in the local root: the directory in
    ``MISTWORKS_ROOT``, or ``mistworks-data``.

    Attributes:
        stores: path or URL below which the pipeline keeps its stores.
        checkpoints: path or URL below which trainings and their estimators are kept.
        results: path or URL below which evaluations are kept.
        tracking_uri: MLflow server or database. A password in it is never written down.
        dask_address: Dask scheduler; None starts a local cluster.
        workers: processes of a local cluster; None starts one per core.
    """

    model_config = ConfigDict(validate_default=True)

    stores: Annotated[
        Place,
        Field(
            title="Stores",
            default_factory=_default("stores"),
            description=(
                "Path or URL below which stores are kept, such as s3://bucket/stores. Default: "
                "MISTWORKS_STORES."
            ),
        ),
    ]
    checkpoints: Annotated[
        Place,
        Field(
            title="Checkpoints",
            default_factory=_default("checkpoints"),
            description=(
                "Path or URL below which trainings and their estimators are kept. Default: "
                "MISTWORKS_CHECKPOINTS."
            ),
        ),
    ]
    results: Annotated[
        Place,
        Field(
            title="Results",
            default_factory=_default("results"),
            description="Path or URL below which evaluations are kept. Default: MISTWORKS_RESULTS.",
        ),
    ]
    tracking_uri: Annotated[
        str,
        Field(
            repr=False,
            default_factory=_default("tracking_uri"),
            description="MLflow server or database. Default: MLFLOW_TRACKING_URI.",
        ),
    ]
    dask_address: Annotated[
        str | None,
        Field(
            default_factory=_default("dask_address"),
            description=(
                "Address of a Dask scheduler, such as tls://dask:8786. Default: MISTWORKS_DASK_ADDRESS, or "
                "else a local cluster."
            ),
        ),
    ]
    workers: Annotated[
        int | None,
        Field(
            default_factory=_default("workers"),
            ge=1,
            description=(
                "Processes of a local Dask cluster. Default: MISTWORKS_WORKERS, or else one per core."
            ),
        ),
    ]

    @classmethod
    def of(cls, root: Path | None = None, **given: str | int | None) -> Self:
        """A workspace of options by field; those that are None come from the environment or the root.

        Raises:
            MistworksError: the root is not a local directory, or a place is not one that can be used.
        """
        chosen = {name: value for name, value in given.items() if value is not None}
        return cls.parse({**_defaults(local_root(root)), **chosen})

    @field_serializer("tracking_uri", when_used="json")
    def _without_password(self, tracking_uri: str) -> str:
        return shown(tracking_uri)

    def on(self, dask_address: str | None) -> Self:
        """The same workspace on a Dask cluster that runs."""
        return self.model_copy(update={"dask_address": dask_address, "workers": None})

    def store(self, preset: str, seed: int, split: str) -> Location:
        """Where the pipeline keeps the store of one split."""
        return self.stores / f"{preset}-seed-{seed}/{split}.zarr"


__all__ = ["Workspace"]
