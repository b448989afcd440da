"""Where a run finds and keeps things, and what is checked before anything is started."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from prefect import Flow

from flows.evaluate import EvaluationPlan, evaluate_planned
from flows.generate import generate_planned
from flows.parameters import parse_ranges
from flows.pipeline import pipeline, pipeline_planned
from flows.plans import plan_pipeline, plan_store, plan_training, require_room
from flows.register import register_measured
from flows.root import local_root
from flows.services import PresetName
from flows.summarise import summarise_opened
from flows.train import train_planned
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from mistworks.presets import PRESETS
from storage.datasets.opening import create_store
from storage.datasets.partitions import generate_partition
from storage.evaluations.estimators import find_estimators
from storage.places.location import Location
from storage.registry.revision import CodeRevision
from storage.registry.runs import StoreReference, TrainingRecord
from tasks.registration import SHIPPED_FOLDER, Measured
from tasks.stores import OpenedStore, TrainingData
from tests.support.commands import InProcess

URI = "postgresql://me:secret@host/mlflow"
KSG, WEIGHTS = find_estimators(["ksg-3", str(SHIPPED_FOLDER)], URI)
STORE = StoreReference("train", "s.zarr", "0" * 64)
RECORD = TrainingRecord("1", STORE, STORE, "0" * 64, None, "", "tiny", CodeRevision("unknown", False, "1"))
VARIABLES = ("MISTWORKS_ROOT", "MISTWORKS_STORES", "MISTWORKS_CHECKPOINTS", "MISTWORKS_RESULTS")
OTHERS = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "MISTWORKS_DASK_ADDRESS", "MISTWORKS_WORKERS")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *OTHERS):
        monkeypatch.delenv(name, raising=False)


def test_everything_lies_below_the_root_if_nothing_else_is_said(tmp_path: Path) -> None:
    workspace = Workspace.of(tmp_path)
    assert workspace.stores.path == tmp_path / "stores"
    assert workspace.checkpoints.path == tmp_path / "training"
    assert workspace.results.path == tmp_path / "evaluations"
    assert workspace.tracking_uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert (workspace.dask_address, workspace.workers) == (None, None)
    store = workspace.store("tiny", 3, "train")
    assert store == Location.parse(tmp_path / "stores" / "tiny-seed-3" / "train.zarr")


def test_options_come_before_the_environment_and_that_before_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("MISTWORKS_STORES", "s3://bucket/stores")
    monkeypatch.setenv("MISTWORKS_RESULTS", "s3://bucket/results")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setenv("MISTWORKS_WORKERS", "3")
    workspace = Workspace.of(stores="s3://other/stores")
    assert workspace.stores == Location("s3://other/stores", None)
    assert workspace.results == Location("s3://bucket/results", None)
    assert workspace.checkpoints.path == tmp_path / "training"
    assert (workspace.tracking_uri, workspace.workers) == ("http://mlflow:5000", 3)
    # What a flow gets from Prefect's page: some fields, the rest from the environment of its process.
    assert Workspace.parse({"stores": "s3://other/stores"}) == workspace


def test_places_are_texts_for_whoever_fills_in_a_form_or_reads_a_record(tmp_path: Path) -> None:
    fields = Workspace.model_json_schema()["properties"]
    for name in ("stores", "checkpoints", "results"):
        assert (fields[name]["type"], fields[name]["title"]) == ("string", name.title())
    workspace = Workspace.of(tmp_path, stores="s3://bucket/stores/", results=(tmp_path / "r").as_uri())
    recorded = pipeline.serialize_parameters({"workspace": workspace})["workspace"]
    assert (recorded["stores"], recorded["results"]) == ("s3://bucket/stores", str(tmp_path / "r"))
    assert Workspace.parse(recorded) == workspace
    with pytest.raises(MistworksError, match=r"Expected a path or a URL, got 3\. .* \(stores of Workspace"):
        Workspace.parse({"stores": 3})


@pytest.mark.parametrize("root", ["s3://bucket/root", "s3:/bucket/root", "gs://bucket"])
def test_a_url_as_root_is_refused(root: str) -> None:
    with pytest.raises(MistworksError, match=r"Expected a local directory as --root, got .*Give the URL to"):
        local_root(Path(root))


def test_secrets_are_refused_in_places_and_left_out_where_the_workspace_is_written_down() -> None:
    with pytest.raises(MistworksError, match="Expected a URL without a password"):
        Workspace.of(stores="s3://key:secret@bucket/stores")
    workspace = Workspace.of(tracking_uri="postgresql://me:secret@host/mlflow")
    assert workspace.tracking_uri == "postgresql://me:secret@host/mlflow"
    assert "secret" not in workspace.model_dump_json()
    assert "secret" not in repr(workspace)


@pytest.mark.parametrize(
    ("flow", "others"),
    [
        (evaluate_planned, {"plan": EvaluationPlan(estimators=(KSG,), suites=())}),
        (pipeline, {"preset": "tiny", "seed": 1}),
        (pipeline_planned, {"plan": plan_pipeline("tiny", None, Workspace.of())}),
        (register_measured, {"measured": Measured.of(SHIPPED_FOLDER, WEIGHTS, RECORD, {})}),
        (generate_planned, {"plan": plan_store(Location.parse("s.zarr"), "train", "tiny")}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_prefect_records_of_a_run_holds_no_password(
    flow: Flow[..., Any], others: dict[str, Any]
) -> None:
    workspace = Workspace.of(tracking_uri=URI)
    recorded = json.dumps(flow.serialize_parameters({**others, "workspace": workspace}))
    assert "secret" not in recorded
    assert "postgresql://me:…@host/mlflow" in json.loads(recorded)["workspace"]["tracking_uri"]


def test_what_prefect_records_of_a_store_that_is_open_is_its_url(tmp_path: Path) -> None:
    plan = plan_store(Location.parse(tmp_path / "s.zarr"), "train", "tiny")
    store = create_store(plan.url, plan.manifest)
    training = {"data": TrainingData(train=store, validation=store), "plan": plan_training("tiny")}
    recorded = train_planned.serialize_parameters(training)
    assert (recorded["data"]["train"], recorded["data"]["calibration"]) == (plan.url, None)
    assert summarise_opened.serialize_parameters({"opened": OpenedStore(store=store)}) == {"opened": plan.url}


def test_a_number_of_workers_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTWORKS_WORKERS", "many")
    with pytest.raises(MistworksError, match="workers"):
        Workspace.of()


def test_the_names_of_presets_are_those_of_the_presets() -> None:
    assert set(get_args(PresetName)) == set(PRESETS)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3", [3]), ("3,7", [3, 7]), ("7-9, 3", [3, 7, 8, 9]), ("0-9", list(range(10))), ("2,1-3", [1, 2, 3])],
)
def test_ranges(text: str, numbers: list[int]) -> None:
    assert parse_ranges(text, 10) == numbers


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "3;4", "1--2"])
def test_other_texts_are_no_ranges(text: str) -> None:
    with pytest.raises(MistworksError, match="Expected numbers and ranges such as 3,7-12"):
        parse_ranges(text, 10)


@pytest.mark.parametrize("text", ["10", "5-10", "9-3"])
def test_partitions_that_are_not_there_are_refused(text: str) -> None:
    with pytest.raises(MistworksError, match="Expected partitions from 0 to 9, got"):
        parse_ranges(text, 10)


def test_the_expected_size_is_that_of_the_store(tmp_path: Path) -> None:
    plan = plan_store(Location.parse(tmp_path / "s.zarr"), "train", "tiny", count=4_000, partition_size=2_000)
    whole = plan.expected_bytes
    assert plan.missing_bytes() == whole
    store = create_store(plan.url, plan.manifest)
    generate_partition(store, 0)
    assert plan.missing_bytes() == pytest.approx(whole / 2, rel=1e-3)
    generate_partition(store, 1)
    assert plan.missing_bytes() == 0
    files = [path for path in Path(plan.url).rglob("*") if path.is_file()]
    assert whole == pytest.approx(sum(path.stat().st_size for path in files), rel=0.25)


def test_a_disk_without_room_is_refused_before_work(tmp_path: Path) -> None:
    plan = plan_store(Location.parse(tmp_path / "new" / "s.zarr"), "train", "paper", count=10**9)
    with pytest.raises(MistworksError, match=r"Expected [\d,.]+ GB of free space at .*, got [\d,.]+ GB"):
        require_room([plan])
    assert not (tmp_path / "new").exists()
    require_room([plan_store(Location.parse("s3://bucket/s.zarr"), "train", "paper", count=10**9)])


def test_a_pipeline_is_planned_before_anything_is_made(tmp_path: Path) -> None:
    plan = plan_pipeline("tiny", 5, Workspace.of(tmp_path))
    assert list(plan.stores) == ["train", "validation", "calibration", "test-imd", "test-oomd"]
    assert {store.manifest.root_seed for store in plan.stores.values()} == {5}
    assert plan.training.training.seed == 5
    assert plan.read_in_training == ("train", "validation", "calibration")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_what_prefect_records_of_a_planned_pipeline_is_small(preset: str, tmp_path: Path) -> None:
    plan = plan_pipeline(preset, 1, Workspace.of(tmp_path))
    recorded = pipeline_planned.serialize_parameters({"plan": plan})["plan"]
    assert len(json.dumps(recorded)) < 10_000
    assert recorded["stores"]["train"]["url"] == plan.stores["train"].url
    assert recorded["training"]["training"]["seed"] == 1


def test_a_pipeline_without_a_validation_split_is_refused(tmp_path: Path) -> None:
    preset = PRESETS["tiny"].model_dump(mode="json")
    del preset["splits"]["validation"]
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(preset))
    with pytest.raises(MistworksError, match=r"Expected one of the splits .*, got 'validation'"):
        plan_pipeline(str(file), None, Workspace.of(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pipeline", "--preset", "nope"), "Expected a preset out of tiny, quick, shipped, digits, paper"),
        (
            ("pipeline", "--preset", "tiny", "--root", "s3://bucket/root"),
            "Expected a local directory as --root",
        ),
        (("generate", "--store", "s.zarr", "--preset", "nope"), "Expected a preset out of"),
        (("generate", "--store", "s.zarr", "--preset", "paper", "--count", "999999999"), "of free space at"),
        (("regenerate", "no.zarr"), "Expected a store at"),
        (("train", "--store", "no.zarr", "--validation-store", "no.zarr"), "Expected a store at"),
    ],
)
def test_errors_come_before_any_server_is_started(
    arguments: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_process: InProcess,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = in_process(*arguments)
    assert status == 1
    assert sentence in err.splitlines()[-1]
    assert not (tmp_path / "mistworks-data" / "prefect").exists()


ANNOUNCED = """
import os, sys

class Screen:
    def write(self, text):
        print(text.strip(), "prefect" in sys.modules, flush=True)
        os._exit(0)

sys.stderr = Screen()
from flows.cli.commands import main
main()
"""


def test_starting_is_announced_before_anything_is_imported_or_made(tmp_path: Path) -> None:
    """Either takes seconds."""
    command = ["generate", "--store", "s.zarr", "--preset", "tiny"]
    done = subprocess.run(
        [sys.executable, "-c", ANNOUNCED, *command], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert done.stdout == "starting Prefect… False\n"
    assert list(tmp_path.iterdir()) == []
