"""The step of a flow that has items done on Dask, whatever happens to workers, scheduler and storage.

Items are handed out in shares. A worker does items of its share for about ten seconds; the rest is handed out
again, so that tasks end in time whatever an item takes, and little is lost or left running when a run ends.
What is done is told by the marks that items leave behind, never by Dask, which may run a share twice.
"""

import contextvars
import random
import socket
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import distributed
from distributed.client import FuturesCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.utilities.annotations import quote

from mistworks.errors import MistworksError
from storage.errors import StoreUnreachableError
from storage.fingerprint import fingerprint
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
from tasks.worker import Outcome, Step, Terms, do_share

if TYPE_CHECKING:
    _Future = distributed.Future[Any]

Report = Callable[[float], None]

_POLL_SECONDS = 2.0
_CANCELLATION_POLL_SECONDS = 5.0
# With one share in hand and one to come, no worker waits for this process.
_SHARES_A_THREAD = 2
_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 1.0, 30.0
# So many items of one job do not fail by themselves: what they have in common is at fault.
_FAILURES_OF_A_JOB = 3
_LOSSES_WITHOUT_PROGRESS = 10


@dataclass(frozen=True)
class Job:
    """Items of one subject, to be done by a step.

    Attributes:
        subject: what the step needs to know beside the items.
        items: their numbers.
        name: how a message calls an item.
        missing: numbers of the subject's items that are not done, by what they left behind.
        is_done: whether an item is done, asked often; None if only the workers' answers tell.
    """

    subject: Any
    items: Sequence[int]
    name: Callable[[int], str]
    missing: Callable[[], Collection[int]]
    is_done: Callable[[int], bool] | None = None


def run_on_dask(
    step: Step, jobs: Sequence[Job], title: str, address: str, report: Report, places: Sequence[str] = ()
) -> None:
    """Have all items done on Dask, in a task of the flow that calls this.

    Args:
        step: what to do with items.
        jobs: the items.
        title: name of the task run.
        address: of the Dask scheduler.
        report: told how many items are done.
        places: paths and URLs that the workers read or write.

    Raises:
        MistworksError: the cluster cannot do it; or some items could not be done, once the others are.
    """
    _run_on_dask(step, quote(jobs), title, address, report, quote(places), Limits.from_environment())


def check_cluster(step: Step, address: str, places: Sequence[str] = ()) -> None:
    """Refuse a cluster that cannot do a step, or not just as this machine would: see `require_alike`.

    Raises:
        MistworksError: as there; or the scheduler does not answer.
    """
    with quiet(), connected(address) as client:
        require_alike(client, step, places, Limits.from_environment(), _warn)


@task(name="dask", task_run_name="{title}", persist_result=False, cache_policy=NO_CACHE)
def _run_on_dask(
    step: Step,
    jobs: Sequence[Job],
    title: str,
    address: str,
    report: Report,
    places: Sequence[str],
    limits: Limits,
) -> None:
    with _cancellation() as is_cancelled:
        dispatch(step, jobs, address, places, limits, report, _warn, is_cancelled)


