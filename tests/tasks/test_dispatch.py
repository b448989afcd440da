"""What becomes of work on Dask when workers, scheduler, storage or the run itself go away: real processes."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dask
import pytest

from mistworks.errors import MistworksError
from storage.errors import StoreUnreachableError
from storage.places.location import Location
from tasks.cluster import Limits, require_encryption
from tasks.dispatch import dispatch
from tasks.jobs import Job
from tasks.on_dask import check_cluster
from tests.failures.observations import Observe
from tests.support.commands import WAIT_SECONDS, until
from tests.support.dask_processes import REPOSITORY, Cluster, copy_with_a_change
from tests.support.dask_steps import Subject, leave_files

QUICK = Limits(workers_timeout=60, patience=60, share_seconds=0.3)


def accepts(address: str) -> bool:
    """Whether a scheduler has come so far that it can be connected to."""
    place = urlsplit(address)
    assert place.hostname is not None
    assert place.port is not None
    try:
        socket.create_connection((place.hostname, place.port), 5).close()
    except OSError:
        return False
    return True


class Running:
    """A run in a thread, whose error is raised to who waits for something that it does."""

    def __init__(self, run: Callable[[], None]) -> None:
        pool = ThreadPoolExecutor(1)
        self._future: Future[None] = pool.submit(run)
        pool.shutdown(wait=False)

    def until(self, condition: Callable[[], Any]) -> None:
        until(lambda: condition() or self._future.done())
        if not condition():
            self._future.result()
            raise AssertionError("the run has ended before")

    def end(self) -> None:
        self._future.result(WAIT_SECONDS)


class Work:
    """Items in a folder, and what a run of them said."""

    def __init__(self, folder: Path, count: int, **subject: object) -> None:
        folder.mkdir(exist_ok=True)
        self.subject = Subject(str(folder), **subject)
        self.items = list(range(count))
        self.reports: list[float] = []
        self.warnings: list[str] = []
        self.is_done: Callable[[int], bool] = self.subject.is_done
        self.cancelled = threading.Event()

    def run(self, address: str, limits: Limits = QUICK, places: Sequence[Location] | None = None) -> None:
        job = Job(
            self.subject,
            self.items,
            lambda item: f"item {item}",
            lambda: self.subject.missing(self.items),
            self.is_done,
        )
        until(lambda: accepts(address))
        dispatch(
            leave_files,
            [job],
            address,
            [Location.parse(self.subject.folder)] if places is None else places,
            limits,
            self.reports.append,
            self.warnings.append,
            self.cancelled.is_set,
        )

    def in_background(self, address: str, limits: Limits = QUICK) -> Running:
        """A run that has accepted the workers which are there: what comes now comes later."""
        running = Running(lambda: self.run(address, limits))
        running.until(lambda: self.reports)
        return running

    def done(self) -> int:
        return len(self.items) - len(self.subject.missing(self.items))

    def times(self) -> list[int]:
        return [self.subject.times(item) for item in self.items]


@pytest.fixture(scope="module")
def pair() -> Iterator[Cluster]:
    """A scheduler and two workers that no test here harms."""
    cluster = Cluster()
    try:
        for _ in range(2):
            cluster.add_worker()
        cluster.wait_for(2)
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A scheduler without workers, to be harmed."""
    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.close()


