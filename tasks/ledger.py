"""The ledger of a run: where every item is, and what happens to items that fail."""

import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from storage.errors import StoreUnreachableError
from tasks.jobs import Job, Queue, Share
from tasks.worker import Outcome

__all__ = ["Ledger"]

# If this many items of one job fail, the cause is something that they have in common.
_FAILURES_OF_A_JOB = 3


class Ledger:
    """The items of a run that no worker has: in queues, waiting for a retry, or failed.

    Attributes:
        delayed: shares to be tried again later.
        troubled: whether nothing has succeeded since the last failure that may pass.
        total: number of items, wherever they are.
    """

    def __init__(self, jobs: Sequence[Job], patience: float) -> None:
        self._queues = deque(Queue(job, sorted(set(job.items))) for job in jobs)
        self._patience = patience
        self.delayed: list[Share] = []
        self.troubled = False
        self.total = sum(len(queue.waiting) for queue in self._queues)

    @property
    def has_work(self) -> bool:
        """Whether items are left to be handed out, now or later."""
        return bool(self.delayed) or any(queue.waiting for queue in self._queues)

    @property
    def failures(self) -> list[str]:
        """Messages of all failures."""
        return [message for queue in self._queues for message in queue.failures]

    def kept(self) -> int:
        """Number of items that wait or have failed."""
        waiting = sum(len(queue.waiting) + len(queue.failed) for queue in self._queues)
        return waiting + sum(len(share.items) for share in self.delayed)

    def next_share(self, slots: int) -> Share | None:
        """Take a fixed part of what is left of a job, so that few shares end at the same time.

        This is guided self-scheduling (Polychronopoulos and Kuck, 1987) with half their share, since shares
        of equal size do not take equal time.
        """
        for _ in range(len(self._queues)):
            self._queues.rotate(-1)
            if self._queues[-1].waiting:
                return Share(self._queues[-1], self._queues[-1].take(slots))
        return None

    def take_due(self) -> Share | None:
        """Take a share whose retry is due, unless it killed workers."""
        now = time.monotonic()
        return self._take([share for share in self.delayed if share.start <= now and not share.fragile])

    def take_fragile(self) -> Share | None:
        """Take an item that may have killed workers."""
        return self._take([share for share in self.delayed if share.fragile])

    def _take(self, candidates: list[Share]) -> Share | None:
        if not candidates:
            return None
        self.delayed.remove(candidates[0])
        return candidates[0]

    def forget_done(self) -> None:
        """Drop what is done by now from the queues. Workers skip it anyway: this is for progress only."""
        with suppress(StoreUnreachableError):
            for queue in self._queues:
                missing = set(queue.job.missing())
                queue.waiting = [item for item in queue.waiting if item in missing]

    def split(self, share: Share) -> None:
        """Do the items of a share that killed its workers one by one, to find the culprit."""
        if not share.fragile:
            self.delayed += [Share(share.queue, [item], fragile=True) for item in share.items]
            return
        name = share.queue.job.name(share.items[0])
        self._fail(share, f"Expected {name} to finish, got workers that died of it. See their logs.")

    def enter(self, share: Share, outcome: Outcome) -> None:
        """Record the outcome of a share: items that are not done wait again, or have failed."""
        rest = share.items[outcome.done :]
        if outcome.done:
            self.troubled = False
        if outcome.failure is None:
            share.queue.put_back(rest)
            return
        share.queue.put_back(rest[1:])
        failed = replace(share, items=rest[:1])
        if outcome.done:
            # The failed item is not the one that failed before.
            failed = Share(share.queue, rest[:1])
        message = _message(failed, outcome)
        if not outcome.failure.passing:
            self._fail(failed, message)
            if outcome.failure.common:
                self._give_up_all()
            return
        self.troubled = self.troubled or not outcome.done
        failed = failed.delayed(outcome)
        if failed.failing_for() < self._patience:
            self.delayed.append(failed)
            return
        self._fail(failed, message)
        if self.troubled:
            # Nothing has succeeded since.
            self._give_up_all()

    def _fail(self, share: Share, message: str) -> None:
        share.queue.fail(share.items, message)
        if len(share.queue.failures) >= _FAILURES_OF_A_JOB:
            self._give_up(share.queue)

    def _give_up(self, queue: Queue) -> None:
        queue.give_up()
        queue.failed |= {item for share in self.delayed if share.queue is queue for item in share.items}
        self.delayed = [share for share in self.delayed if share.queue is not queue]

    def _give_up_all(self) -> None:
        for queue in self._queues:
            self._give_up(queue)


def _message(share: Share, outcome: Outcome) -> str:
    """Return the message of a failure, with the name of another machine."""
    assert outcome.failure is not None
    where = "" if outcome.host == socket.gethostname() else f" on {outcome.host}"
    if outcome.failure.known:
        return f"{outcome.failure.message}{where and f' (the worker {outcome.address}{where})'}"
    name = share.queue.job.name(share.items[0])
    return f"Expected {name} to finish{where}, got: {outcome.failure.message}. Run again to resume."
