"""One way to name a place: a local path, or an object-store URL such as ``s3://bucket/train.zarr``."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore as LocalFiles
from obstore.store import ObjectStore as AnyObjectStore
from obstore.store import from_url
from zarr.abc.store import Store as ZarrStore
from zarr.core.sync import sync
from zarr.storage import LocalStore, ObjectStore

from mistworks.errors import MistworksError

# What reading and writing raise where a place, or the way to it, is at fault.
ACCESS_ERRORS = (OSError, BaseError)


@dataclass(frozen=True)
class Location:
    """A place for a store.

    Attributes:
        url: an absolute local path, or a URL with a scheme.
        path: the local path, or None for an object store.
    """

    url: str
    path: Path | None

    @classmethod
    def parse(cls, url: str) -> "Location":
        """Read a path, a ``file://`` URL, or a URL that ``obstore.store.from_url`` understands."""
        parts = urlsplit(url)
        if not parts.scheme or not url.startswith(f"{parts.scheme}://"):
            path = Path(url).expanduser().absolute()
        elif parts.scheme == "file":
            path = Path(unquote(parts.path))
        else:
            return cls(url, None)
        return cls(str(path), path)

    def zarr_store(self, *, read_only: bool) -> ZarrStore:
        """The Zarr store at this place. Credentials of object stores come from the environment.

        Raises:
            MistworksError: the URL's scheme is unknown.
        """
        if self.path is not None:
            return LocalStore(self.path, read_only=read_only)
        return ObjectStore(self.object_store(), read_only=read_only)

    def object_store(self) -> AnyObjectStore:
        """Files at this place, each written whole or not at all. A local directory is made if need be.

        Raises:
            MistworksError: the URL's scheme is unknown, or the directory cannot be made.
        """
        try:
            if self.path is not None:
                return LocalFiles(self.path, mkdir=True)
            return from_url(self.url)
        except (*ACCESS_ERRORS, ValueError) as error:
            raise MistworksError(
                f"a store is a path or a URL such as s3://bucket/name, and {self.url!r} came "
                f"({reason(error)}); mend it"
            ) from None

    def codec_pipeline(self, *, writable: bool) -> dict[str, Any]:
        """Zarr settings under which arrays here are read, or written, fastest."""
        if self.path is None:
            return {}
        return {
            "codec_pipeline.path": "zarrs.ZarrsCodecPipeline",
            "threading.max_workers": 1,
            # What is written is not read again soon: filling the page cache with it can cost as much as
            # making it. What is read is read again, in the next epoch.
            "codec_pipeline.direct_io": writable and _takes_direct_io(self.path),
        }


def reason(error: BaseException) -> str:
    """What went wrong, in one line: libraries append debugging output to their messages."""
    told = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return told.splitlines()[0] if told else type(error).__name__


def _takes_direct_io(directory: Path) -> bool:
    """Whether the file system of a Zarr group lets files be written past the page cache."""
    try:
        os.close(os.open(directory / "zarr.json", os.O_RDONLY | os.O_DIRECT))
    except (OSError, AttributeError):  # O_DIRECT is Linux's own.
        return False
    return True


def entries(store: ZarrStore) -> set[str]:
    """Names directly below the root of a Zarr store; empty where nothing exists."""

    async def collect() -> set[str]:
        return {name async for name in store.list_dir("")}

    try:
        return sync(collect())
    except FileNotFoundError:
        return set()
