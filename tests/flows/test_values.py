"""What a run opens and parses once is handed on: the preset, stores, estimators."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import mistworks
from mistworks.presets import PRESETS, Preset
from storage.datasets.opening import open_store
from storage.registry.tracking import local_tracking_uri
from storage.registry.versions import lookup
from tests.support.commands import Run


@dataclass(frozen=True)
class Counted:
    """What a command answered, and how often its process read each thing, by path."""

    answer: Any
    presets: dict[str, int]
    stores: dict[str, int]
    estimators: dict[str, int]


Command = Callable[..., Counted]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("values") / "root"


@pytest.fixture(scope="module")
def preset(root: Path) -> Path:
    """A preset with every step. Once it is read, its file holds another: see `tests.support.counted`."""
    values = PRESETS["tiny"].model_dump(mode="json")
    values["network"] = {"network": "summary", "hidden": 16, "members": 1}
    path = root.with_name("mine.json")
    path.write_text(json.dumps(values))
    values |= {"partition_size": 16, "network": {"network": "summary", "hidden": 24, "members": 1}}
    values["training"] |= {"epochs": 1, "batch_size": 8}
    path.with_suffix(".edited").write_text(json.dumps(values))
    return path


@pytest.fixture(scope="module")
def command(root: Path, preset: Path, api: str) -> Command:
    def run(*arguments: object) -> Counted:
        file = root.with_name("counts.json")
        counting = [sys.executable, "-m", "tests.support.counted", str(file), str(preset)]
        code, out, err = Run(*map(str, arguments), "--json", root=root, api=api, command=counting).end()
        assert code == 0, err[-3000:]
        return Counted(json.loads(out), **json.loads(file.read_text()))

    return run


@pytest.fixture(scope="module")
def original(preset: Path) -> Preset:
    return Preset.parse(preset.read_text())


@pytest.fixture(scope="module")
def produced(command: Command, original: Preset, preset: Path) -> Counted:
    return command("pipeline", "--preset", preset)


@pytest.fixture(scope="module")
def stores(produced: Counted) -> dict[str, str]:
    lineage = produced.answer["lineage"]
    return {split: lineage[f"{split}_store"] for split in ("train", "validation", "calibration")}


@pytest.fixture(scope="module")
def trained(command: Command, stores: dict[str, str], preset: Path) -> Counted:
    """A training on what the pipeline made, as the edited preset says."""
    places = ("--store", stores["train"], "--validation-store", stores["validation"])
    return command("train", *places, "--calibration-store", stores["calibration"], "--preset", preset)


def test_a_preset_that_is_edited_during_a_run_is_read_once(
    root: Path, produced: Counted, original: Preset, preset: Path
) -> None:
    assert Preset.parse(preset.read_text()) != original, "the edit was made"
    assert produced.presets == {str(preset): 1}
    version = lookup("mist/1", local_tracking_uri(root))
    manifest = open_store(version.lineage.train_store).manifest
    assert manifest.partition_size == original.partition_size
    [folder] = root.glob("training/*/calibrated-*")
    assert mistworks.load(folder).network_config == original.network
    [checkpoint] = root.glob("training/*/checkpoint/checkpoint.json")
    training = json.loads(checkpoint.read_text())["identity"]["training"]
    assert training == original.training.model_dump(mode="json")


def test_the_pipeline_opens_a_store_once_for_writing_and_once_for_reading(produced: Counted) -> None:
    # The gate looks for validation data by content, wherever they are.
    counts = {Path(url).stem: count for url, count in produced.stores.items()}
    assert counts == {"train": 2, "validation": 3, "calibration": 2, "test-imd": 2, "test-oomd": 2}


def test_the_pipeline_loads_each_folder_of_an_estimator_once(root: Path, produced: Counted) -> None:
    folders = [str(file.parent) for file in root.glob("training/*/*/model.safetensors")]
    assert len(folders) == 2, "before it is calibrated, and after"
    assert {folder: produced.estimators[folder] for folder in folders} == dict.fromkeys(folders, 1)


def test_a_training_opens_each_store_once(stores: dict[str, str], trained: Counted) -> None:
    assert trained.stores == dict.fromkeys(stores.values(), 1)


def test_a_store_that_is_complete_is_opened_once_and_kept(command: Command, root: Path) -> None:
    place = root.with_name("again.zarr")
    generate = ("generate", "--store", place, "--preset", "tiny", "--count", 8)
    assert command(*generate).stores == {str(place): 1}
    again = command(*generate)
    assert (again.answer["made"], again.stores) == (0, {str(place): 1})


def test_an_evaluation_opens_each_store_and_loads_each_folder_once(
    command: Command, stores: dict[str, str], trained: Counted
) -> None:
    folder, store = trained.answer["folder"], stores["validation"]
    evaluated = command("evaluate", "--models", folder, "--suites", store)
    assert (evaluated.stores, evaluated.estimators) == ({store: 1}, {folder: 1})


def test_a_registration_loads_the_folder_of_the_estimator_once(
    trained: Counted, command: Command, stores: dict[str, str]
) -> None:
    folder = trained.answer["folder"]
    registered = command("register", "--model", folder, "--run-id", trained.answer["run_id"])
    assert registered.answer["version"] == 2
    # What lies in the registry is loaded from there, to be checked and compared.
    assert registered.estimators[folder] == 1
    # The gate looks for validation data by content, wherever they are.
    assert registered.stores == {stores["train"]: 1, stores["validation"]: 2}
