"""A run that is killed in each of its steps, one after the other, ends as one that nothing happened to."""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mistworks.presets import PRESETS
from storage.datasets.opening import open_store
from storage.datasets.verification import verify
from storage.registry.runs import training_record
from storage.registry.tracking import local_tracking_uri, open_client
from storage.registry.versions import lookup, versions
from tests.failures.observations import Observe
from tests.support.commands import COMMAND, Run, until

INTERRUPTED = [sys.executable, "-m", "tests.failures.interrupted"]
RUN = ["pipeline", "--preset"]


@dataclass(frozen=True)
class Interruption:
    """Where a run is killed.

    Attributes:
        step: what it is doing.
        place: the function at which it is killed.
        moment: before or after that function.
    """

    step: str
    place: str
    moment: str


INTERRUPTIONS = (
    Interruption("generate", "flows.generate:create_at", "after"),
    Interruption("summarise", "flows.summarise:create_summaries", "after"),
    Interruption("train", "mistworks.training.trainer:write_checkpoint", "after"),
    Interruption("calibrate", "tasks.calibration:calibrate", "after"),
    Interruption("evaluate", "flows.evaluate:log_evaluation", "before"),
    Interruption("register", "storage.registry.versions:check_predictions", "after"),
    Interruption("promote", "storage.registry.promotion:_record", "after"),
)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small preset that has every step: a network over statistics, calibrated."""
    values = PRESETS["tiny"].model_dump(mode="json")
    values["network"] = {"network": "summary", "hidden": 16, "members": 1}
    path = tmp_path_factory.mktemp("preset") / "every-step.json"
    path.write_text(json.dumps(values))
    return path


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves."""

    hashes: dict[str, str]
    weights: str
    calibration: str
    mse: float


def outcome(root: Path) -> Outcome:
    stores = sorted(root.glob("stores/*/*.zarr"))
    version = lookup("mist/1", local_tracking_uri(root))
    return Outcome(
        {store.name: str(verify(open_store(str(store))).content_hash) for store in stores},
        version.lineage.weights_sha256,
        version.lineage.calibration_sha256,
        version.validation_mse,
    )


@pytest.fixture(scope="module")
def undisturbed(preset: Path, api: str, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    root = tmp_path_factory.mktemp("undisturbed")
    code, _, err = Run(*RUN, str(preset), root=root, api=api).end(600)
    assert code == 0, err
    return outcome(root)


def interrupt(
    at: Interruption, number: signal.Signals, preset: Path, root: Path, api: str
) -> tuple[int, str]:
    """Run the pipeline until it is killed; its exit status and the last line that it wrote."""
    command = [*INTERRUPTED, at.place, at.moment, number.name]
    run = Run(*RUN, str(preset), root=root, api=api, command=command)
    code, _, err = run.end(600)
    until(lambda: not run.left(), 30)
    assert "Traceback" not in err, err
    return code, (err.strip().splitlines() or [""])[-1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_killed_in_every_step_then_finished(
    number: signal.Signals, preset: Path, api: str, undisturbed: Outcome, tmp_path: Path, observe: Observe
) -> None:
    for at in INTERRUPTIONS:
        code, last = interrupt(at, number, preset, tmp_path, api)
        assert code == (-9 if number == signal.SIGKILL else 143), (at.step, last)
    finished(preset, tmp_path, api, undisturbed)
    ended = "killed" if number == signal.SIGKILL else "terminated"
    for at in INTERRUPTIONS:
        observe(
            f"a pipeline {ended} ({number.name}) in the step {at.step}",
            seen=f"the run ends with status {-9 if number == signal.SIGKILL else 143}",
            afterwards="run again: same hash, same weights, one version, one finished MLflow run",
        )


def finished(preset: Path, root: Path, api: str, undisturbed: Outcome) -> None:
    code, _, err = Run(*RUN, str(preset), root=root, api=api, command=COMMAND).end(600)
    assert code == 0, err
    assert outcome(root) == undisturbed
    uri = local_tracking_uri(root)
    [version] = versions(uri)
    assert version.decided
    runs: Any = open_client(uri).search_runs(["1"])
    assert [run.info.status for run in runs] == ["FINISHED"]
    assert training_record(uri, version.lineage.run_id).weights_sha256 == undisturbed.weights


@pytest.mark.slow
@pytest.mark.parametrize("at", [INTERRUPTIONS[2]], ids=lambda at: at.step)
def test_killed_while_it_trains_then_finished(
    at: Interruption, preset: Path, api: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    assert interrupt(at, signal.SIGKILL, preset, root, api)[0] == -9
    assert list(root.glob("training/*/checkpoint/checkpoint.json"))
    code, out, err = Run(*RUN, str(preset), "--json", root=root, api=api, command=COMMAND).end(600)
    assert code == 0, err
    assert json.loads(out)["version"] == 1
