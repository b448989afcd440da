"""Commands on a Dask cluster of real processes: parts of it are killed or differ, and commands are ended."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import generate_partition
from storage.datasets.verification import verify
from tests.failures.observations import Observe
from tests.support.commands import Run, hash_in, one_sentence, until
from tests.support.dask_processes import Cluster, copy_with_a_change

pytestmark = pytest.mark.slow

COUNT, SIZE = 40_000, 500


@pytest.fixture(scope="module")
def whole_hash(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content hash of the job done without interruption, Prefect or Dask."""
    manifest = Manifest.of(
        "train", load_preset("tiny").split("train", COUNT), partition_size=SIZE, root_seed=0
    )
    store = create_store(str(tmp_path_factory.mktemp("whole") / "s.zarr"), manifest)
    for number in store.missing():
        generate_partition(store, number)
    return store.content_hash()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.close()


class Generation:
    """A run of `mistworks generate` on a cluster."""

    def __init__(
        self, cluster: Cluster, folder: Path, api: str, count: int = COUNT, **environment: str
    ) -> None:
        self.store, self.folder, self.api, self.cluster = folder / "s.zarr", folder, api, cluster
        self.job = ["--preset", "tiny", "--count", str(count), "--partition-size", str(SIZE)]
        self.environment = environment

    def start(self) -> Run:
        arguments = [
            "generate",
            "--store",
            str(self.store),
            *self.job,
            "--dask-address",
            self.cluster.address,
        ]
        return Run(*arguments, root=self.folder / "root", api=self.api, environment=self.environment)

    def started(self) -> Run:
        """A run of which some partitions are done."""
        run = self.start()
        until(lambda: self.marked() > 3 or run.process.poll() is not None)
        assert run.process.poll() is None, run.end()
        return run

    def marked(self) -> int:
        return len(list((self.store / "partition_digest" / "c").glob("*/0")))

    def finish(self, run: Run) -> tuple[str, list[str]]:
        """The content hash, which `verify` confirms, and the lines that were written beside progress."""
        code, out, err = run.end(300)
        assert code == 0, err
        assert verify(open_store(str(self.store))).content_hash == hash_in(out)
        return hash_in(out), [line for line in err.splitlines() if not line.startswith("generate train: ")]

    def again(self) -> str:
        return self.finish(self.start())[0]


def test_a_worker_is_killed(
    cluster: Cluster, tmp_path: Path, api: str, whole_hash: str, observe: Observe
) -> None:
    workers = [cluster.add_worker() for _ in range(2)]
    cluster.wait_for(2)
    generation = Generation(cluster, tmp_path, api)
    run = generation.started()
    # Not those that are being written, which the kill may cut short.
    store = open_store(str(generation.store))
    done = [number for number in range(store.manifest.partitions) if store.is_done(number)]
    paths = [generation.store / f"partition_digest/c/{number}/0" for number in done]
    marks = {path: path.stat().st_mtime_ns for path in paths}
    assert marks
    workers[0].kill()
    found, lines = generation.finish(run)
    assert (found, lines) == (whole_hash, [])
    assert all(path.stat().st_mtime_ns == before for path, before in marks.items())
    observe("Dask worker killed", seen="the run goes on", afterwards="same hash; nothing lost")


@pytest.mark.parametrize("seconds", [5, 60])
def test_the_scheduler_is_killed_and_started_again(
    seconds: int, cluster: Cluster, tmp_path: Path, api: str, whole_hash: str, observe: Observe
) -> None:
    cluster.add_worker()
    cluster.wait_for(1)
    generation = Generation(cluster, tmp_path, api)
    run = generation.started()
    cluster.scheduler.kill()
    time.sleep(seconds)
    cluster.start_scheduler()
    cluster.add_worker()
    found, lines = generation.finish(run)
    assert found == whole_hash
    assert len(lines) <= 2
    assert lines[0].startswith("warning: Lost the Dask scheduler at ")
    failure = f"Dask scheduler killed, back after {seconds} s"
    observe(failure, seen=lines[0], afterwards="the run goes on; same hash")


def test_no_workers(cluster: Cluster, tmp_path: Path, api: str, observe: Observe) -> None:
    generation = Generation(cluster, tmp_path, api, MISTWORKS_WORKERS_TIMEOUT="1")
    code, _, err = generation.start().end()
    assert code == 1
    assert "got none in 1 s" in one_sentence(err)
    assert not generation.store.exists()
    observe("no Dask workers", seen=err, afterwards="nothing is written")


def test_two_codes_on_two_workers(cluster: Cluster, tmp_path: Path, api: str, observe: Observe) -> None:
    cluster.add_worker()
    cluster.add_worker(paths=(copy_with_a_change(tmp_path / "other"),))
    cluster.wait_for(2)
    generation = Generation(cluster, tmp_path, api)
    code, _, err = generation.start().end()
    assert code == 1
    assert "Expected the Dask worker tcp://127.0.0.1:" in one_sentence(err)
    assert not generation.store.exists()
    observe("two versions of the code on two Dask workers", seen=err, afterwards="nothing is written")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=str)
def test_a_run_that_ends_leaves_no_work(
    number: signal.Signals, cluster: Cluster, tmp_path: Path, api: str, whole_hash: str, observe: Observe
) -> None:
    cluster.add_worker()
    generation = Generation(cluster, tmp_path, api)
    run = generation.started()
    run.signal(number)
    at_signal = generation.marked()
    until(cluster.is_empty, 30)
    _, _, err = run.end()
    assert "Traceback" not in err
    assert generation.marked() <= at_signal + 2
    time.sleep(2)
    assert generation.marked() <= at_signal + 2
    assert generation.again() == whole_hash
    lines = err.strip().splitlines() or ["nothing"]
    ended = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted", signal.SIGKILL: "killed"}[number]
    failure = f"a run on a Dask cluster {ended} ({number.name})"
    observe(failure, seen=lines[-1], afterwards="no work left; same hash")


def test_a_run_is_cancelled_in_prefect(cluster: Cluster, tmp_path: Path, api: str, observe: Observe) -> None:
    cluster.add_worker()
    generation = Generation(cluster, tmp_path, api, count=10 * COUNT)
    run = generation.started()
    # One that was killed in another test stays among those that run.
    running = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}, "sort": "START_TIME_DESC"}
    identifier = _ask(api, "flow_runs/filter", running)[0]["id"]
    answer = _ask(api, f"flow_runs/{identifier}/set_state", {"state": {"type": "CANCELLING"}})
    assert answer["status"] == "ACCEPT"
    cancelled = time.monotonic()
    until(cluster.is_empty, 30)
    code, _, err = run.end(60)
    assert time.monotonic() - cancelled < 30
    assert code == 1
    assert "The run was cancelled" in one_sentence(err)
    [flow_run] = _ask(api, "flow_runs/filter", {"flow_runs": {"id": {"any_": [identifier]}}})
    assert flow_run["state_type"] == "CANCELLED"
    left = generation.marked()
    time.sleep(2)
    assert generation.marked() == left
    observe("a run on a Dask cluster cancelled in Prefect", seen=err, afterwards="no work left in 30 s")


def _ask(api: str, path: str, body: dict[str, Any]) -> Any:
    request = Request(f"{api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)