class TestWork:
    def test_each_item_is_done_once_and_counted(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 40, seconds=0.05)
        work.run(pair.address)
        assert work.times() == [1] * 40
        assert work.reports == sorted(work.reports)
        assert (work.reports[0], work.reports[-1]) == (0, 40)
        assert work.warnings == []
        assert until(pair.is_empty)

    def test_shares_end_in_time_however_long_items_take(self, pair: Cluster, tmp_path: Path) -> None:
        """Of forty items a worker gets ten, of which it begins no further one after a tenth of a second."""
        work = Work(tmp_path, 40, seconds=0.1)
        work.run(pair.address, QUICK.model_copy(update={"share_seconds": 0.1}))
        assert work.times() == [1] * 40
        # Not more is told of at once than one item of each of the four shares that two workers have.
        assert max(after - before for before, after in pairwise(work.reports)) <= 4

    def test_a_broken_item_names_itself_and_the_others_are_done(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 12, broken=(3,))
        with pytest.raises(
            MistworksError, match=r"^Expected item 3 to be whole, got a broken one\. Mend it\.$"
        ):
            work.run(pair.address)
        assert work.subject.missing(work.items) == [3]
        assert work.reports[-1] == 11

    def test_what_all_items_fail_by_ends_the_run(self, pair: Cluster, tmp_path: Path) -> None:
        """As on a full disk: what failed and what was not tried does not count as done."""
        work = Work(tmp_path, 200, broken=tuple(range(4, 200)))
        with pytest.raises(MistworksError, match=r"item .* to be whole.* more failed"):
            work.run(pair.address)
        assert work.reports[-1] == work.done() <= 4

    def test_what_an_object_store_refuses_ends_the_run_at_once(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 200, refused=tuple(range(200)))
        with pytest.raises(MistworksError, match=r"refuses \(403\); check the credentials"):
            work.run(pair.address)
        assert work.reports[-1] == 0

    def test_what_passes_is_tried_again(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 12, away=(2, 7))
        running = work.in_background(pair.address)
        running.until(lambda: work.done() == 10)
        time.sleep(1.0)
        (tmp_path / "back").touch()
        running.end()
        assert work.times() == [1] * 12

    def test_what_does_not_pass_is_told_when_patience_ends(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 30, away=tuple(range(30)))
        started = time.monotonic()
        with pytest.raises(
            MistworksError, match=r"Expected item \d+ to finish, got: ConnectionError\('away'\)"
        ):
            work.run(pair.address, QUICK.model_copy(update={"patience": 2.0}))
        assert time.monotonic() - started >= 2
        assert work.reports[-1] == 0

    def test_marks_that_cannot_be_read_end_nothing(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 20, seconds=0.1)

        def unreachable(_item: int) -> bool:
            raise StoreUnreachableError("the store s3://b/s cannot be read (503); try again later")

        work.is_done = unreachable
        work.run(pair.address)
        assert work.times() == [1] * 20
        [warning] = work.warnings
        assert "503" in warning

    def test_marks_that_take_long_to_read_hold_nothing_up(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 20, seconds=0.05)
        asked, answered = threading.Event(), threading.Event()

        def slow(_item: int) -> bool:
            asked.set()
            answered.wait()
            return False

        work.is_done = slow
        try:
            work.in_background(pair.address).end()
        finally:
            answered.set()
        assert asked.is_set()
        assert work.times() == [1] * 20

    def test_a_cancelled_run_leaves_nothing(self, pair: Cluster, tmp_path: Path) -> None:
        work = Work(tmp_path, 100, seconds=0.3)
        running = work.in_background(pair.address, QUICK.model_copy(update={"share_seconds": 60.0}))
        running.until(work.done)
        work.cancelled.set()
        with pytest.raises(MistworksError, match="The run was cancelled"):
            running.end()
        assert_at_rest(pair, work.done)


def assert_at_rest(pair: Cluster, done: Callable[[], int]) -> None:
    """Its workers, which would take a third of a second for each of ten more items, finish what they have."""
    until(pair.is_empty)
    before = done()
    time.sleep(1.5)
    assert done() <= before + 2


def test_a_run_that_is_killed_leaves_nothing(pair: Cluster, tmp_path: Path) -> None:
    """At most the item in hand is finished, though each share is of many."""
    script = (
        "from pathlib import Path; from tests.tasks.test_dispatch import Work, QUICK; "
        f"Work(Path({str(tmp_path)!r}), 100, seconds=0.3)"
        f".run({pair.address!r}, QUICK.model_copy(update={{'share_seconds': 60.0}}))"
    )
    run = subprocess.Popen([sys.executable, "-c", script], env=pair.environment | _PATH, cwd="/")
    until(lambda: len(list(tmp_path.iterdir())) > 3 or run.poll() is not None)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert_at_rest(pair, lambda: len(list(tmp_path.iterdir())))


_PATH = {"PYTHONPATH": str(REPOSITORY)}


