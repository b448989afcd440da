"""What runs on Dask's workers: one share of a step at a time, and the look at a machine before that.

Workers import this module and those of the steps, and neither Prefect nor its settings.
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

# Among the logs of the worker, which a local cluster keeps off the screen.
_log = logging.getLogger("distributed.worker.mistworks")

_PASSING = (TransientPartitionError, StoreUnreachableError, ConnectionError, TimeoutError)


@dataclass(frozen=True)
class Terms:
    """What holds for every share of a run.

    Attributes:
        seconds: time after which no further item is begun.
        expected: what the machine must be, since equal bytes are asked of all.
    """

    seconds: float
    expected: Fingerprint


Step = Callable[[Any, Sequence[int], Terms], Iterator[int]]
"""Does the items of a subject in order, and yields how many each time some are done. It may be left then."""


@dataclass(frozen=True)
class Failure:
    """Why an item could not be done.

    Attributes:
        message: one sentence if it is an error that users can mend, else the exception.
        known: whether it is such an error.
        passing: whether the next minute may cure it.
        common: whether every item will fail so: an object store refuses what is asked.
    """

    message: str
    known: bool
    passing: bool
    common: bool

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Describe an exception, which itself may not survive the way to another process."""
        known = isinstance(error, MistworksError)
        refused = isinstance(error, StoreRefusedError)
        return cls(str(error) if known else repr(error), known, may_pass(error), refused)


@dataclass(frozen=True)
class Outcome:
    """What became of a share.

    Attributes:
        host: name of the machine.
        address: of the worker.
        done: items that were done: the first of the share.
        failure: why the next was not; None if time was up, or the worker was told to stop.
        seconds: how long that one was tried.
        differences: in what the machine is not as expected; nothing was done if there are any.
    """

    host: str
    address: str
    done: int = 0
    failure: Failure | None = None
    seconds: float = 0.0
    differences: tuple[str, ...] = ()


class Description(TypedDict):
    """What a machine says of itself: plain values, which another version of this package can read."""

    versions: dict[str, str]
    unseen: list[str]


def may_pass(error: BaseException | None) -> bool:
    """Whether something failed for a reason that the next minute may cure; a wrong input stays wrong."""
    return isinstance(error, _PASSING)


def do_share(step: Step, subject: Any, items: Sequence[int], terms: Terms) -> Outcome:
    """Do the first items of a share, as many as the time allows and at least one.

    A share that Dask has taken back, because its run was cancelled or is gone, ends before its next item.
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
    """Say what this machine is, once it has imported the module of a step.

    Args:
        module: its name.
        probes: what some files hold, by path; those that do not hold it here are unseen.

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
    """Whether nobody waits for the task of this thread any more."""
    worker = distributed.get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return worker.status != distributed.Status.running or task is None or task.state != "executing"
