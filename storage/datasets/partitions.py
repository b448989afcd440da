"""Generate partitions of a store from its manifest alone."""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mistworks.dataset import Block
from mistworks.errors import MistworksError
from storage.datasets.store import Store
from storage.errors import ACCESS_ERRORS, access_error, cause_of, chain, from_object_store, reason
from storage.fingerprint import Fingerprint, require_same_code
from storage.places.lock import partition_lock

_LASTING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EFBIG,
    errno.EISDIR,
    errno.ENOTDIR,
}


class TransientPartitionError(MistworksError):
    """A partition could not be written for a reason that may pass. The message names the partition."""


def generate_partition(
    store: Store,
    number: int,
    expected: Fingerprint | None = None,
    then: Callable[[Block], None] = lambda block: None,
) -> None:
    """Generate one partition, write it and mark it done, unless it is done already.

    Args:
        store: the store to write to.
        number: number of the partition.
        expected: fingerprint of the run that asks for it; not checked if None.
        then: called with the partition after it is written and marked done.

    Raises:
        TransientPartitionError: writing failed for a reason that may pass.
        MistworksError: there is no room or no right to write (the message names the partition), or the
            running code is not the expected one (the message names this machine).
    """
    if expected is not None:
        require_same_code(expected)
    start, stop = store.manifest.bounds(number)
    with writing(f"partition {number} of the store {store.url}"), partition_lock(store.location, number):
        if store.is_done(number):
            return
        block = store.draw(start, stop)
        store.write(number, block)
    then(block)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn a failure to write into one message, of a type that says whether it may pass.

    Raises:
        TransientPartitionError: for a reason that may pass.
        StoreRefusedError: an object store refuses it.
        MistworksError: there is no room or no right to write.
    """
    try:
        yield
    except MistworksError:
        raise
    except (*ACCESS_ERRORS, RuntimeError) as error:
        if from_object_store(error):
            failure = access_error(f"write {what}", error, "")
            transient = cause_of(error) == "transient"
            raise (TransientPartitionError(str(failure)) if transient else failure) from error
        # The Zarr codecs wrap the operating system's errors, some in text only.
        failed = f"Expected to write {what} on {socket.gethostname()}, got: {reason(error)}."
        if any(_is_lasting(cause) for cause in chain(error)):
            raise MistworksError(
                f"{failed} Free space or correct the permissions there, then run again to resume."
            ) from error
        raise TransientPartitionError(f"{failed} Run again to resume.") from error


def _is_lasting(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _LASTING:
        return True
    return any(f"(os error {number})" in str(error) for number in _LASTING)


__all__ = ["TransientPartitionError", "generate_partition", "writing"]
