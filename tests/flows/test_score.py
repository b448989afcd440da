"""Pairs in Parquet, estimated and kept by model: bad rows, resumption, changed files, targets."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.states import State

import mistworks
from flows.score import SOURCE_VARIABLE, score
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimator
from storage.evaluations.estimators import EstimatorReference, find_estimators
from storage.fingerprint import fingerprint
from storage.places.location import Location
from storage.tables.pairs import PAIRS_A_PART, EstimateFolder, PairFile, claim_target, find_pairs
from tasks.scoring import Scoring, score_parts
from tasks.worker import Terms
from tests.support.commands import Run
from tests.support.object_stores import BUCKET, SeaweedFS, s3_environment

WEIGHTS = Path(mistworks.__file__).parent / "weights"
TERMS = Terms(10.0, fingerprint())


def pair(seed: int, n: int = 40, d: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    return {"id": f"pair {seed}", "x": x.tolist(), "y": (x + rng.standard_normal((n, d))).tolist()}


def write(path: Path, rows: Sequence[dict[str, Any]], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path, **options)


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return mistworks.load(WEIGHTS)


@pytest.fixture(scope="module")
def reference() -> EstimatorReference:
    return find_estimators([str(WEIGHTS)], "sqlite:////nowhere/mlflow.db")[0]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write(tmp_path / "pairs" / "a.parquet", [pair(seed) for seed in range(5)], row_group_size=2)
    write(tmp_path / "pairs" / "below" / "b.parquet", [pair(seed) for seed in range(5, 7)])
    return tmp_path / "pairs"


def folder_of(
    file: PairFile, target: Path | str, reference: EstimatorReference, *levels: float
) -> EstimateFolder:
    return EstimateFolder(Location.parse(target), file, "mist/3", reference.version, levels or (0.9,))


def score_file(file: PairFile, target: Path | str, reference: EstimatorReference) -> Any:
    folder = folder_of(file, target, reference)
    list(score_parts(Scoring(folder, reference), folder.missing(), TERMS))
    return folder


def read(target: Path) -> Any:
    return pq.read_table(target).to_pandas().sort_values(["file", "row"]).reset_index(drop=True)


class TestEstimates:
    def test_every_row_tells_what_made_it(
        self, source: Path, tmp_path: Path, estimator: Estimator, reference: EstimatorReference
    ) -> None:
        files = find_pairs(str(source))
        assert [file.path for file in files] == ["a.parquet", "below/b.parquet"]
        assert [file.groups for file in files] == [(2, 2, 1), (2,)]
        for file in files:
            score_file(file, tmp_path / "out", reference)
        found = read(tmp_path / "out")
        assert found["id"].tolist() == [f"pair {seed}" for seed in range(7)]
        assert found["row"].tolist() == [0, 1, 2, 3, 4, 0, 1]
        assert set(found["model"]) == {"mist/3"}
        assert set(found["weights_sha256"]) == {estimator.weights_sha256}
        assert found["failure"].isna().all()
        for seed, row in found.iterrows():
            given = pair(int(str(seed)))
            expected = estimator.estimate(given["x"], given["y"])
            assert row["mi"] == pytest.approx(expected.mi, rel=1e-6)
            assert (row["low_90"], row["high_90"]) == pytest.approx(expected.interval(0.9), rel=1e-6)

    def test_what_cannot_be_estimated_is_a_row_that_says_why(
        self, tmp_path: Path, reference: EstimatorReference
    ) -> None:
        rows = [pair(seed) for seed in range(6)]
        rows[0]["x"] = None
        rows[1]["x"][3] = [1.0]
        rows[2]["y"][0][0] = float("nan")
        rows[3]["y"] = rows[3]["y"][:-1]
        rows[4]["x"][2][0] = None
        write(tmp_path / "pairs.parquet", rows)
        folder = score_file(find_pairs(str(tmp_path / "pairs.parquet"))[0], tmp_path / "out", reference)
        assert folder.done() == {0: 5}
        found = read(tmp_path / "out")
        assert found["mi"].isna().tolist() == [True] * 5 + [False]
        expected = ["got none", "of equal dimension in x", "missing values in y", "rows", "1 missing ones"]
        for failure, part in zip(found["failure"][:5], expected, strict=True):
            assert part in failure

    def test_numbers_may_stand_for_points_of_one_dimension(
        self, tmp_path: Path, estimator: Estimator, reference: EstimatorReference
    ) -> None:
        x, y = np.random.default_rng(0).standard_normal((2, 50))
        write(tmp_path / "pairs.parquet", [{"x": x.tolist(), "y": y.tolist()}])
        score_file(find_pairs(str(tmp_path / "pairs.parquet"))[0], tmp_path / "out", reference)
        assert read(tmp_path / "out")["mi"][0] == pytest.approx(estimator.estimate(x, y).mi, rel=1e-6)

    def test_samples_outside_of_the_training_range_are_told(
        self, tmp_path: Path, reference: EstimatorReference
    ) -> None:
        write(tmp_path / "pairs.parquet", [pair(0), pair(1, n=60, d=150)])
        score_file(find_pairs(str(tmp_path / "pairs.parquet"))[0], tmp_path / "out", reference)
        outside = read(tmp_path / "out")["outside"]
        assert outside.isna().tolist() == [True, False]

    def test_parts_are_bounded_whatever_the_row_groups(
        self, tmp_path: Path, reference: EstimatorReference
    ) -> None:
        small = {"x": [1.0, 2.0], "y": [2.0, 1.0]}
        write(tmp_path / "pairs.parquet", [small] * (2 * PAIRS_A_PART + 1))
        file = find_pairs(str(tmp_path / "pairs.parquet"))[0]
        assert [len(file.read(part)) for part in range(3)] == [PAIRS_A_PART, PAIRS_A_PART, 1]
        assert [file.read(part).first for part in range(3)] == [0, PAIRS_A_PART, 2 * PAIRS_A_PART]


class TestResumption:
    def test_what_is_done_is_kept(
        self, source: Path, tmp_path: Path, reference: EstimatorReference, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = find_pairs(str(source))[0]
        folder = folder_of(file, tmp_path / "out", reference)
        steps = score_parts(Scoring(folder, reference), [0, 1, 2], TERMS)
        next(steps)
        steps.close()
        assert folder.missing() == [1, 2]
        written = [path for path in (tmp_path / "out").rglob("*.parquet") if path.is_file()]
        before = {path: path.stat().st_mtime_ns for path in written}
        score_file(file, tmp_path / "out", reference)
        assert folder.missing() == []
        assert before == {path: path.stat().st_mtime_ns for path in written}
        assert len(read(tmp_path / "out")) == 5

    def test_another_level_or_a_changed_file_is_done_again_in_place_of_the_former(
        self, source: Path, tmp_path: Path, reference: EstimatorReference
    ) -> None:
        file = find_pairs(str(source / "a.parquet"))[0]
        score_file(file, tmp_path / "out", reference)
        assert folder_of(file, tmp_path / "out", reference, 0.5).missing() == [0, 1, 2]
        write(source / "a.parquet", [pair(seed) for seed in range(10, 15)], row_group_size=2)
        changed = find_pairs(str(source / "a.parquet"))[0]
        assert folder_of(changed, tmp_path / "out", reference).missing() == [0, 1, 2]
        score_file(changed, tmp_path / "out", reference)
        assert read(tmp_path / "out")["id"].tolist() == [f"pair {seed}" for seed in range(10, 15)]

    def test_an_object_store_serves_as_well(
        self,
        source: Path,
        reference: EstimatorReference,
        object_store: SeaweedFS,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in s3_environment(object_store.endpoint).items():
            monkeypatch.setenv(name, value)
        files = Location.parse(f"s3://{BUCKET}/pairs").object_store()
        obstore.put(files, "a.parquet", (source / "a.parquet").read_bytes())
        (file,) = find_pairs(f"s3://{BUCKET}/pairs")
        target = f"s3://{BUCKET}/scores"
        claim_target(Location.parse(target), file.place.url)
        claim_target(Location.parse(target), file.place.url)
        folder = score_file(file, target, reference)
        assert (folder.missing(), folder.done()) == ([], {0: 0, 1: 0, 2: 0})


class TestRefusals:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(MistworksError, match=r"Expected Parquet files at .*none, got none\. Correct"):
            find_pairs(str(tmp_path / "none"))
        (tmp_path / "empty").mkdir()
        with pytest.raises(MistworksError, match="Expected Parquet files at"):
            find_pairs(str(tmp_path / "empty"))

    def test_other_columns(self, tmp_path: Path) -> None:
        write(tmp_path / "a.parquet", [{"x": 1.0, "y": [1.0]}])
        with pytest.raises(MistworksError, match=r"Expected a column x of lists in a\.parquet"):
            find_pairs(str(tmp_path))

    def test_a_file_that_is_not_parquet(self, tmp_path: Path) -> None:
        (tmp_path / "a.parquet").write_text("x,y\n1,2\n")
        with pytest.raises(MistworksError, match=r"Expected Parquet in a\.parquet"):
            find_pairs(str(tmp_path))

    def test_a_target_of_another_source(self, tmp_path: Path) -> None:
        claim_target(Location.parse(tmp_path / "out"), str(tmp_path / "one"))
        claim_target(Location.parse(tmp_path / "out"), f"{tmp_path}/one/")
        with pytest.raises(MistworksError, match=r"which holds estimates of .*one\. Choose another"):
            claim_target(Location.parse(tmp_path / "out"), str(tmp_path / "two"))


def test_without_a_source_there_is_nothing_to_do_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOURCE_VARIABLE, raising=False)
    state: State[Any] = score.fn()
    assert state.is_completed()
    assert (state.message or "").startswith(
        "Nothing to score: no source was given. Set MISTWORKS_SCORE_SOURCE"
    )


def test_the_command_scores_and_says_that_all_is_there(source: Path, tmp_path: Path, api: str) -> None:
    command = ("score", str(source), "--target", str(tmp_path / "out"), "--model", str(WEIGHTS), "--json")
    status, out, err = Run(*command, "--workers", "1", root=tmp_path / "root", api=api).end()
    assert status == 0, err
    told = json.loads(out)
    assert (told["pairs"], told["failures"], told["computed"]) == (7, 0, 4)
    assert len(read(tmp_path / "out")) == 7
