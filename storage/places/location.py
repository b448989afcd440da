"""Names of places: a local path, or an object-store URL such as ``s3://bucket/train.zarr``."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore as LocalFiles
from obstore.store import ObjectStore as AnyObjectStore
from obstore.store import from_url
from zarr.abc.store import Store as ZarrStore
from zarr.core.sync import sync
from zarr.storage import LocalStore, ObjectStore

from mistworks.errors import MistworksError
from storage.errors import ACCESS_ERRORS, StoreRefusedError, cause_of, reason
from storage.places.settings import seconds

Answer = TypeVar("Answer")

PATIENCE_VARIABLE = "MISTWORKS_STORAGE_PATIENCE"
_PATIENCE_SECONDS = 300.0
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)


@dataclass(frozen=True)
class Location:
    """A local path or the URL of a place in an object store, parsed where a person or a file names it.

    Attributes:
        url: an absolute local path, or a URL with a scheme.
        path: the local path, or None for an object store.
    """

    url: str
    path: Path | None

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> "Location":
        """Return the place that a relative path below this one names."""
        return Location(f"{self.url.rstrip('/')}/{name}", None if self.path is None else self.path / name)

    @property
    def parent(self) -> "Location":
        """The place that this one is directly below."""
        if self.path is not None:
            return Location(str(self.path.parent), self.path.parent)
        return Location(self.url.rpartition("/")[0], None)

    @property
    def name(self) -> str:
        """Its last part."""
        return self.url.rpartition("/")[2]

    @classmethod
    def parse(cls, place: str | Path) -> "Location":
        """Parse a path, a ``file://`` URL, or a URL that ``obstore.store.from_url`` understands."""
        url = str(place)
        parts = urlsplit(url)
        if not parts.scheme or not url.startswith(f"{parts.scheme}://"):
            path = Path(url).expanduser().absolute()
        elif parts.scheme == "file":
            path = Path(unquote(parts.path))
        else:
            return cls(url, None)
        return cls(str(path), path)

    @classmethod
    def require_local(cls, text: str, what: str) -> Path:
        """Parse a text that must name a local path.

        Args:
            text: a path or a ``file://`` URL.
            what: what is kept there, for the message.

        Raises:
            MistworksError: it is the URL of an object store.
        """
        if (path := cls.parse(text).path) is None:
            raise MistworksError(
                f"Expected a local folder for {what}, got {text}. Give a path on this machine."
            )
        return path

    def zarr_store(self, *, read_only: bool) -> ZarrStore:
        """Return the Zarr store at this place. Credentials of object stores are taken from the environment.

        Raises:
            MistworksError: the URL's scheme is unknown, or there are no credentials.
        """
        if self.path is not None:
            return LocalStore(self.path, read_only=read_only)
        return ObjectStore(self.object_store(), read_only=read_only)

    def object_store(self) -> AnyObjectStore:
        """Return the files here, which are written atomically. A local directory is created if needed.

        Requests to object stores that fail for a reason that may pass are repeated for `patience` seconds.

        Raises:
            MistworksError: the URL's scheme is unknown, there are no credentials, or the directory cannot be
                created.
        """
        try:
            if self.path is not None:
                return LocalFiles(self.path, mkdir=True)
            self._require_credentials()
            return from_url(
                self.url, retry_config={"max_retries": 1_000, "retry_timeout": timedelta(seconds=patience())}
            )
        except (*ACCESS_ERRORS, ValueError) as error:
            if isinstance(error, MistworksError):
                raise
            raise MistworksError(
                f"Expected a path or a URL such as s3://bucket/name, got {self.url!r} ({reason(error)}). "
                "Correct it."
            ) from None

    def _require_credentials(self) -> None:
        """Refuse at once if Amazon's own service would be asked for the credentials of another server.

        Raises:
            StoreRefusedError: the server is not Amazon's, and the environment has no keys.
        """
        named = {name for name in (*_ENDPOINTS, *_CREDENTIALS) if os.environ.get(name)}
        if (
            self.url.startswith("s3://")
            and named.intersection(_ENDPOINTS)
            and not named.difference(_ENDPOINTS)
        ):
            raise StoreRefusedError(
                f"Expected credentials for {self.url} in the environment of {socket.gethostname()}, got "
                "none. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )

    def codec_pipeline(self, *, writable: bool) -> dict[str, Any]:
        """Zarr settings that make reading, or writing, arrays at this place fastest."""
        if self.path is None:
            return {}
        return {
            "codec_pipeline.path": "zarrs.ZarrsCodecPipeline",
            "threading.max_workers": 1,
            # Written data is not read again soon, and filling the page cache with it can cost as much as
            # computing it. Data that is read is read again in the next epoch.
            "codec_pipeline.direct_io": writable and _takes_direct_io(self.path),
        }


def patience() -> float:
    """Seconds for which requests to an object store are repeated before it counts as unreachable.

    Raises:
        MistworksError: the environment variable is not a number.
    """
    return seconds(PATIENCE_VARIABLE, _PATIENCE_SECONDS)


def _takes_direct_io(directory: Path) -> bool:
    """Whether the file system of a Zarr group supports writing past the page cache."""
    try:
        os.close(os.open(directory / "zarr.json", os.O_RDONLY | os.O_DIRECT))
    except (OSError, AttributeError):  # O_DIRECT exists on Linux only.
        return False
    return True


def entries(store: ZarrStore) -> set[str]:
    """List the names directly below the root of a Zarr store; empty if it does not exist."""

    async def collect() -> set[str]:
        return {name async for name in store.list_dir("")}

    try:
        return patiently(lambda: sync(collect()))
    except FileNotFoundError:
        return set()


def patiently(request: Callable[[], Answer]) -> Answer:
    """Repeat requests whose answer is cut off, which obstore does not repeat itself.

    Raises:
        BaseError: the request fails for another reason, or for too long.
    """
    deadline, pause = time.monotonic() + patience(), 0.1
    while True:
        try:
            return request()
        except BaseError as error:
            if cause_of(error) != "transient" or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 10.0)


__all__ = ["PATIENCE_VARIABLE", "Answer", "Location", "entries", "patience", "patiently"]
