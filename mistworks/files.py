"""Write files that are either complete or absent, even after a power failure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mistworks.errors import MistworksError


def write_whole(path: Path, content: bytes) -> None:
    """Write a temporary file, flush it to disk, and rename it: a reader sees the old file or the new one.

    Raises:
        MistworksError: there is no room or no permission to write.
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
            # An incomplete file would occupy the room that others need.
            temporary.unlink(missing_ok=True)
            raise
        flush_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file or folder that could not be written: the operating system does not if the disk is full.

    Raises:
        MistworksError: writing failed.
    """
    try:
        yield
    except OSError as error:
        raise MistworksError(
            f"Expected to write {path}, got: {error.strerror or error}. Free space or correct permissions "
            "there, then run again."
        ) from error


def flush_folder(folder: Path) -> None:
    """Flush the entries of a folder to disk, so that a rename in it is durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["flush_folder", "naming", "write_whole"]
