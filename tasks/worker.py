"""What runs on Dask workers: one share of a step at a time, and the check of the machine before that.

Workers import this module and those of the steps, but neither Prefect nor its settings.
"""

import importlib
import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import distributed

from mistworks.errors import MistworksError
from storage.datasets.partitions import TransientPartitionError
from storage.errors import StoreRefusedError, StoreUnreachableError
from storage.fingerprint import Fingerprint, fingerprint

# In the log of the worker, which a local cluster keeps off the screen.
_log = logging.getLogger("distributed.worker.mistworks")

_PASSING = (TransientPartitionError, StoreUnreachableError, ConnectionError, TimeoutError)


@dataclass(frozen=True)
class Terms:
    """Settings for every share of a run.

    Attributes:
        seconds: time after which no further item is begun.
        expected: the fingerprint that the machine must have, since all must make equal bytes.
    """

    seconds: float
    expected: Fingerprint


Step = Callable[[Any, Sequence[int], Terms], Iterator[int]]
"""Do the items of a subject in order, and yield the number done after each batch. It may be stopped there."""


@dataclass(frozen=True)
class Failure:
    """Why an item failed.

    Attributes:
        message: the message of an error that users can correct, else the exception.
        known: whether users can correct it.
        passing: whether it may pass within a minute.
        common: whether every item will fail in this way, because an object store refuses.
    """

    message: str
    known: bool
    passing: bool
    common: bool

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Describe an exception, which may itself not survive the transfer to another process."""
        known = isinstance(error, MistworksError)
        refused = isinstance(error, StoreRefusedError)
        return cls(str(error) if known else repr(error), known, may_pass(error), refused)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a share.

    Attributes:
        host: name of the machine.
        address: of the worker.
        done: number of items done, from the first of the share.
        failure: why the next item failed; None if time was up, or the worker had to stop.
        seconds: time spent on that item.
        differences: how the machine differs from what was expected; if it differs, nothing was done.
    """

    host: str
    address: str
    done: int = 0
    failure: Failure | None = None
    seconds: float = 0.0
    differences: tuple[str, ...] = ()


class Description(TypedDict):
    """A machine's description of itself: plain values that another version of this package can read."""

    versions: dict[str, str]
    unseen: list[str]


def may_pass(error: BaseException | None) -> bool:
    """Whether a failure may pass within a minute. A wrong input stays wrong."""
    return isinstance(error, _PASSING)


def do_share(step: Step, subject: Any, items: Sequence[int], terms: Terms) -> Outcome:
    """Do the first items of a share, until the time is up but at least one.

    A share that Dask has released, because its run was cancelled or is gone, ends before its next item.
    """
    started, done = time.monotonic(), 0
    begun = started
    host, address = socket.gethostname(), distributed.get_worker().address
    if differences := terms.expected.differences(fingerprint()):
        return Outcome(host, address, differences=tuple(differences))
    try:
        for count in step(subject, items, terms):
            done, begun = done + count, time.monotonic()
            if begun - started >= terms.seconds or _is_taken_back():
                break
    except Exception as error:
        _log.warning("%s failed", step.__name__, exc_info=True)
        return Outcome(host, address, done, Failure.of(error), time.monotonic() - begun)
    return Outcome(host, address, done)


def describe(module: str, probes: Mapping[str, str]) -> Description:
    """Describe this machine after importing the module of a step.

    Args:
        module: name of the module.
        probes: expected content of some files, by path. Files with other content count as not seen.

    Raises:
        ImportError: the module, or what it needs, is not installed here.
    """
    importlib.import_module(module)
    unseen = [path for path, text in probes.items() if _content(Path(path)) != text]
    return {"versions": fingerprint().model_dump(), "unseen": unseen}


def _content(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _is_taken_back() -> bool:
    """Whether the result of this thread's task is no longer wanted."""
    worker = distributed.get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return worker.status != distributed.Status.running or task is None or task.state != "executing"


__all__ = ["Description", "Failure", "Outcome", "Step", "Terms", "describe", "do_share", "may_pass"]