class TestWorkers:
    def test_none_come(self, cluster: Cluster, tmp_path: Path) -> None:
        told = rf"Expected Dask workers at {cluster.address}, got none in 1 s\. Start some"
        with pytest.raises(MistworksError, match=told):
            Work(tmp_path, 3).run(cluster.address, QUICK.model_copy(update={"workers_timeout": 1.0}))

    def test_all_go_and_one_comes_back(self, cluster: Cluster, tmp_path: Path) -> None:
        workers = [cluster.add_worker() for _ in range(2)]
        cluster.wait_for(2)
        work = Work(tmp_path, 30, seconds=0.1)
        running = work.in_background(cluster.address)
        running.until(lambda: work.done() > 3)
        for worker in workers:
            worker.kill()
        cluster.add_worker()
        running.end()
        assert work.times() == [1] * 30

    def test_an_item_that_kills_workers_is_named(self, tmp_path: Path) -> None:
        """Though Dask gives up what else the worker had too: here at the first death, else at the fourth."""
        cluster = Cluster({"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"})
        try:
            cluster.add_worker(nanny=True)
            work = Work(tmp_path, 12, deadly=(4,))
            with pytest.raises(MistworksError, match=r"Expected item 4 to finish, got workers that died"):
                work.run(cluster.address, Limits())
            assert work.subject.missing(work.items) == [4]
        finally:
            cluster.close()


class TestScheduler:
    def test_killed_and_started_again(self, cluster: Cluster, tmp_path: Path) -> None:
        self.kill_for(2.0, cluster, tmp_path)

    @pytest.mark.slow
    def test_away_for_a_minute(self, cluster: Cluster, tmp_path: Path) -> None:
        self.kill_for(60.0, cluster, tmp_path)

    def kill_for(self, seconds: float, cluster: Cluster, folder: Path) -> None:
        cluster.add_worker()
        cluster.wait_for(1)
        work = Work(folder, 40, seconds=0.1)
        running = work.in_background(
            cluster.address, QUICK.model_copy(update={"patience": seconds + QUICK.patience})
        )
        running.until(lambda: work.done() > 3)
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        time.sleep(seconds)
        cluster.start_scheduler()
        # Workers end with their scheduler, and what watches over them starts them again.
        cluster.add_worker()
        running.end()
        assert work.done() == 40
        # At most the one that the former worker had in hand was done again.
        assert sum(work.times()) <= 41
        assert work.warnings[0].startswith(f"Lost the Dask scheduler at {cluster.address}; waiting")
        assert work.reports[-1] == 40

    def test_gone_for_good(self, cluster: Cluster, tmp_path: Path) -> None:
        cluster.add_worker()
        cluster.wait_for(1)
        work = Work(tmp_path, 40, seconds=0.1)
        running = work.in_background(cluster.address, QUICK.model_copy(update={"patience": 2.0}))
        running.until(lambda: work.done() > 3)
        cluster.scheduler.kill()
        with pytest.raises(MistworksError, match=f"Expected the Dask scheduler {cluster.address} to answer"):
            running.end()


@pytest.fixture
def other_code(tmp_path: Path) -> Path:
    return copy_with_a_change(tmp_path / "other")


