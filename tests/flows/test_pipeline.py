"""The whole pipeline through the command line, in fresh processes where a command starts something."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mistworks
from mistworks.errors import MistworksError
from mistworks.evaluation.gate import GateConfig
from storage import registry
from storage.registry.runs import training_record
from storage.registry.tracking import local_tracking_uri
from tasks.registration import (
    SHIPPED_FOLDER,
    Measured,
    compare_with_champion,
    promote_version,
    register_version,
)
from tests.support.commands import InProcess, Run, one_sentence, outputs, run_all, until

FOREIGN = ("PREFECT_", "MLFLOW_", "MISTWORKS_")


def output(*arguments: object, root: Path) -> Any:
    """What a command in a process of its own answers, with servers of its own, of which nothing is left."""
    run = Run(*map(str, arguments), "--json", "--root", str(root), root=root)
    code, out, err = run.end()
    assert code == 0, err[-3000:]
    until(lambda: not run.left())
    return json.loads(out)


def as_measured(folder: Path, run_id: str, mse: float, tracking_uri: str) -> Measured:
    """An estimator as if it had been evaluated on its validation data."""
    return Measured(
        folder=folder,
        estimator=mistworks.load(folder),
        record=training_record(tracking_uri, run_id),
        metrics={"validation.mse.all": mse, "validation.failures.all": 0.0},
    )


@pytest.fixture
def read(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command prints that only reads: it starts nothing, so that it needs no process of its own."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)

    def read(*arguments: object) -> str:
        code, out, err = in_process(*arguments)
        assert code == 0, err
        return out

    return read


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipeline") / "root"


@pytest.fixture(scope="module")
def unproven(root: Path) -> Any:
    """What the pipeline registers: so small a network learns too little to pass the gate."""
    return output("pipeline", "--preset", "tiny", root=root)


@pytest.fixture(scope="module")
def registered(root: Path, unproven: Any, api: str) -> Any:
    """The same version, champion by force."""
    [promoted] = outputs(("promote", "mist/1", "--force"), root=root, api=api)
    return promoted


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((100, 2))
    frame = pd.DataFrame({"a": a[:, 0], "b": a[:, 1], "c": a[:, 0] + rng.standard_normal(100), "gap": 1.0})
    frame.loc[3, "gap"] = np.nan
    path = tmp_path_factory.mktemp("table") / "data.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_first_version_that_fails_the_gate_is_champion_by_force_only(
    root: Path, unproven: Any, registered: Any, api: str
) -> None:
    assert (unproven["promoted"], unproven["decided"], unproven["aliases"]) == (False, True, [])
    assert unproven["promotion"].startswith("not champion: accuracy against a constant (MSE on validation")
    assert registered["aliases"] == ["champion"]
    assert registered["promotion"].startswith("champion by force, although accuracy against a constant")
    [(code, out, err)] = run_all(("rollback",), root=root, api=api)
    assert (code, out) == (1, "")
    assert "Expected a champion before mist/1 to restore, got none" in one_sentence(err)


def test_the_version_traces_back_to_its_bytes(registered: Any, read: Callable[..., str]) -> None:
    assert (registered["name"], registered["version"]) == ("mist", 1)
    lineage = registered["lineage"]
    for split in ("train", "validation"):
        verified = json.loads(read("verify", lineage[f"{split}_store"], "--json"))
        assert verified["content_hash"] == lineage[f"{split}_hash"]
    assert {"validation.mse", "test-imd.mse.all", "test-oomd.mse.all"} <= registered["metrics"].keys()


def test_the_version_is_calibrated_and_tells_on_what(
    root: Path, registered: Any, read: Callable[..., str]
) -> None:
    lineage = registered["lineage"]
    estimator = registry.load("models:/mist/1", local_tracking_uri(root))
    assert estimator.calibration is not None
    assert estimator.calibration.datasets == 64
    assert estimator.calibration.sha256 == lineage["calibration_sha256"]
    verified = json.loads(read("verify", lineage["calibration_store"], "--json"))
    assert verified["content_hash"] == lineage["calibration_hash"]


def test_the_model_has_a_card(root: Path, registered: Any) -> None:
    (card,) = root.glob("training/*/calibrated-*/README.md")
    lineage, text = registered["lineage"], card.read_text()
    for told in ("train_hash", "calibration_hash", "weights_sha256", "calibration_sha256", "code_commit"):
        assert lineage[told] in text
    assert f"| test-imd, n all: MSE, nats² | {registered['metrics']['test-imd.mse.all']:.4g} |" in text
    assert "samples of train" in text


def test_the_calibration_split_is_made_and_not_evaluated(
    root: Path, registered: Any, read: Callable[..., str]
) -> None:
    store = root / "stores" / "tiny-seed-0" / "calibration.zarr"
    verified = json.loads(read("verify", store, "--json"))
    assert verified["datasets"] == 64
    assert not [name for name in registered["metrics"] if name.startswith("calibration")]


def test_running_again_makes_nothing_new(root: Path, registered: Any, api: str) -> None:
    weights = sorted(root.glob("training/*/model/model.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    assert outputs(("pipeline", "--preset", "tiny"), root=root, api=api) == [registered]
    assert [path.stat().st_mtime_ns for path in weights] == before


def test_models_and_lookup_tell_the_same(root: Path, registered: Any, read: Callable[..., str]) -> None:
    assert json.loads(read("models", "--json", "--root", root)) == [registered]
    assert json.loads(read("lookup", "mist@champion", "--json", "--root", root)) == registered
    assert registered["lineage"]["train_hash"] in read("lookup", "models:/mist/1", "--root", root)


def test_every_flow_is_recorded_as_completed(root: Path, registered: Any) -> None:
    with sqlite3.connect(root / "prefect" / "prefect.db") as database:
        rows = database.execute(
            "select flow.name, flow_run.state_type from flow_run join flow on flow.id = flow_run.flow_id"
        ).fetchall()
    steps = {"pipeline", "generate", "train", "evaluate", "register"}
    assert steps <= {name for name, _ in rows}
    assert {state for _, state in rows} == {"COMPLETED"}


def test_estimate_prints_what_the_estimator_gives(
    root: Path, registered: Any, table: Path, read: Callable[..., str]
) -> None:
    asked = ("estimate", table, "--x", "a,b", "--y", "c", "--model", "mist@champion", "--root", root)
    printed = json.loads(read(*asked, "--json"))
    frame = pd.read_csv(table)
    estimator = registry.load("models:/mist@champion", local_tracking_uri(root))
    expected = mistworks.estimate(frame[["a", "b"]], frame["c"], model=estimator)
    assert printed["mi"] == expected.mi
    assert (printed["low"], printed["high"]) == expected.interval(0.9)
    assert "nats" in read(*asked)


def test_estimate_takes_the_shipped_estimator_if_none_is_named(
    root: Path, table: Path, read: Callable[..., str]
) -> None:
    printed = json.loads(read("estimate", table, "--x", "a,b", "--y", "c", "--json", "--root", root))
    frame = pd.read_csv(table)
    expected = mistworks.estimate(frame[["a", "b"]], frame["c"])
    assert printed["mi"] == expected.mi
    assert (printed["low"], printed["high"]) == expected.interval(0.9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere.csv", "--x", "a", "--y", "c"), "Expected a readable table at nowhere.csv"),
        (("data.csv", "--x", "a,z", "--y", "c"), "(a, b, c, gap), got 'z'"),
        (
            ("data.csv", "--x", "a", "--y", "gap", "--model", "mist@champion"),
            "Expected no missing values in y, got 1 in column 'gap', the first in row 3",
        ),
        (("data.csv", "--x", "a", "--y", "c", "--model", "mist@nobody"), "got alias 'nobody'"),
        (("data.csv", "--x", "a", "--y", "c", "--model", "mist/9"), "got version 9"),
        (
            ("data.csv", "--x", "a", "--y", "c", "--model", "mist@champion", "--level", "1.5"),
            "Expected the level of an interval from 0 to",
        ),
    ],
)
def test_bad_input_to_estimate_is_one_sentence(
    root: Path,
    registered: Any,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_process: InProcess,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(table.parent)
    code, _, err = in_process("estimate", *arguments, "--root", root)
    assert code == 1
    assert sentence in one_sentence(err)


def test_commands_compose_to_the_same_pipeline(root: Path, registered: Any, api: str, tmp_path: Path) -> None:
    lineage = registered["lineage"]
    stores = ("--store", lineage["train_store"], "--validation-store", lineage["validation_store"])
    store, report = lineage["validation_store"], tmp_path / "report.html"
    trained, (row,) = outputs(
        ("train", *stores, "--preset", "tiny"),
        ("evaluate", "--models", "mist@champion", "--suites", store, "--report", report),
        root=root,
        api=api,
    )
    assert trained["run_id"] == lineage["run_id"]
    assert (row["suite"], row["estimator"]) == ("validation", "mist/1")
    assert row["mse"] == registered["metrics"]["validation.mse"]
    assert "mist/1" in report.read_text(encoding="utf-8")


def test_what_passes_the_gate_becomes_champion_and_what_does_not_changes_nothing(
    root: Path, registered: Any, tmp_path: Path, api: str, read: Callable[..., str]
) -> None:
    better = json.loads(read("presets", "tiny"))
    better["training"] |= {"epochs": 20, "learning_rate": 0.01, "validate_every": 24, "checkpoint_every": 48}
    (tmp_path / "better.json").write_text(json.dumps(better))
    lineage = registered["lineage"]
    stores = ("--store", lineage["train_store"], "--validation-store", lineage["validation_store"])
    [trained] = outputs(("train", *stores, "--preset", tmp_path / "better.json"), root=root, api=api)
    uri = local_tracking_uri(root)
    measured = as_measured(Path(trained["folder"]), trained["run_id"], trained["validation_mse"], uri)
    assert register_version.fn(measured, uri).version == 2
    # What seconds of training leave to chance is left out: how often the intervals hold the truth.
    comparison = compare_with_champion.fn("mist/2", uri, config=GateConfig(coverage=(0.2, 1.0)))
    promoted = promote_version.fn(comparison, uri)
    assert promoted.aliases == ("champion",), promoted.promotion
    assert "of mist/1, a difference of -" in promoted.promotion
    registering, refused, kept, rolled_back = run_all(
        ("register", "--model", trained["folder"], "--run-id", trained["run_id"]),
        ("promote", "mist/1"),
        ("promote", "mist/2"),
        ("rollback",),
        root=root,
        api=api,
    )
    assert [code for code, _, _ in (registering, refused, kept, rolled_back)] == [0, 1, 0, 0]
    second = json.loads(registering[1])
    assert (second["version"], second["promotion"]) == (2, promoted.promotion), "decided once"
    assert refused[1] == ""
    for part in (
        "mist/1 is not promoted: ",
        "accuracy against the champion (MSE on",
        "too much",
        "stays mist/2",
    ):
        assert part in one_sentence(refused[2])
    assert json.loads(kept[1]) == second, "who is champion stays so"
    assert json.loads(rolled_back[1])["version"] == 1
    withdrawn = json.loads(read("lookup", "mist/2", "--json", "--root", root))
    assert withdrawn["promotion"].startswith("rolled back ")


def test_register_refuses_weights_of_another_run(root: Path, registered: Any, tmp_path: Path) -> None:
    estimator = registry.load("mist@champion", local_tracking_uri(root))
    with torch.no_grad():
        next(estimator.network.parameters()).add_(1.0)
    estimator.save(tmp_path / "other")
    uri = local_tracking_uri(root)
    measured = as_measured(tmp_path / "other", registered["lineage"]["run_id"], 0.0, uri)
    with pytest.raises(MistworksError, match="Give the run and the folder of one training"):
        register_version.fn(measured, uri)


def test_training_refuses_stores_of_another_split(
    root: Path, registered: Any, monkeypatch: pytest.MonkeyPatch, in_process: InProcess
) -> None:
    lineage = registered["lineage"]
    swapped = ("--store", lineage["validation_store"], "--validation-store", lineage["train_store"])
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    code, _, err = in_process("train", *swapped, "--preset", "tiny", "--root", root)
    assert code == 1
    started, told = err.strip().splitlines()
    assert started == "starting Prefect…"
    assert "Expected a store of the train split" in told


@pytest.mark.slow
def test_the_shipped_estimator_is_registered_once_and_beats_a_demonstration(
    root: Path, registered: Any, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    stores = ("--validation-store", registered["lineage"]["validation_store"])
    first = output("register", "--shipped", *stores, root=empty)
    assert (first["version"], first["lineage"]["preset"]) == (1, "shipped")
    assert first["lineage"]["weights_sha256"] == mistworks.load(SHIPPED_FOLDER).weights_sha256
    assert first["lineage"]["train_hash"].startswith("f6c84153e833"), "what its card says"
    assert output("register", "--shipped", *stores, root=empty) == first
    beside = output("register", "--shipped", root=root)
    assert beside["lineage"]["validation_hash"] == registered["lineage"]["validation_hash"]
    assert output("register", "--shipped", root=root) == beside