def dispatch(
    step: Step,
    jobs: Sequence[Job],
    address: str,
    places: Sequence[str],
    limits: Limits,
    report: Report,
    warn: Warn,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """What `run_on_dask` does, without Prefect.

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


@dataclass(eq=False)
class _Queue:
    """The items of a job that are to be handed out, and what happened to others."""

    job: Job
    waiting: list[int]
    failures: list[str] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)

    def put_back(self, items: Sequence[int]) -> None:
        self.waiting = sorted({*self.waiting, *items})

    def take(self, parts: int) -> list[int]:
        """One of so many parts of about equal cost: positions 0, parts, 2 · parts, …"""
        taken = self.waiting[::parts]
        del self.waiting[::parts]
        return taken

    def fail(self, items: Sequence[int], told: str) -> None:
        self.failed |= set(items)
        self.failures.append(told)

    def give_up(self) -> None:
        self.failed |= set(self.waiting)
        self.waiting = []


@dataclass(frozen=True, eq=False)
class _Share:
    """Items for one task.

    Attributes:
        queue: where they come from.
        items: their numbers.
        failing_since: when the first of them failed first for a reason that may pass; None if it did not.
        attempts: how often it has.
        start: time before which it is not handed out again.
        avoid: address of the worker where it failed last.
        fragile: whether it was in a share that killed workers.
        bound: the only workers that may take it; any if None.
    """

    queue: _Queue
    items: list[int]
    failing_since: float | None = None
    attempts: int = 0
    start: float = 0.0
    avoid: str = ""
    fragile: bool = False
    bound: frozenset[str] | None = None

    def delayed(self, outcome: Outcome) -> "_Share":
        """The same, to be tried again some time later on another worker than that which failed."""
        now = time.monotonic()
        longest = min(_FIRST_DELAY_SECONDS * 2**self.attempts, _LONGEST_DELAY_SECONDS)
        return replace(
            self,
            # What reads and writes may have tried for long before it gave up.
            failing_since=now - outcome.seconds if self.failing_since is None else self.failing_since,
            attempts=self.attempts + 1,
            start=now + longest * random.uniform(0.5, 1.0),
            avoid=outcome.address,
        )

    def failing_for(self) -> float:
        """Seconds since the item failed first."""
        return 0.0 if self.failing_since is None else time.monotonic() - self.failing_since


class _SchedulerLostError(Exception):
    """The scheduler is gone, or has forgotten what was submitted."""


class _Run:
    """Items on their way through a cluster.

    Each item is in one place: a queue, a share that waits to be tried again, a share that a worker has, done
    or failed.
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
        self._queues = deque(_Queue(job, sorted(set(job.items))) for job in jobs)
        self._total = sum(len(queue.waiting) for queue in self._queues)
        self._delayed: list[_Share] = []
        self._running: dict[_Future, _Share] = {}
        self._marks = _Marks()
        self._refused: dict[str, str] = {}
        self._threads: dict[str, int] = {}
        self._last_worker = time.monotonic()
        self._troubled = False
        self._losses = 0
        self._begun = False

    def serve(self, client: distributed.Client, places: Sequence[str]) -> bool:
        """Work until all items are done or failed; return whether the scheduler was lost before.

        Raises:
            MistworksError: the cluster cannot do the work, or the run was cancelled.
        """
        try:
            if self._begun:
                # Whoever differs now is left out, like others that come while work goes on.
                await_workers(client, self._limits, self._warn)
            else:
                require_alike(client, self._step, places, self._limits, self._warn)
            self._begun = True
            self._last_worker = time.monotonic()
            self._report(self._done())
            while self._running or self._delayed or any(queue.waiting for queue in self._queues):
                self._turn(client)
        except MistworksError:
            raise
        except (_SchedulerLostError, CommClosedError, FuturesCancelledError, OSError, TimeoutError) as error:
            self._count_loss(error)
            return True
        except Exception as error:
            # What Dask raises when it is used after its connection has gone.
            if client.status == "running":
                raise
            self._count_loss(error)
            return True
        return False

    def recover(self) -> None:
        """Put what was running back, without what its marks tell is done."""
        for share in self._running.values():
            share.queue.put_back(share.items)
        self._running.clear()
        self._refused.clear()
        # Workers leave alone what is done, so that this is for progress only.
        with suppress(StoreUnreachableError):
            for queue in self._queues:
                missing = set(queue.job.missing())
                queue.waiting = [item for item in queue.waiting if item in missing]

    def conclude(self) -> None:
        """Tell how the work ended.

        Raises:
            MistworksError: not all items are done.
        """
        self._report(self._done())
        failures = [told for queue in self._queues for told in queue.failures]
        if failures:
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
        self._marks.look(dict(self._running))
        if told := self._marks.complaint():
            self._warn(told)
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
        now = time.monotonic()
        due = [share for share in self._delayed if share.start <= now and not share.fragile]
        for share in due[: max(slots - len(self._running), 0)]:
            self._delayed.remove(share)
            self._submit(client, share)
        # While nothing succeeds, what waits to be tried again is enough to find out when it does.
        held = len(self._delayed) if self._troubled else 0
        while len(self._running) + held < slots and (following := self._next_share(slots)):
            self._submit(client, following)
        fragile = [share for share in self._delayed if share.fragile]
        if fragile and slots and not self._running:
            # Alone: Dask blames whatever a worker had when it died.
            self._delayed.remove(fragile[0])
            self._submit(client, fragile[0])

    def _next_share(self, slots: int) -> _Share | None:
        """A fixed part of what is left of a job, so that few shares end at about one time.

        This is guided self-scheduling (Polychronopoulos and Kuck, 1987) with half their share, since shares
        of equal size do not take equal time.
        """
        for _ in range(len(self._queues)):
            self._queues.rotate(-1)
            if self._queues[-1].waiting:
                return _Share(self._queues[-1], self._queues[-1].take(slots))
        return None

    def _submit(self, client: distributed.Client, share: _Share) -> None:
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
            # A worker that failed may be the only one free; one that differs is of no use at any time.
            allow_other_workers=restricted and not self._refused,
        )
        self._running[future] = replace(share, bound=others if restricted and self._refused else None)

    def _ended(self, client: distributed.Client) -> "list[_Future]":
        if not self._running:
            starts = [share.start for share in self._delayed]
            soon = min(starts, default=time.monotonic() + _POLL_SECONDS) - time.monotonic()
            time.sleep(min(max(soon, 0.1), _POLL_SECONDS))
            return []
        with client.as_current(), suppress(TimeoutError):
            distributed.wait(list(self._running), _POLL_SECONDS, return_when="FIRST_COMPLETED")
        return [future for future in self._running if future.done()]

    def _forget(self, future: "_Future") -> _Share:
        return self._running.pop(future)

    def _take(self, client: distributed.Client, future: "_Future") -> None:
        match future.status:
            case "finished":
                outcome = future.result()
                self._heed(self._forget(future), outcome)
            case "error":
                error = future.exception()
                if not isinstance(error, KilledWorker):
                    # Perhaps a machine came in that lacks what the step needs: this names it.
                    require_alike(client, self._step, (), self._limits, self._warn)
                    raise error
                self._split(self._forget(future))
            case _:
                raise _SchedulerLostError

    def _split(self, share: _Share) -> None:
        """Have the items of a share that killed its workers done one by one, to find which does."""
        if not share.fragile:
            self._delayed += [_Share(share.queue, [item], fragile=True) for item in share.items]
            return
        named = share.queue.job.name(share.items[0])
        self._fail(
            share.queue,
            share.items,
            f"Expected {named} to be done, got workers that died of it. See their logs.",
        )

    def _heed(self, share: _Share, outcome: Outcome) -> None:
        rest = share.items[outcome.done :]
        if outcome.done:
            self._troubled, self._losses = False, 0
        if outcome.differences:
            self._refuse(outcome)
        if outcome.failure is None:
            share.queue.put_back(rest)
            return
        share.queue.put_back(rest[1:])
        failed = replace(share, items=rest[:1])
        if outcome.done:
            # The one that failed is another than that which failed before.
            failed = _Share(share.queue, rest[:1])
        told = _told(failed, outcome)
        if not outcome.failure.passing:
            self._fail(failed.queue, failed.items, told)
            if outcome.failure.common:
                self._give_up_all()
            return
        self._troubled = self._troubled or not outcome.done
        failed = failed.delayed(outcome)
        if failed.failing_for() < self._limits.patience:
            self._delayed.append(failed)
            return
        self._fail(failed.queue, failed.items, told)
        if self._troubled:
            # Nothing has succeeded since.
            self._give_up_all()

    def _refuse(self, outcome: Outcome) -> None:
        if outcome.address not in self._refused:
            who = f"Dask worker {outcome.address}"
            self._refused[outcome.address] = differs(who, outcome.host, outcome.differences)
            self._warn(f"The {who} on {outcome.host} is left out: {'; '.join(outcome.differences)}.")

    def _fail(self, queue: _Queue, items: Sequence[int], told: str) -> None:
        queue.fail(items, told)
        if len(queue.failures) >= _FAILURES_OF_A_JOB:
            self._give_up(queue)

    def _give_up(self, queue: _Queue) -> None:
        queue.give_up()
        queue.failed |= {item for share in self._delayed if share.queue is queue for item in share.items}
        self._delayed = [share for share in self._delayed if share.queue is not queue]

    def _give_up_all(self) -> None:
        for queue in self._queues:
            self._give_up(queue)

    def _done(self) -> int:
        waiting = sum(len(queue.waiting) + len(queue.failed) for queue in self._queues)
        handed_out = sum(len(share.items) for share in (*self._delayed, *self._running.values()))
        return self._total - waiting - handed_out + self._marks.among(self._running)


