"""Do items on Dask, whatever happens to workers, scheduler and storage.

Items are handed out in shares. A worker does items of its share for about ten seconds, and the rest is handed
out again. Tasks therefore end in time however long an item takes, and little is lost or left running when a
run ends. The marks that items leave say what is done, never Dask, which may run a share twice.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import distributed
from distributed.client import FuturesCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from mistworks.errors import MistworksError
from storage.fingerprint import fingerprint
from storage.places.location import Location
from tasks.cluster import (
    Limits,
    Warn,
    await_workers,
    connected,
    differs,
    no_workers,
    quiet,
    require_alike,
    threads,
)
from tasks.jobs import Job, Share
from tasks.ledger import Ledger
from tasks.marks import Marks
from tasks.worker import Outcome, Step, Terms, do_share

if TYPE_CHECKING:
    _Future = distributed.Future[Any]

__all__ = ["Report", "dispatch"]

Report = Callable[[float], None]

_POLL_SECONDS = 2.0
# With one share in progress and one queued, no worker waits for this process.
_SHARES_A_THREAD = 2
_LOSSES_WITHOUT_PROGRESS = 10


def dispatch(
    step: Step,
    jobs: Sequence[Job],
    address: str,
    places: Sequence[Location],
    limits: Limits,
    report: Report,
    warn: Warn,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Do what `tasks.on_dask.run_on_dask` does, without Prefect.

    Raises:
        MistworksError: as there.
    """
    run = _Run(step, jobs, address, limits, report, warn, is_cancelled)
    with quiet():
        with connected(address) as client:
            lost = run.serve(client, places)
        while lost:
            warn(f"Lost the Dask scheduler at {address}; waiting {limits.patience:g} s for it.")
            with connected(address, limits.patience) as client:
                run.recover()
                lost = run.serve(client, places)
    run.conclude()


class _SchedulerLostError(Exception):
    """The scheduler is gone, or has forgotten what was submitted."""


