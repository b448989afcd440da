"""The pipeline of a modality, from a file of rows to a registered estimator."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.plans import plan_pipeline, plan_store
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from mistworks.modality import Modality
from mistworks.modality.fitting import fit_modality
from mistworks.modality.rows import resolved
from mistworks.presets import modality_preset
from storage.datasets.modalities import keep_modality
from storage.datasets.opening import create_at, open_store
from storage.places.location import Location
from tests.flows.test_pipeline import output
from tests.mistworks.modality.test_modality import config_of, write_rows
from tests.support.commands import outputs

COUNTS = {"train": 120, "validation": 40, "calibration": 60, "test-imd": 40}


def write_preset(folder: Path) -> Path:
    """A small preset on rows of a file."""
    config = config_of(write_rows(folder / "trees.npz"))
    values: dict[str, Any] = modality_preset(config).model_dump(mode="json")
    for split, count in COUNTS.items():
        values["splits"][split]["count"] = count
        values["splits"][split]["meta_distribution"]["design"]["n"] = {"low": 30, "high": 60}
    values["partition_size"] = 30
    values["training"] |= {"epochs": 2, "batch_size": 40, "threads": 1}
    path = folder / "trees.json"
    path.write_text(json.dumps(values))
    return path


def test_a_plan_fits_nothing_and_knows_what_is_fitted(tmp_path: Path) -> None:
    preset = str(write_preset(tmp_path))
    where = Workspace.of(tmp_path / "root")
    plan = plan_pipeline(preset, None, where)
    assert list(plan.stores) == list(COUNTS)
    assert not (tmp_path / "root").exists()
    assert plan.training.model == "mist-trees"
    train = plan.stores["train"]
    assert train.modality == resolved(config_of(tmp_path / "trees.npz"))
    assert train.manifest.meta_distribution.fit is None
    assert 0 < train.expected_bytes < 10**7
    Path(train.url).parent.mkdir(parents=True)
    modality = fit_modality(config_of(tmp_path / "trees.npz"))
    keep_modality(train.place, modality)
    again = plan_pipeline(preset, None, where).stores["train"]
    assert again.modality is None
    assert again.manifest.meta_distribution.fit == modality.fit


def test_a_store_whose_modality_is_gone_is_refused_before_work(tmp_path: Path) -> None:
    preset = str(write_preset(tmp_path))
    place = Location.parse(tmp_path / "s" / "train.zarr")
    modality = fit_modality(config_of(tmp_path / "trees.npz"))
    (tmp_path / "s").mkdir()
    keep_modality(place, modality)
    create_at(place, plan_store(place, "train", preset).manifest)
    (tmp_path / "s" / modality.fit.file).unlink()
    with pytest.raises(MistworksError, match=r"Expected the fitted modality of the store .* Restore it, or"):
        plan_store(place, "train", preset).existing()


@pytest.mark.slow
def test_from_a_file_of_rows_to_a_registered_estimator(tmp_path: Path, api: str) -> None:
    preset, root = write_preset(tmp_path), tmp_path / "root"
    registered = output("pipeline", "--preset", preset, root=root)
    assert (registered["name"], registered["version"]) == ("mist-trees", 1)
    assert {"validation.mse", "test-imd.mse.all"} <= registered["metrics"].keys()
    [path] = root.glob("stores/trees.json-seed-0/modality-*.safetensors")
    before = path.stat().st_mtime_ns
    fit = Modality.load(path).fit
    for split in COUNTS:
        store = open_store(str(path.parent / f"{split}.zarr"))
        assert store.manifest.meta_distribution.fit == fit
        assert len(store.partition(0)) > 0
    # Again: nothing is fitted or made anew.
    [again, models] = outputs(("pipeline", "--preset", preset), ("models",), root=root, api=api)
    assert again == registered
    assert models == [registered]
    assert path.stat().st_mtime_ns == before
    # The same rows on any number of workers give the same bytes.
    alone = tmp_path / "alone"
    outputs(
        (
            "generate",
            "--preset",
            preset,
            "--split",
            "validation",
            "--store",
            alone / "v.zarr",
            "--workers",
            1,
        ),
        root=alone,
        api=api,
    )
    kept = open_store(str(path.parent / "validation.zarr"))
    assert open_store(str(alone / "v.zarr")).content_hash() == kept.content_hash()
