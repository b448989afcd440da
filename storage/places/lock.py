"""Locks that admit one writer at a time. The kernel releases them however their holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mistworks.errors import MistworksError
from storage.places.location import Location

LOCK_NAME = ".lock"
PARTITION_LOCKS_NAME = ".partition-locks"
# Partitions that share a lock sometimes wait for each other; one lock per partition would litter the store.
_PARTITION_LOCKS = 64


@contextmanager
def exclusive(place: Location, what: str = "store") -> Iterator[None]:
    """Hold the exclusive right to write to a local directory, which is created if needed.

    Object stores have no such lock and need none: all writers of one manifest write the same bytes, each
    object is replaced atomically, and a partition is marked done last.

    Args:
        place: the directory.
        what: what it holds, for the messages.

    Raises:
        MistworksError: another process holds the lock, or the path cannot be written.
    """
    if place.path is None:
        yield
        return
    try:
        descriptor = _open(place.path / LOCK_NAME)
    except OSError as error:
        raise MistworksError(
            f"Expected to write the {what} {place}, got: {error.strerror}. Choose a writable place."
        ) from None
    try:
        _take(descriptor, place, what)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def partition_lock(place: Location, number: int) -> Iterator[None]:
    """Wait until no other worker writes a partition of a local store, then lock it.

    One run at a time does not mean one worker per partition: Dask may take a slow worker for dead, and
    workers of an existing scheduler may outlive a run that was killed.

    Raises:
        OSError: the store cannot be written.
    """
    if place.path is None:
        yield
        return
    descriptor = _open(place.path / PARTITION_LOCKS_NAME / str(number % _PARTITION_LOCKS))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _take(descriptor: int, place: Location, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "unknown"
        raise MistworksError(
            f"Expected no other run to write the {what} {place}, got process {holder}. Wait for it to end, "
            "then run again."
        ) from None
    # Only for the message, and not possible on a full disk.
    with suppress(OSError):
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)


__all__ = ["LOCK_NAME", "PARTITION_LOCKS_NAME", "exclusive", "partition_lock"]
