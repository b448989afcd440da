"""Folders at a path or URL that are used like local ones: checkpoints and estimators.

A JSON file names the files that belong to it by their hashes. It is uploaded after them, so that the content
of a URL is consistent at every instant.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import obstore
from obstore.store import ObjectStore

from storage.errors import ACCESS_ERRORS, access_error
from storage.places.location import Location, patiently

_Stamp = tuple[int, int]


class WorkingFolder:
    """A local folder and the place where it is kept. Created by `working_folder`.

    Attributes:
        place: where it is kept.
        path: the local folder: the place itself, or a copy of the content of the URL.
    """

    def __init__(self, place: Location, path: Path, files: ObjectStore | None) -> None:
        self.place = place
        self.path = path
        self._files = files
        self._sent: dict[str, _Stamp] = {}
        self._gone: list[str] = []

    def fetch(self) -> None:
        """Download the content of the URL into the local folder. Does nothing for a local place.

        Raises:
            StoreUnreachableError: the object store does not answer, or a file was removed in the meantime.
            StoreRefusedError: the object store refuses.
        """
        if self._files is None:
            return
        files = self._files
        with _naming(self.place, "read"):
            for entry in patiently(lambda: obstore.list(files).collect()):
                target = self.path / PurePosixPath(entry["path"])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(bytes(obstore.get(files, entry["path"]).bytes()))
        self._sent = self._stamps()

    def save(self) -> None:
        """Upload what has changed. Does nothing for a local place.

        A file that was deleted here is removed one save later: another run of the same training may still
        refer to it.

        Raises:
            StoreUnreachableError: the object store does not answer.
            StoreRefusedError: the object store refuses.
        """
        if self._files is None:
            return
        present = self._stamps()
        changed = [name for name, stamp in present.items() if self._sent.get(name) != stamp]
        with _naming(self.place, "write"):
            for name in sorted(changed, key=lambda name: (name.endswith(".json"), name)):
                obstore.put(self._files, name, self.path / name)
            for name in self._gone:
                obstore.delete(self._files, name)
        self._gone = [name for name in self._sent if name not in present]
        self._sent = present

    def _stamps(self) -> dict[str, _Stamp]:
        """Size and modification time of each file, except unfinished ones, whose names begin with a dot."""
        stamps = {}
        for path in self.path.rglob("*"):
            name = path.relative_to(self.path)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                status = path.stat()
                stamps[name.as_posix()] = (status.st_size, status.st_mtime_ns)
        return stamps


@contextmanager
def _naming(place: Location, how: str) -> Iterator[None]:
    try:
        yield
    except ACCESS_ERRORS as error:
        raise access_error(f"{how} the folder {place}", error, "Free space here.") from error


@contextmanager
def working_folder(place: Location) -> Iterator[WorkingFolder]:
    """Open a folder to work in, with its present content. `WorkingFolder.save` keeps changes.

    Args:
        place: the folder, which need not exist.

    Raises:
        MistworksError: the place cannot be read.
    """
    if place.path is not None:
        yield WorkingFolder(place, place.path, None)
        return
    with tempfile.TemporaryDirectory(prefix="mistworks-") as scratch:
        folder = WorkingFolder(place, Path(scratch), place.object_store())
        folder.fetch()
        yield folder


@contextmanager
def fetch_folder(place: Location) -> Iterator[Path]:
    """Provide a local, read-only copy of a folder.

    Raises:
        MistworksError: the place cannot be read.
    """
    with working_folder(place) as folder:
        yield folder.path


__all__ = ["WorkingFolder", "fetch_folder", "working_folder"]