class _Marks:
    """Counts what is done of shares that workers have, which do their items in order.

    In a thread, since a place that does not answer is asked for minutes before that is an error.
    """

    def __init__(self) -> None:
        self._counts: dict[_Future, int] = {}
        self._errors: list[Exception] = []
        self._thread: threading.Thread | None = None
        self._complained = False

    def look(self, shares: "dict[_Future, _Share]") -> None:
        """Have the marks of some shares read, unless the last look is still going on."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._read, args=(shares,), daemon=True)
            self._thread.start()

    def among(self, running: "Collection[_Future]") -> int:
        """Items that were seen to be done of shares that still run."""
        return sum(self._counts.get(future, 0) for future in running)

    def complaint(self) -> str | None:
        """Why marks could not be read, once: work goes on, and where it fails, it says so itself."""
        if self._complained or not self._errors:
            return None
        self._complained = True
        return f"Progress cannot be read at the moment ({self._errors[0]})."

    def _read(self, shares: "dict[_Future, _Share]") -> None:
        counts = {future: self._counts.get(future, 0) for future in shares}
        try:
            for future, share in shares.items():
                if (is_done := share.queue.job.is_done) is not None:
                    while counts[future] < len(share.items) and is_done(share.items[counts[future]]):
                        counts[future] += 1
        except (MistworksError, OSError) as error:
            self._errors.append(error)
        self._counts = counts


def _told(share: _Share, outcome: Outcome) -> str:
    """The message of a failure, with the machine where that is another."""
    assert outcome.failure is not None
    where = "" if outcome.host == socket.gethostname() else f" on {outcome.host}"
    if outcome.failure.known:
        return f"{outcome.failure.message}{where and f' (the worker {outcome.address}{where})'}"
    named = share.queue.job.name(share.items[0])
    return f"{named} failed{where} ({outcome.failure.message}); run again to resume"


def _warn(text: str) -> None:
    """Tell on the screen, whatever logging is set to, and in the log of the run."""
    sys.stderr.write(f"warning: {text}\n")
    with suppress(MissingContextError):
        get_run_logger().warning(text)


@contextmanager
def _cancellation() -> Iterator[Callable[[], bool]]:
    """Whether this flow run, or the one that it is a part of, was cancelled in Prefect.

    A run that no Prefect worker started is not told by a signal.
    """
    cancelled, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(_CANCELLATION_POLL_SECONDS):
            # A server that is away for some time does not end a run.
            with suppress(Exception):
                if _is_cancelled():
                    cancelled.set()
                    return

    context = contextvars.copy_context()
    threading.Thread(target=lambda: context.run(watch), daemon=True).start()
    try:
        yield cancelled.is_set
    finally:
        ended.set()


def _is_cancelled() -> bool:
    identifiers = {UUID(text) for text in (flow_run.id, flow_run.root_flow_run_id) if text}
    with get_client(sync_client=True) as client:
        states = [client.read_flow_run(identifier).state for identifier in identifiers]
    return any(state is not None and (state.is_cancelling() or state.is_cancelled()) for state in states)
