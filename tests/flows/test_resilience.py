"""Whatever stops a run, the next one finishes it with the same bytes: real processes and signals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from flows.services import _free_port
from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import generate_partition
from storage.datasets.verification import verify
from tests.failures.observations import Observe
from tests.support.commands import InProcess, Run, hash_in, one_sentence, until

COUNT, SIZE = 10_000, 125
PARTITIONS = COUNT // SIZE
JOB = ["--preset", "tiny", "--count", str(COUNT), "--partition-size", str(SIZE), "--workers", "2"]
# Not over before it is interrupted.
LONG = ["--preset", "tiny", "--count", str(10 * COUNT), "--partition-size", str(SIZE), "--workers", "2"]
SMALL = ["--preset", "tiny", "--count", "96", "--workers", "1"]


def marked(store: Path) -> int:
    """Number of partitions that were marked done or unmarked, by their files."""
    return len(list((store / "partition_digest" / "c").glob("*/0")))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def whole_hash(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content hash of the job made without interruption, Prefect or Dask."""
    config = load_preset("tiny").split("train", COUNT)
    described = Manifest.of("train", config, partition_size=5000, root_seed=0)
    store = create_store(str(tmp_path_factory.mktemp("whole") / "s.zarr"), described)
    for number in store.missing():
        generate_partition(store, number)
    return store.content_hash()


class TestNothingIsLeftBehind:
    """With the servers that the command starts itself."""

    @pytest.mark.parametrize(
        "how",
        [
            signal.SIGINT,
            signal.SIGKILL,
            *(pytest.param(how, marks=pytest.mark.slow) for how in ("success", signal.SIGTERM)),
        ],
        ids=str,
    )
    def test_after(self, how: str | signal.Signals, root: Path, tmp_path: Path, whole_hash: str) -> None:
        store = tmp_path / "s.zarr"
        run = Run("generate", "--store", str(store), *(JOB if how == "success" else LONG), root=root)
        try:
            until(lambda: marked(store) > 3 or run.process.poll() is not None)
            assert len(run.left()) >= 4, "the command, a server and two workers"
            if isinstance(how, signal.Signals):
                run.signal(how)
            code, out, err = run.end()
            until(lambda: not run.left(), 15)
        finally:
            for process in run.left():
                process.kill()
        if how == "success":
            assert (code, hash_in(out)) == (0, whole_hash)
            return
        assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[signal.Signals(how)]
        assert "Traceback" not in err
        if how == signal.SIGINT:
            assert err.strip().splitlines()[-1] == "interrupted; run the same command again to resume"
        assert 0 < len(open_store(str(store)).missing()) < 10 * PARTITIONS


