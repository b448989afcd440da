"""Files that are either whole or absent, whenever the power fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mistworks.errors import MistworksError


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, rename: a reader sees the old file or the new one, whole.

    Raises:
        MistworksError: there is no room or no right to write.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            # A part of a file would keep the room that others need.
            temporary.unlink(missing_ok=True)
            raise
        flush_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file or folder could not be written: the operating system does not when the disk is full.

    Raises:
        MistworksError: writing failed.
    """
    try:
        yield
    except OSError as error:
        raise MistworksError(
            f"{path} could not be written ({error.strerror or error}). "
            "Free space or mend permissions there, then run again."
        ) from error


def flush_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk, so that a rename in it lasts."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
