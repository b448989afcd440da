"""Items to be done on Dask: jobs, the queues of their items, and the shares that are handed out."""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.worker import Outcome

__all__ = ["Job", "Queue", "Share"]

_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 1.0, 30.0


@dataclass(frozen=True)
class Job:
    """Items of one subject for a step.

    Attributes:
        subject: what the step needs to know besides the items.
        items: their numbers.
        name: returns the name of an item in messages.
        missing: returns the numbers of the items that are not done, according to the marks that they left.
        is_done: whether an item is done; called often. None if only the workers' answers say so.
    """

    subject: Any
    items: Sequence[int]
    name: Callable[[int], str]
    missing: Callable[[], Collection[int]]
    is_done: Callable[[int], bool] | None = None


@dataclass(eq=False)
class Queue:
    """The items of a job that are waiting, and those that failed.

    Attributes:
        job: where the items come from.
        waiting: items to be handed out, ascending.
        failures: messages of failures.
        failed: items that are given up.
    """

    job: Job
    waiting: list[int]
    failures: list[str] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)

    def put_back(self, items: Sequence[int]) -> None:
        """Have items handed out again."""
        self.waiting = sorted({*self.waiting, *items})

    def take(self, parts: int) -> list[int]:
        """Return one of `parts` parts of about equal cost: positions 0, parts, 2 · parts, …"""
        taken = self.waiting[::parts]
        del self.waiting[::parts]
        return taken

    def fail(self, items: Sequence[int], message: str) -> None:
        """Give items up."""
        self.failed |= set(items)
        self.failures.append(message)

    def give_up(self) -> None:
        """Give up all waiting items."""
        self.failed |= set(self.waiting)
        self.waiting = []


@dataclass(frozen=True, eq=False)
class Share:
    """Items for one task.

    Attributes:
        queue: the queue they belong to.
        items: their numbers.
        failing_since: when the first item first failed for a reason that may pass; None if it did not.
        attempts: how often it has failed.
        start: time before which it is not handed out again.
        avoid: address of the worker where it failed last.
        fragile: whether it was in a share that killed workers.
        bound: the only workers that may take it; any if None.
    """

    queue: Queue
    items: list[int]
    failing_since: float | None = None
    attempts: int = 0
    start: float = 0.0
    avoid: str = ""
    fragile: bool = False
    bound: frozenset[str] | None = None

    def delayed(self, outcome: Outcome) -> "Share":
        """Return the same share, to be retried later on a worker other than the one that failed."""
        now = time.monotonic()
        longest = min(_FIRST_DELAY_SECONDS * 2**self.attempts, _LONGEST_DELAY_SECONDS)
        return replace(
            self,
            # Reading and writing may have retried for a long time before giving up.
            failing_since=now - outcome.seconds if self.failing_since is None else self.failing_since,
            attempts=self.attempts + 1,
            start=now + longest * random.uniform(0.5, 1.0),
            avoid=outcome.address,
        )

    def failing_for(self) -> float:
        """Seconds since the first failure of the item."""
        return 0.0 if self.failing_since is None else time.monotonic() - self.failing_since
