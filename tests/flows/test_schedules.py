"""Runs that a worker of a real server takes: late, at once, cancelled, killed, and started by an event."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.failures.observations import Observe
from tests.support.prefect_server import Server, prefect_server

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
PROJECT = """
name: tests
pull: []
deployments:
  - &busy
    name: free
    entrypoint: tests.support.scheduled.busy
    description: No limit.
    work_pool: {name: mistworks}
  - <<: *busy
    name: one
    description: One at a time.
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW, grace_period_seconds: 60}
  - <<: *busy
    name: often
    description: By the clock.
    schedules: [{cron: "* * * * *", timezone: Etc/UTC}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("schedules")
    file = folder / "tests.yaml"
    file.write_text(PROJECT)
    with prefect_server(folder, PYTHONPATH=str(REPOSITORY)) as started:
        started.command("deploy")
        started.command("deploy", "--file", str(file))
        yield started


def processes_of(run: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def await_process(server: Server, run: str) -> None:
    server.await_run(run, 90, {"RUNNING"})


def kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def test_after_five_missed_slots_one_run_catches_up(server: Server, observe: Observe) -> None:
    due = datetime.now(UTC) - timedelta(hours=1)
    missed = [
        server.start_run(
            "busy/one",
            {"seconds": 15},
            state={
                "type": "SCHEDULED",
                "state_details": {"scheduled_time": (due + timedelta(minutes=10 * slot)).isoformat()},
            },
        )
        for slot in range(5)
    ]
    with server.worker():
        ended = [server.await_run(run, 120)["state_type"] for run in missed]
    assert sorted(ended) == ["CANCELLED"] * 4 + ["COMPLETED"]
    observe(
        "a worker away for five slots of a schedule",
        seen=f"runs that were due: {', '.join(sorted(ended)).lower()}",
        afterwards="one run catches up",
    )


def test_of_two_runs_that_overlap_the_second_is_cancelled(server: Server, observe: Observe) -> None:
    with server.worker():
        first = server.start_run("busy/one", {"seconds": 20})
        await_process(server, first)
        second = server.start_run("busy/one", {"seconds": 20})
        refused = server.await_run(second, 60)
        assert refused["state_type"] == "CANCELLED"
        assert server.await_run(first, 60)["state_type"] == "COMPLETED"
    observe(
        "two nightly runs that overlap",
        seen=f"the second: {refused['state']['message']}",
        afterwards="the first completes",
    )


def test_a_run_that_is_cancelled_by_the_api_ends_within_half_a_minute(
    server: Server, observe: Observe
) -> None:
    with server.worker():
        run = server.start_run("busy/free", {"seconds": 600})
        await_process(server, run)
        started = time.monotonic()
        server.post(f"/flow_runs/{run}/set_state", state={"type": "CANCELLING"})
        assert server.await_run(run, 60, {"CANCELLED"})["state_type"] == "CANCELLED"
        assert time.monotonic() - started < 30
        # It tells of its end a moment before that.
        while left := processes_of(run):
            assert time.monotonic() - started < 30, left
            time.sleep(0.5)
    observe(
        "a run cancelled by the API",
        seen="the run is shown as cancelled within 30 s",
        afterwards="its processes are gone",
    )


def test_the_clock_of_the_server_starts_runs(server: Server) -> None:
    name = server.deployment("busy/often")["id"]
    with server.worker():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            runs = server.runs(deployments={"id": {"any_": [name]}})
            if any(run["state_type"] == "COMPLETED" and run["auto_scheduled"] for run in runs):
                return
            time.sleep(2)
    pytest.fail("no run of the schedule ended in two minutes")


def test_a_promotion_starts_the_scoring_of_the_version(server: Server) -> None:
    score = server.deployment("score/score")["id"]
    with server.worker(), server.process("emit", "tests.support.emit"):
        deadline = time.monotonic() + 90
        while not (runs := server.runs(deployments={"id": {"any_": [score]}})):
            assert time.monotonic() < deadline
            time.sleep(1)
        ended = server.await_run(runs[0]["id"], 90)
    assert ended["parameters"]["model"] == "models:/mist/7"
    assert ended["state_type"] == "COMPLETED"
    assert ended["state"]["message"].startswith("Nothing to score: no source was given. Set MISTWORKS_SCORE_")


def test_a_run_without_a_root_says_what_the_worker_needs(server: Server) -> None:
    environment = {name: value for name, value in server.environment.items() if name != "MISTWORKS_ROOT"}
    with Server(server.url, server.folder, environment).worker():
        run = server.start_run("nightly/nightly", {"preset": "tiny"})
        ended = server.await_run(run, 90)
    assert ended["state_type"] == "FAILED"
    assert "Expected MISTWORKS_ROOT in the environment of the worker" in ended["state"]["message"]


def test_runs_of_a_machine_that_is_gone_are_crashed_within_two_minutes_and_busy_ones_are_not(
    server: Server, observe: Observe
) -> None:
    with server.worker() as lost:
        gone = server.start_run("busy/free", {"seconds": 1_000})
        await_process(server, gone)
        time.sleep(5)
        # As when the power of the machine fails: nobody is left to tell.
        os.kill(lost.pid, signal.SIGKILL)
        for process in processes_of(gone):
            kill(process)
        died = time.monotonic()
    with server.worker():
        healthy = server.start_run("busy/free", {"seconds": 200})
        ended = server.await_run(gone, 200)
        assert ended["state_type"] == "CRASHED"
        assert "No heartbeat for 90 s" in ended["state"]["message"]
        # Two minutes after the last heartbeat, and one that a busy machine takes.
        assert time.monotonic() - died < 180
        assert server.await_run(healthy, 300)["state_type"] == "COMPLETED"
    observe(
        "a machine gone with its worker and run",
        seen=ended["state"]["message"],
        afterwards="the run is shown as crashed; a busy run of 200 s beside it completes",
    )


def test_serve_runs_deployments_and_stops_at_a_signal(tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(PROJECT)
    with prefect_server(tmp_path, PYTHONPATH=str(REPOSITORY)) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            with server.process("serve", "flows.cli", "serve", "--file", str(file)) as serving:
                deadline = time.monotonic() + 60
                while "busy/free" not in (tmp_path / "serve.log").read_text():
                    assert time.monotonic() < deadline
                    time.sleep(0.5)
                run = server.start_run("busy/free", {"seconds": 1})
                assert server.await_run(run, 90)["state_type"] == "COMPLETED"
                serving.send_signal(number)
                assert serving.wait(30) == 0
                (tmp_path / "serve.log").write_text("")