class TestInterruption:
    def test_killed_then_finished(self, root: Path, api: str, tmp_path: Path, whole_hash: str) -> None:
        self.kill_and_finish(1, root, api, tmp_path / "s.zarr", whole_hash)

    @pytest.mark.slow
    @pytest.mark.parametrize("attempt", range(3))
    def test_killed_often_then_finished(
        self, attempt: int, root: Path, api: str, tmp_path: Path, whole_hash: str
    ) -> None:
        self.kill_and_finish(6, root, api, tmp_path / "s.zarr", whole_hash)

    def kill_and_finish(self, times: int, root: Path, api: str, store: Path, whole_hash: str) -> None:
        rng = random.Random(0)
        for _ in range(times):
            before = marked(store)
            run = Run("generate", "--store", str(store), *JOB, root=root, api=api)
            # Half of the kills fall anywhere in the start, half while partitions are written.
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0.5, 6.0))
            else:
                until(lambda run=run, before=before: marked(store) > before or run.process.poll() is not None)
                time.sleep(rng.uniform(0.0, 0.5))
            run.signal(signal.SIGKILL)
            run.end()
        code, out, err = Run("generate", "--store", str(store), *JOB, root=root, api=api).end()
        assert code == 0, err
        assert hash_in(out) == whole_hash
        assert verify(open_store(str(store))).content_hash == whole_hash

    @pytest.mark.slow
    def test_a_dask_worker_is_killed(self, root: Path, api: str, tmp_path: Path, whole_hash: str) -> None:
        store = tmp_path / "s.zarr"
        run = Run("generate", "--store", str(store), *JOB, root=root, api=api)
        until(lambda: marked(store) > 3 or run.process.poll() is not None)
        run.workers()[-1].kill()
        code, out, err = run.end()
        assert code == 0, err
        assert hash_in(out) == whole_hash
        assert verify(open_store(str(store))).content_hash == whole_hash

    @pytest.mark.slow
    def test_two_runs_at_once(self, root: Path, api: str, tmp_path: Path, whole_hash: str) -> None:
        store = tmp_path / "s.zarr"
        first = Run("generate", "--store", str(store), *JOB, root=root, api=api)
        until(lambda: (store / ".lock").exists() and (store / ".lock").read_text())
        # Held still, lest it be done before the second has started.
        first.process.send_signal(signal.SIGSTOP)
        second = Run("generate", "--store", str(store), *JOB, root=root, api=api)
        code, _, err = second.end()
        first.process.send_signal(signal.SIGCONT)
        assert code == 1
        assert f"got process {first.process.pid}. Wait for it to end" in one_sentence(err)
        code, out, err = first.end()
        assert (code, hash_in(out)) == (0, whole_hash), err
        code, out, _ = Run("generate", "--store", str(store), *JOB, root=root, api=api).end()
        assert (code, hash_in(out)) == (0, whole_hash)
        assert "none: all were there" in out

    @pytest.mark.slow
    def test_regenerate_mends_what_verify_finds(self, root: Path, api: str, tmp_path: Path) -> None:
        store = tmp_path / "s.zarr"
        code, out, _ = Run("generate", "--store", str(store), *SMALL, root=root, api=api).end()
        whole = hash_in(out)
        (store / "index/mi/c/1").unlink()
        chunk = next((store / "values/c").iterdir())
        chunk.write_bytes(chunk.read_bytes()[:-1])
        code, out, err = Run("verify", str(store), root=root).end()
        assert code == 1
        assert "2 damaged" in one_sentence(err)
        code, out, err = Run("regenerate", str(store), "--workers", "1", root=root, api=api).end()
        assert (code, hash_in(out)) == (0, whole), err
        code, out, _ = Run("verify", str(store), root=root).end()
        assert (code, hash_in(out)) == (0, whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left on a disk; the file that has it."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(bytes(2**20))
            file.flush()
    return ballast


@pytest.mark.slow
def test_full_disk_with_the_databases_on_it(small_disk: Path, whole_hash: str, observe: Observe) -> None:
    arguments = ["generate", "--store", str(small_disk / "s.zarr"), *JOB]
    run = Run(*arguments, root=small_disk / "root")
    until(lambda: marked(small_disk / "s.zarr") > 3 or run.process.poll() is not None)
    ballast = fill(small_disk)
    code, _, err = run.end()
    # The workers' log records may have failed to reach Prefect, which says so on a line before.
    told = err.splitlines()[-1]
    assert (code, "Traceback" in err) == (1, False)
    assert "Expected to write" in told
    assert "No space left on device" in told
    code, _, err = Run(*arguments, root=small_disk / "root").end()
    assert (code, "Traceback" in err) == (1, False)
    assert "of free space at" in err.splitlines()[-1]
    ballast.unlink()
    code, out, err = Run(*arguments, root=small_disk / "root").end()
    assert (code, hash_in(out)) == (0, whole_hash), err
    observe(
        "disk full, with the databases on it", seen=told, afterwards="with more room, run again: same hash"
    )


@pytest.mark.slow
def test_full_disk_then_more_room(
    small_disk: Path, root: Path, api: str, whole_hash: str, observe: Observe
) -> None:
    store = small_disk / "s.zarr"
    arguments = ["generate", "--store", str(store), *JOB]
    run = Run(*arguments, root=root, api=api)
    until(lambda: marked(store) > 3 or run.process.poll() is not None)
    ballast = fill(small_disk)
    code, _, err = run.end()
    assert code == 1
    told = one_sentence(err)
    assert "No space left on device" in told
    assert "Free space" in told
    missing = open_store(str(store)).missing()
    assert 0 < len(missing) < PARTITIONS
    code, _, err = Run(*arguments, root=root, api=api).end()
    assert (code, "of free space at" in one_sentence(err)) == (1, True)
    ballast.unlink()
    assert open_store(str(store)).missing() == missing
    code, out, err = Run(*arguments, root=root, api=api).end()
    assert (code, hash_in(out)) == (0, whole_hash), err
    observe("disk full", seen=told, afterwards="with more room, run again: same hash, nothing lost")


class TestFailures:
    @pytest.mark.slow
    def test_a_failing_partition_names_itself(self, root: Path, api: str, tmp_path: Path) -> None:
        store = tmp_path / "s.zarr"
        config = load_preset("tiny").split("train", 96)
        described = Manifest.of("train", config, partition_size=32, root_seed=0)
        create_store(str(store), described)
        (store / "index/n/c/2").mkdir(parents=True)
        code, _, err = Run("generate", "--store", str(store), *SMALL, root=root, api=api).end()
        assert code == 1
        assert f"Expected to write partition 2 of the store {store}" in one_sentence(err)
        # The others were finished first.
        assert open_store(str(store)).missing() == [2]

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--preset", "big"], "Expected a preset out of tiny, quick, shipped, digits, paper or"),
            (["--store", "/proc/no/s"], "of free space at /proc, got 0.0 GB"),
            (["--dask-address", "tcp://127.0.0.1:9"], "the Dask scheduler tcp://127.0.0.1:9"),
        ],
    )
    def test_bad_input_is_told_in_one_sentence(
        self, arguments: list[str], told: str, root: Path, api: str, tmp_path: Path, in_process: InProcess
    ) -> None:
        store = [] if "--store" in arguments else ["--store", str(tmp_path / "s.zarr")]
        code, _, err = in_process("generate", *store, *arguments, **environment(root, api))
        assert code == 1
        assert told in one_sentence(err)

    @pytest.mark.slow
    def test_a_store_of_no_known_kind(self, root: Path, api: str) -> None:
        code, _, err = Run("generate", "--store", "nope://x/s", *SMALL, root=root, api=api).end()
        assert code == 1
        assert "Expected a path or a URL such as" in one_sentence(err)

    @pytest.mark.parametrize(
        "arguments",
        [["--count", "0"], ["--split", "trian"], ["--seed", "-1"], ["--colour", "red"], ["--workers", "0"]],
    )
    def test_usage_errors_exit_with_2(
        self, arguments: list[str], tmp_path: Path, in_process: InProcess
    ) -> None:
        code, _, err = in_process("generate", "--store", tmp_path / "s.zarr", *arguments)
        assert (code, "Traceback" in err) == (2, False)
        assert arguments[0] in err

    def test_no_store(self, root: Path, api: str, tmp_path: Path, in_process: InProcess) -> None:
        store = str(tmp_path / "s.zarr")
        for command in (["verify", store], ["regenerate", store]):
            code, _, err = in_process(*command, **environment(root, api))
            assert code == 1
            assert (
                f"Expected a store at {store}, got none. Make one with `mistworks generate"
            ) in one_sentence(err)

    @pytest.mark.slow
    def test_other_configuration(self, root: Path, api: str, tmp_path: Path) -> None:
        store = str(tmp_path / "s.zarr")
        config = load_preset("tiny").split("train", 96)
        create_store(store, Manifest.of("train", config, partition_size=32, root_seed=1))
        code, _, err = Run("generate", "--store", store, *SMALL, root=root, api=api).end()
        assert code == 1
        assert "got another (root_seed 1 in the store, 0 requested)" in one_sentence(err)

    def test_an_api_that_does_not_answer(self, root: Path, tmp_path: Path, in_process: InProcess) -> None:
        api = "http://127.0.0.1:9/api"
        arguments = ["generate", "--store", str(tmp_path / "s.zarr"), *SMALL]
        code, _, err = in_process(*arguments, **environment(root, api))
        assert code == 1
        assert f"the Prefect API {api}" in one_sentence(err)