@pytest.fixture
def no_mistworks(tmp_path: Path) -> Path:
    """A folder of modules that hides the package, as where it is not installed."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "tasks.py").write_text("raise ModuleNotFoundError(\"No module named 'tasks'\")")
    return folder


class TestMachines:
    def test_other_code_is_refused_by_name(self, cluster: Cluster, tmp_path: Path, other_code: Path) -> None:
        cluster.add_worker()
        cluster.wait_for(1)
        with cluster.client() as client:
            sound = set(client.nthreads())
            cluster.add_worker(paths=(other_code,))
            cluster.wait_for(2)
            [other] = set(client.nthreads()) - sound
        work = Work(tmp_path / "work", 4)
        told = f"Expected the Dask worker {other} on {socket.gethostname()} to run .* code .* expected"
        with pytest.raises(MistworksError, match=told):
            work.run(cluster.address)
        with pytest.raises(MistworksError, match=told):
            check_cluster(leave_files, cluster.address, [Location.parse(work.subject.folder)])
        assert work.done() == 0
        assert list((tmp_path / "work").iterdir()) == []

    def test_other_code_that_comes_later_is_left_out(
        self, cluster: Cluster, tmp_path: Path, other_code: Path
    ) -> None:
        cluster.add_worker()
        cluster.wait_for(1)
        work = Work(tmp_path / "work", 20, held=(0,))
        running = work.in_background(cluster.address)
        cluster.add_worker(paths=(other_code,))
        running.until(lambda: work.warnings)
        (tmp_path / "work" / "back").touch()
        running.end()
        assert work.times() == [1] * 20
        [warning] = work.warnings
        assert "is left out: code" in warning

    def test_other_code_is_left_out_where_the_scheduler_was_lost_in_mid_run(
        self, cluster: Cluster, tmp_path: Path, other_code: Path
    ) -> None:
        """What has begun is not ended by a machine that is not needed for it."""
        cluster.add_worker()
        cluster.wait_for(1)
        work = Work(tmp_path / "work", 20, held=(19,))
        running = work.in_background(cluster.address)
        running.until(work.done)
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        running.until(lambda: work.warnings)
        cluster.start_scheduler()
        cluster.add_worker(paths=(other_code,))
        cluster.add_worker()
        running.until(lambda: any("is left out: code" in warning for warning in work.warnings))
        (tmp_path / "work" / "back").touch()
        running.end()
        assert work.done() == 20

    def test_a_worker_without_mistworks(
        self, cluster: Cluster, tmp_path: Path, no_mistworks: Path, observe: Observe
    ) -> None:
        cluster.add_worker(paths=(no_mistworks,))
        told = (
            "Expected the Dask worker tcp://.* to import mistworks and what it needs, got ModuleNotFoundError"
        )
        with pytest.raises(MistworksError, match=told) as caught:
            Work(tmp_path, 3).run(cluster.address)
        observe("a Dask worker without the package", seen=str(caught.value), afterwards="nothing is written")

    def test_a_local_place_that_workers_do_not_see(
        self, cluster: Cluster, tmp_path: Path, observe: Observe
    ) -> None:
        place = tmp_path / "stores"
        place.mkdir()
        hide = f"mount -t tmpfs tmpfs '{place}' && exec \"$@\""
        tried = subprocess.run(["unshare", "-m", "true"], capture_output=True)
        if tried.returncode:
            pytest.skip("hiding a folder from a process is not permitted here")
        cluster.add_worker(prefix=("unshare", "-m", "sh", "-c", hide, "sh"))
        with pytest.raises(
            MistworksError, match=rf"Expected the Dask worker tcp://.* to see {place}/s\.zarr"
        ) as caught:
            check_cluster(leave_files, cluster.address, [Location.parse(place / "s.zarr")])
        assert list(place.iterdir()) == []
        observe(
            "a local path that Dask workers do not see", seen=str(caught.value), afterwards="nothing is made"
        )


class TestEncryption:
    def test_work_goes_over_tls(self, tmp_path: Path) -> None:
        settings = _certificates(tmp_path)
        environment = {f"DASK_{name.upper().replace('.', '__')}": value for name, value in settings.items()}
        cluster = Cluster(environment, "tls")
        try:
            cluster.add_worker()
            work = Work(tmp_path / "work", 5)
            with dask.config.set(settings):
                work.run(cluster.address)
            assert work.times() == [1] * 5
            plain = cluster.address.replace("tls", "tcp")
            with pytest.raises(MistworksError, match=r"Expected the Dask scheduler .* to answer"):
                Work(tmp_path / "other", 5).run(plain)
            # One who has no certificate does not come in.
            with pytest.raises(MistworksError, match=r"Expected the Dask scheduler .* to answer"):
                Work(tmp_path / "other", 5).run(cluster.address)
        finally:
            cluster.close()

    @pytest.mark.parametrize("secret", ["PREFECT_API_AUTH_STRING", "PREFECT_API_KEY"])
    def test_a_secret_asks_for_it(self, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
        require_encryption("tcp://10.0.0.1:8786")
        monkeypatch.setenv(secret, "admin:pass")
        require_encryption("tls://10.0.0.1:8786")
        told = f"Expected a Dask scheduler at a tls:// address where {secret} is set, got tcp://10.0.0.1:8786"
        with pytest.raises(MistworksError, match=told) as raised:
            require_encryption("tcp://10.0.0.1:8786")
        assert "admin" not in str(raised.value)


def _certificates(folder: Path) -> dict[str, str]:
    """Settings of Dask that name a certificate made here, which signs itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    settings = {
        "distributed.comm.require-encryption": "True",
        "distributed.comm.tls.ca-file": str(certificate),
    }
    for role in ("scheduler", "worker", "client"):
        settings[f"distributed.comm.tls.{role}.cert"] = str(certificate)
        settings[f"distributed.comm.tls.{role}.key"] = str(key)
    return settings


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_limit_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTWORKS_DASK_PATIENCE", text)
    with pytest.raises(MistworksError, match=f"Expected MISTWORKS_DASK_PATIENCE in seconds, got '{text}'"):
        Limits.from_environment()