class _Run:
    """The progress of items through a cluster.

    Each item is in one place: in the ledger, in a share that a worker has, or done.
    """

    def __init__(
        self,
        step: Step,
        jobs: Sequence[Job],
        address: str,
        limits: Limits,
        report: Report,
        warn: Warn,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._step, self._address, self._limits = step, address, limits
        self._report, self._warn, self._is_cancelled = report, warn, is_cancelled
        self._terms = Terms(limits.share_seconds, fingerprint())
        self._ledger = Ledger(jobs, limits.patience)
        self._running: dict[_Future, Share] = {}
        self._marks = Marks()
        self._refused: dict[str, str] = {}
        self._threads: dict[str, int] = {}
        self._last_worker = time.monotonic()
        self._losses = 0
        self._begun = False

    def serve(self, client: distributed.Client, places: Sequence[Location]) -> bool:
        """Work until all items are done or failed; return whether the scheduler was lost before.

        Raises:
            MistworksError: the cluster cannot do the work, or the run was cancelled.
        """
        try:
            if self._begun:
                # Workers that differ now are left out, like workers that join later.
                await_workers(client, self._limits, self._warn)
            else:
                require_alike(client, self._step, places, self._limits, self._warn)
            self._begun = True
            self._last_worker = time.monotonic()
            self._report(self._done())
            while self._running or self._ledger.has_work:
                self._turn(client)
        except MistworksError:
            raise
        except (_SchedulerLostError, CommClosedError, FuturesCancelledError, OSError, TimeoutError) as error:
            self._count_loss(error)
            return True
        except Exception as error:
            # What Dask raises when it is used after its connection was lost.
            if client.status == "running":
                raise
            self._count_loss(error)
            return True
        return False

    def recover(self) -> None:
        """Requeue running items, except those whose marks say that they are done."""
        for share in self._running.values():
            share.queue.put_back(share.items)
        self._running.clear()
        self._refused.clear()
        self._ledger.forget_done()

    def conclude(self) -> None:
        """Raise if the work did not finish.

        Raises:
            MistworksError: not all items are done.
        """
        self._report(self._done())
        if failures := self._ledger.failures:
            more = f" (and {len(failures) - 1} more failed)" if len(failures) > 1 else ""
            raise MistworksError(f"{failures[0]}{more}")

    def _count_loss(self, error: Exception) -> None:
        self._losses += 1
        if self._losses > _LOSSES_WITHOUT_PROGRESS:
            raise MistworksError(
                f"Expected the Dask scheduler at {self._address} to stay, lost it {self._losses} times. See "
                "its log, then run again to resume."
            ) from error

    def _turn(self, client: distributed.Client) -> None:
        if self._is_cancelled():
            raise MistworksError("The run was cancelled. Run the same command again to resume.")
        self._look_for_workers(client)
        self._hand_out(client)
        for future in self._ended(client):
            self._take(client, future)
            future.release()
        self._marks.look(self._running)
        if complaint := self._marks.complaint():
            self._warn(complaint)
        self._report(self._done())

    def _look_for_workers(self, client: distributed.Client) -> None:
        if client.status != "running":
            raise _SchedulerLostError
        self._threads = {
            worker: count for worker, count in threads(client).items() if worker not in self._refused
        }
        for future, share in list(self._running.items()):
            if share.bound is not None and not share.bound & self._threads.keys():
                self._forget(future).queue.put_back(share.items)
                future.release()
        now = time.monotonic()
        if self._threads:
            self._last_worker = now
        elif now - self._last_worker > self._limits.workers_timeout:
            raise (
                MistworksError(next(iter(self._refused.values())))
                if self._refused
                else no_workers(self._address, self._limits)
            )

    def _hand_out(self, client: distributed.Client) -> None:
        if any(share.fragile for share in self._running.values()):
            return
        slots = _SHARES_A_THREAD * sum(self._threads.values())
        for _ in range(slots - len(self._running)):
            if (due := self._ledger.take_due()) is None:
                break
            self._submit(client, due)
        # While nothing succeeds, the shares waiting for a retry are enough to find out when that changes.
        held = len(self._ledger.delayed) if self._ledger.troubled else 0
        while len(self._running) + held < slots and (following := self._ledger.next_share(slots)):
            self._submit(client, following)
        # Alone: Dask blames everything that a worker had when it died.
        if slots and not self._running and (fragile := self._ledger.take_fragile()):
            self._submit(client, fragile)

    def _submit(self, client: distributed.Client, share: Share) -> None:
        others = frozenset(worker for worker in self._threads if worker != share.avoid)
        restricted = bool(others) and (bool(self._refused) or share.avoid in self._threads)
        future = client.submit(
            do_share,
            self._step,
            share.queue.job.subject,
            share.items,
            self._terms,
            key=f"{self._step.__name__}-{uuid.uuid4().hex}",
            workers=list(others) if restricted else None,
            # A worker that failed may be the only free one. A worker that differs is never useful.
            allow_other_workers=restricted and not self._refused,
        )
        self._running[future] = replace(share, bound=others if restricted and self._refused else None)

    def _ended(self, client: distributed.Client) -> "list[_Future]":
        if not self._running:
            starts = [share.start for share in self._ledger.delayed]
            soon = min(starts, default=time.monotonic() + _POLL_SECONDS) - time.monotonic()
            time.sleep(min(max(soon, 0.1), _POLL_SECONDS))
            return []
        with client.as_current(), suppress(TimeoutError):
            distributed.wait(list(self._running), _POLL_SECONDS, return_when="FIRST_COMPLETED")
        return [future for future in self._running if future.done()]

    def _forget(self, future: "_Future") -> Share:
        return self._running.pop(future)

    def _take(self, client: distributed.Client, future: "_Future") -> None:
        match future.status:
            case "finished":
                outcome = future.result()
                self._heed(self._forget(future), outcome)
            case "error":
                error = future.exception()
                if not isinstance(error, KilledWorker):
                    # A machine may have joined that lacks what the step needs: this names it.
                    require_alike(client, self._step, (), self._limits, self._warn)
                    raise error
                self._ledger.split(self._forget(future))
            case _:
                raise _SchedulerLostError

    def _heed(self, share: Share, outcome: Outcome) -> None:
        if outcome.done:
            self._losses = 0
        if outcome.differences:
            self._refuse(outcome)
        self._ledger.enter(share, outcome)

    def _refuse(self, outcome: Outcome) -> None:
        if outcome.address not in self._refused:
            who = f"Dask worker {outcome.address}"
            self._refused[outcome.address] = differs(who, outcome.host, outcome.differences)
            self._warn(f"The {who} on {outcome.host} is left out: {'; '.join(outcome.differences)}.")

    def _done(self) -> int:
        handed_out = sum(len(share.items) for share in self._running.values())
        return self._ledger.total - self._ledger.kept() - handed_out + self._marks.among(self._running)