def environment(root: Path, api: str) -> dict[str, str]:
    return {"MISTWORKS_ROOT": str(root), "PREFECT_API_URL": api, "PREFECT_HOME": str(root / "prefect")}


@pytest.mark.slow
def test_an_existing_scheduler_is_used(root: Path, api: str, tmp_path: Path, whole_hash: str) -> None:
    address = f"tcp://127.0.0.1:{_free_port()}"
    environment = {**os.environ, "PREFECT_HOME": str(root / "prefect"), "PREFECT_API_URL": api}
    options = ["--no-dashboard", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    commands = [["scheduler", *options], ["worker", address, "--nthreads", "2", "--no-dashboard"]]
    servers = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for command in commands
    ]
    try:
        store = tmp_path / "s.zarr"
        run = Run("generate", "--store", str(store), *JOB, "--dask-address", address, root=root, api=api)
        until(lambda: marked(store) > 3 or run.process.poll() is not None)
        assert not run.workers()
        # Its workers outlive the run that is killed, and may still be writing when the next one begins.
        run.signal(signal.SIGKILL)
        run.end()
        arguments = ["generate", "--store", str(store), *JOB, "--dask-address", address]
        code, out, err = Run(*arguments, root=root, api=api).end()
        assert (code, hash_in(out)) == (0, whole_hash), err
        assert verify(open_store(str(store))).content_hash == whole_hash
    finally:
        for server in servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


@pytest.mark.slow
def test_a_long_run_shows_its_progress_in_prefect(root: Path, api: str, tmp_path: Path) -> None:
    job = ["--preset", "tiny", "--count", "80000", "--partition-size", "500", "--workers", "2"]
    code, _, err = Run("generate", "--store", str(tmp_path / "s.zarr"), *job, root=root, api=api).end()
    assert code == 0, err
    body = json.dumps({"artifacts": {"type": {"any_": ["progress"]}}, "sort": "CREATED_DESC"}).encode()
    request = Request(f"{api}/artifacts/filter", data=body, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        newest = json.load(answer)[0]
    assert newest["description"] == "generate train"
    assert newest["data"] == 100.0
