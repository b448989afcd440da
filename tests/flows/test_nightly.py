"""What a night is named, makes and says, and which earlier nights it removes."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import obstore
import pytest

import flows.retention
from flows.cli.options import dated_seed
from flows.generate import Generated
from flows.nightly import verdict
from flows.parameters import run_name, seed_of
from flows.pipeline import Produced
from flows.retention import remove_old_nights
from flows.root import local_root
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_at, find_manifest, open_at
from storage.datasets.partitions import generate_partition
from storage.places.location import Location
from storage.registry.lineage import Lineage, RegisteredVersion
from tests.support.object_stores import BUCKET, SeaweedFS, s3_environment

MODALITY = f"modality-{'0' * 16}.safetensors"


def version(number: int, *, champion: bool = False, train_hash: str = "") -> RegisteredVersion:
    lineage = Lineage("run", "tiny", "", train_hash, "", "", "", "", "", "", "", False, "")
    told = "champion: better" if champion else "not champion: accuracy (worse)"
    aliases = ("champion",) if champion else ()
    return RegisteredVersion(
        "mist", number, aliases, {"validation.mse": 1.0}, lineage, champion, told, True, ""
    )


def produced(registered: RegisteredVersion, made: int) -> Produced:
    store = Generated("url", "train", 8, "hash", made, (), 0.0)
    return Produced({"train": store}, "run", (), registered)


class TestSeed:
    def test_a_date_is_that_of_the_schedule_in_utc_whenever_the_run_starts(self) -> None:
        berlin = timezone(timedelta(hours=2))
        assert seed_of("date", datetime(2026, 12, 31, 1, 30, tzinfo=berlin)) == 20261230
        assert seed_of("date", datetime(2026, 12, 31, 3, 30, tzinfo=UTC)) == 20261231
        assert seed_of("date") == int(f"{datetime.now(UTC):%Y%m%d}")

    def test_numbers_and_none_stand_for_themselves(self) -> None:
        assert (seed_of(7), seed_of(None)) == (7, None)
        assert (dated_seed("7"), dated_seed(None)) == (7, None)

    @pytest.mark.parametrize("text", ["-1", "tomorrow", "1.5", ""])
    def test_anything_else_is_refused_on_the_command_line(self, text: str) -> None:
        with pytest.raises(MistworksError, match="Expected a number of at least 0 or date as --seed, got"):
            dated_seed(text)


class TestVerdict:
    def test_unchanged_data_makes_nothing_new_and_says_so(self) -> None:
        told = verdict(produced(version(3), 0), [version(3)])
        assert told.startswith("Nothing new: mist/3 was made from this data with this seed before")

    def test_partitions_made_again_are_told(self) -> None:
        told = verdict(produced(version(3), 2), [version(3)])
        assert told == "Made 2 missing partitions again; mist/3 is as it was."

    def test_a_challenger_is_told_with_what_the_gate_found(self) -> None:
        assert verdict(produced(version(3, champion=True), 2), []) == "mist/3 is champion: better"
        told = verdict(produced(version(3), 2), [version(2)])
        assert told == "mist/3 is not champion: accuracy (worse)"


class TestNames:
    def test_they_hold_no_none_and_the_ends_of_paths(self) -> None:
        name = run_name("evaluate", "models", "suites", "sizes")
        parameters = {"models": ["mist@champion", "ksg-3"], "suites": ["/a/b/c/d.zarr"], "sizes": None}
        assert name(parameters) == "evaluate-mist@champion,ksg-3-c/d.zarr"


class TestRetention:
    @pytest.fixture
    def workspace(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
        # The locks of files are enough on one machine.
        monkeypatch.setenv("MISTWORKS_PREFECT_EMBEDDED", "true")
        return Workspace.of(tmp_path)

    @staticmethod
    def night(workspace: Workspace, seed: int, preset: str = "tiny") -> str:
        """The content hash of the store of one night."""
        place = workspace.store(preset, seed, "train")
        split = load_preset("tiny").split("train", 8)
        store = create_at(place, Manifest.of("train", split, partition_size=4, root_seed=seed))
        for number in store.missing():
            generate_partition(store, number)
        return open_at(place).content_hash()

    @staticmethod
    def registered(monkeypatch: pytest.MonkeyPatch, *found: RegisteredVersion) -> None:
        monkeypatch.setattr(flows.retention, "every_version", lambda _uri: list(found))

    def test_the_newest_nights_and_those_of_champions_are_kept(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashes = {seed: self.night(workspace, seed) for seed in (20260101, 20260102, 20260103, 20260104)}
        self.registered(
            monkeypatch,
            version(1, champion=True, train_hash=hashes[20260101]),
            version(2, train_hash=hashes[20260102]),
        )
        nights = Path(workspace.stores.url)
        for seed in (20260102, 20260103):
            (nights / f"tiny-seed-{seed}" / MODALITY).write_bytes(b"fitted")
        assert remove_old_nights(workspace, "tiny", 20260104, keep=2) == [20260102]
        assert (nights / "tiny-seed-20260103" / MODALITY).exists()
        left = {path.name for path in Path(workspace.stores.url).iterdir()}
        assert left == {"tiny-seed-20260101", "tiny-seed-20260103", "tiny-seed-20260104"}
        for seed in (20260101, 20260103, 20260104):
            assert open_at(workspace.store("tiny", seed, "train")).content_hash() == hashes[seed]

    def test_nights_in_a_bucket_are_removed_as_well(
        self, workspace: Workspace, object_store: SeaweedFS, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in s3_environment(object_store.endpoint).items():
            monkeypatch.setenv(name, value)
        there = workspace.model_copy(update={"stores": Location.parse(f"s3://{BUCKET}/nights")})
        self.registered(monkeypatch)
        for seed in (20260101, 20260102):
            self.night(there, seed)
        assert remove_old_nights(there, "tiny", 20260102, keep=1) == [20260101]
        assert find_manifest(there.store("tiny", 20260101, "train")) is None
        left = there.store("tiny", 20260101, "train").object_store()
        assert [entry["path"] for batch in obstore.list(left) for entry in batch] == ["zarr.json"]
        # It may be made again.
        self.night(there, 20260101)
        assert open_at(there.store("tiny", 20260102, "train")).missing() == []

    def test_what_is_not_an_earlier_night_of_the_preset_is_left_alone(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.registered(monkeypatch)
        for seed, preset in ((7, "tiny"), (20261399, "tiny"), (20260101, "quick"), (20270101, "tiny")):
            self.night(workspace, seed, preset)
        foreign = Path(workspace.stores.url) / "tiny-seed-20260101"
        foreign.mkdir()
        (foreign / "notes.txt").write_text("mine")
        assert remove_old_nights(workspace, "tiny", 20260601, keep=1) == []
        assert (foreign / "notes.txt").read_text() == "mine"
        assert len(list(Path(workspace.stores.url).iterdir())) == 5

    def test_a_store_that_another_run_writes_to_is_left_alone(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from storage.places.lock import exclusive

        self.registered(monkeypatch)
        self.night(workspace, 20260101)
        place = workspace.store("tiny", 20260101, "train")
        with exclusive(place):
            assert remove_old_nights(workspace, "tiny", 20260601, keep=1) == []
        assert find_manifest(place) is not None
        assert remove_old_nights(workspace, "tiny", 20260601, keep=1) == [20260101]


def test_a_run_of_a_worker_without_a_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MISTWORKS_ROOT", raising=False)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "an identifier")
    with pytest.raises(MistworksError, match="Expected MISTWORKS_ROOT in the environment of the worker"):
        local_root()
    monkeypatch.setenv("MISTWORKS_ROOT", "/somewhere")
    assert local_root() == Path("/somewhere")
