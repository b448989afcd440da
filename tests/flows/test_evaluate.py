"""Evaluation as it runs: rows for failures, chunks, results that are kept, and the command line."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import flows.evaluate
import tasks.evaluation
from flows.cli.commands import main
from flows.evaluate import Evaluated
from flows.services import services
from flows.workspace import Workspace
from mistworks.baselines import baseline
from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import LEVELS, Estimate, Estimator, TrainingRange
from mistworks.evaluation.results import COLUMNS, QUANTILE_LEVELS, Results, join
from mistworks.evaluation.runner import aligned, identities, random_part, run_chunk
from mistworks.evaluation.suites import Entry, GridSuite, suite, violations
from mistworks.evaluation.suites.stored import StoredSuite
from mistworks.evaluation.summary import summarise
from mistworks.networks import build_network
from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import generate_partition
from storage.evaluations.estimators import EstimatorReference, find_estimators, open_estimator
from storage.evaluations.results import ResultStore, to_parquet
from storage.evaluations.suites import SuiteReference, find_suite, open_suite
from storage.places.location import Location
from tasks.cluster import Limits
from tests.support.sources import MemorySource


class Pairs(JointDistribution):
    """d pairs of standard normals of correlation ρ each."""

    def __init__(self, rho: float, d: int = 1) -> None:
        self.rho, self.dx, self.dy = rho, d, d

    @property
    def mutual_information(self) -> float:
        return -0.5 * self.dx * math.log1p(-(self.rho**2))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, noise = rng.standard_normal((2, n, self.dx))
        y = self.rho * x + math.sqrt(1 - self.rho**2) * noise
        return x.astype(np.float32), y.astype(np.float32)


def grid(sizes: tuple[int, ...] = (10, 20), replicates: int = 2, version: str = "1") -> GridSuite:
    entries = [Entry(f"pairs-{rho}", "normal", Pairs(rho)) for rho in (0.0, 0.5, 0.9)]
    return GridSuite("grid", version, entries, sizes, replicates)


@dataclass
class Correlation:
    """−½ log(1 − r²) of the first coordinates, and how often it was asked."""

    name: str = "correlation"
    version: str = "1"
    slow: bool = False
    calls: int = 0

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        self.calls += 1
        mi = -0.5 * math.log1p(-(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2))
        return Estimate(mi, tuple(mi + level - 0.5 for level in LEVELS))


@dataclass
class Batched(Correlation):
    batches: list[int] = field(default_factory=list)

    def estimate_many(self, pairs: list[tuple[FloatArray, FloatArray]]) -> list[Estimate]:
        self.batches.append(len(pairs))
        return [self.estimate(x, y) for x, y in pairs]


@dataclass
class Failing(Correlation):
    """Fails in another way on each n."""

    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        match len(x):
            case 10:
                raise MistworksError("eleven points were expected, and 10 came; give more")
            case 11:
                raise ZeroDivisionError("division by zero\nand more")
            case 12:
                return Estimate(math.nan)
            case 13:
                return Estimate(math.inf)
            case 14:
                return Estimate(1e300)
            case 15:
                return Estimate(1.0, tuple(math.nan if level > 0.9 else level for level in LEVELS))
            case 16:
                return None  # type: ignore[return-value]
        return super().estimate(x, y)


@dataclass
class FailingBatches(Failing):
    def estimate_many(self, pairs: list[tuple[FloatArray, FloatArray]]) -> list[Estimate]:
        return [self.estimate(x, y) for x, y in pairs]


def assert_equal(one: Results, other: Results, but: tuple[str, ...] = ("seconds",)) -> None:
    for name in ("suite", "suite_version", "estimator", "estimator_version"):
        assert getattr(one, name) == getattr(other, name)
    for column in set(COLUMNS) - set(but):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column), err_msg=column)


def test_rows_hold_case_estimate_and_quantiles() -> None:
    suite = grid()
    results = run_chunk(Correlation(), suite, range(len(suite)))
    assert len(results) == len(suite) == 12
    for row in range(len(results)):
        case, (x, y) = suite.case(row), suite.sample(row)
        expected = Correlation().estimate(x, y)
        assert results.estimate[row] == expected.mi
        assert (results.name[row], results.family[row]) == (case.name, case.family)
        assert (results.n[row], results.dx[row], results.replicate[row]) == (case.n, case.dx, case.replicate)
        assert results.mi[row] == case.mi
        np.testing.assert_allclose(results.quantiles[row], expected.quantile(QUANTILE_LEVELS))
    assert results.succeeded.all()
    assert results.has_quantiles.all()
    assert (results.seconds > 0).all()


@given(st.lists(st.integers(1, 11), max_size=5))
def test_chunking_does_not_change_results(cuts: list[int]) -> None:
    suite = grid()
    edges = sorted({0, *cuts, len(suite)})
    parts = [run_chunk(Correlation(), suite, range(start, stop)) for start, stop in pairwise(edges)]
    assert_equal(join(parts), run_chunk(Correlation(), suite, range(len(suite))))


def test_a_chunk_whose_time_is_up_holds_its_first_positions() -> None:
    suite, estimator = grid(), Correlation()
    results = run_chunk(estimator, suite, [3, 7, 9], seconds=0.0)
    assert results.position.tolist() == [3]
    assert estimator.calls == 1


def test_batches_give_what_single_samples_give_and_share_their_time() -> None:
    suite, estimator = grid(sizes=(10, 2_000), replicates=30), Batched()
    results = run_chunk(estimator, suite, range(len(suite)))
    assert_equal(results, run_chunk(Correlation(), suite, range(len(suite))))
    assert estimator.batches == [128, 52]
    first = slice(0, 128)
    ratio = results.seconds[first][results.n[first] == 2_000] / results.seconds[0]
    np.testing.assert_allclose(ratio, 200)


def test_batches_of_large_samples_are_small() -> None:
    entries = [Entry(f"wide-{number}", "normal", Pairs(0.5, 64)) for number in range(10)]
    suite, estimator = GridSuite("wide", "1", entries, (10_000,)), Batched()
    run_chunk(estimator, suite, range(10))
    assert (max(estimator.batches) - 1) * 10_000 * 128 < 2**22


@pytest.mark.parametrize("estimator", [Failing(), FailingBatches()])
def test_whatever_fails_is_a_row_that_says_why_and_costs_no_other(estimator: Failing) -> None:
    suite = grid(sizes=tuple(range(10, 18)), replicates=1)
    results = run_chunk(estimator, suite, range(len(suite)))
    assert len(results) == len(suite)
    told = dict(zip(results.n.tolist(), results.failure.tolist(), strict=True))
    assert told[10] == "eleven points were expected, and 10 came; give more"
    assert told[11] == "ZeroDivisionError: division by zero"
    assert told[12] == "the estimate is nan"
    assert told[13] == "the estimate is inf"
    assert told[14] == "the estimate is 1e+300"
    assert told[15] == "a quantile of the estimate is nan"
    assert told[16].startswith("AttributeError")
    assert told[17] == ""
    np.testing.assert_array_equal(results.succeeded, results.n == 17)
    np.testing.assert_array_equal(np.isnan(results.quantiles).all(axis=1), results.n != 17)


def test_a_suite_that_cannot_give_a_sample_is_no_failure_of_the_estimator() -> None:
    class Broken(MemorySource):
        def partition(self, number: int) -> None:  # type: ignore[override]
            raise MistworksError("partition 0 of the store is damaged")

    suite = StoredSuite(Broken.gaussian(5, seed=0), "validation", "x")
    with pytest.raises(MistworksError, match="partition 0 of the store is damaged"):
        run_chunk(Correlation(), suite, [0])


def test_no_position_is_refused() -> None:
    with pytest.raises(MistworksError, match="Expected at least one position, got none"):
        run_chunk(Correlation(), grid(), [])


def test_a_stored_split_gives_the_datasets_of_its_source() -> None:
    source = MemorySource.gaussian(50, seed=1, n=(10, 14), size=16)
    suite = StoredSuite(source, "validation", "hash")
    assert len(suite) == 50
    for position, dataset in enumerate(source):
        case, (x, y) = suite.case(position), suite.sample(position)
        np.testing.assert_array_equal(x, dataset.x)
        np.testing.assert_array_equal(y, dataset.y)
        assert (case.n, case.dx, case.dy, case.mi) == (*x.shape, y.shape[1], dataset.mi)
        assert (case.name, case.family) == ("gaussian-pairs/base", "gaussian-pairs/base")
    assert source.reads == [0, 1, 2, 3]
    assert len(identities(suite)) == 50


def test_what_an_estimator_does_to_its_input_does_not_reach_the_suite() -> None:
    suite = StoredSuite(MemorySource.gaussian(4, seed=1), "validation", "hash")
    before = suite.sample(0)[0].copy()
    suite.sample(0)[0][:] = 0
    np.testing.assert_array_equal(suite.sample(0)[0], before)


def test_datasets_that_cannot_be_told_apart_are_refused() -> None:
    entries = [Entry("same", "normal", Pairs(0.5)), Entry("same", "normal", Pairs(0.9))]
    with pytest.raises(
        MistworksError, match="Expected 2 datasets of twins with distinct name, n and replicate, got 1"
    ):
        identities(GridSuite("twins", "1", entries, (10,)))


def test_results_serve_a_suite_at_other_sizes_where_the_sizes_agree() -> None:
    wide, narrow = grid(sizes=(10, 20, 40)), grid(sizes=(40, 10))
    kept = run_chunk(Correlation(), wide, range(len(wide)))
    found = aligned(kept, identities(narrow))
    assert_equal(found, run_chunk(Correlation(), narrow, range(len(narrow))))
    assert_equal(aligned(join([kept, kept]), identities(narrow)), found)
    assert len(aligned(kept, identities(grid(sizes=(80,))))) == 0


@given(st.integers(1, 3_000), st.integers(1, 200))
def test_a_part_is_fixed_and_grows_with_its_limit(count: int, limit: int) -> None:
    positions = random_part(count, limit)
    assert len(positions) == min(count, limit)
    assert positions == sorted(set(positions)) == random_part(count, limit)
    assert set(positions) <= set(range(count))
    assert set(random_part(count, max(1, limit // 2))) <= set(positions)
    assert random_part(count, None) == list(range(count))


@pytest.mark.parametrize("name", ["bmi-40", "beyond", "null"])
def test_a_part_has_many_distributions(name: str) -> None:
    whole = suite(name)
    assert len({whole.case(position).name for position in random_part(len(whole), 24)}) >= 12


def test_what_means_something_only_together_is_chosen_together() -> None:
    part = random_part(20, 11, block=5)
    assert len(part) == 10
    assert all(position % 5 == offset for position, offset in zip(part, [*range(5)] * 2, strict=True))
    assert len(random_part(20, 3, block=5)) == 5
    whole = suite("self-consistency")
    chosen = random_part(len(whole), 120, whole.block)
    results = run_chunk(Correlation(), whole, chosen)
    assert len(results) <= 120
    assert all(violation.comparisons == len(results) // whole.block for violation in violations(results))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    suite = grid(sizes=(10, 12, 15, 17))
    for number, estimator in enumerate((Failing(name="mist/3+bootstrap"), Correlation(name=".."))):
        store = ResultStore(Location.parse(tmp_path / f"results {number}"))
        whole = run_chunk(estimator, suite, range(len(suite)))
        store.write(whole[:7])
        store.write(whole[7:])
        read = store.read("grid", "1", estimator.name, "1")
        assert read is not None
        assert_equal(read, whole, but=())
        assert all(
            getattr(read, column).dtype.kind == getattr(whole, column).dtype.kind for column in COLUMNS
        )


def test_versions_and_names_are_kept_apart(tmp_path: Path) -> None:
    store, suite = ResultStore(Location.parse(tmp_path)), grid()
    whole = run_chunk(Correlation(), suite, range(len(suite)))
    variants = [
        whole,
        replace(whole, estimator_version="2", estimate=whole.estimate + 1),
        replace(whole, suite_version="2", estimate=whole.estimate + 2),
        replace(whole, estimator="correlation/1", estimate=whole.estimate + 3),
        replace(whole, estimator="correlation~1", estimate=whole.estimate + 4),
    ]
    for variant in variants:
        store.write(variant)
    for variant in variants:
        read = store.read(variant.suite, variant.suite_version, variant.estimator, variant.estimator_version)
        assert read is not None
        assert_equal(read, variant, but=())
    assert store.read("grid", "3", "correlation", "1") is None


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    store, suite = ResultStore(Location.parse(tmp_path)), grid()
    whole = run_chunk(Correlation(), suite, range(len(suite)))
    store.write(whole[:5])
    store.write(whole[5:])
    path = min(tmp_path.rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes({"flip": bytes(content), "cut": bytes(content[:-9]), "empty": b""}[damage])
    read = store.read("grid", "1", "correlation", "1")
    assert read is not None
    assert_equal(read, whole[5:], but=())
    assert "is damaged and its datasets are evaluated again" in caplog.text


def test_a_unit_is_kept_and_changes_no_file_of_results_in_nats(tmp_path: Path) -> None:
    store = ResultStore(Location.parse(tmp_path))
    nats = run_chunk(Correlation(), grid(), range(6))
    other = replace(nats, estimator="share", unit="none")
    for results in (nats, other):
        store.write(results)
        read = store.read("grid", "1", results.estimator, "1")
        assert read is not None
        assert read.unit == results.unit
    assert b"mistworks.units" not in to_parquet([nats])
    assert b"mistworks.units" in to_parquet([nats, other])


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MistworksError, match=r"Expected a folder for results at .*, got a file at .*file\."):
        ResultStore(Location.parse(tmp_path / "file" / "results"))
    with pytest.raises(MistworksError, match="Expected a path or a URL"):
        ResultStore(Location.parse("nope://bucket/results"))


def test_reading_results_makes_nothing(tmp_path: Path) -> None:
    assert ResultStore(Location.parse(tmp_path / "results")).read("suite", "1", "estimator", "1") is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server, and a Dask cluster of threads in this process, where tasks see what tests replace."""
    from distributed import LocalCluster

    @contextmanager
    def cluster() -> Iterator[str]:
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
        ) as started:
            yield started.scheduler_address

    with services(tmp_path_factory.mktemp("services"), cluster()) as found:
        assert found is not None
        yield found


@dataclass
class Stage:
    """Suites and estimators in place of those that names stand for, and the flow on them."""

    address: str
    place: Path
    suites: dict[str, GridSuite] = field(default_factory=dict)
    estimators: dict[str, Correlation] = field(default_factory=dict)

    def find_suite(self, text: str, sizes: tuple[int, ...] | None) -> tuple[SuiteReference, GridSuite]:
        return SuiteReference(text, sizes, self.suites[text].version), self.suites[text]

    def find_estimators(self, texts: Sequence[str], tracking_uri: str) -> list[EstimatorReference]:
        found = [(text, self.estimators[text]) for text in texts]
        return [
            EstimatorReference(text, text, tracking_uri, one.name, one.version, one.slow)
            for text, one in found
        ]

    def evaluate(self, *models: str, suites: Sequence[str] = ("grid",), slow_limit: int = 5) -> Evaluated:
        workspace = Workspace.of(self.place).on(self.address)
        plan = flows.evaluate.plan_evaluation(models, suites, workspace, slow_limit=slow_limit)
        return flows.evaluate.evaluate_planned(plan, workspace)


# Tasks are pickled with the values that they refer to, but for what can be imported.
on_stage: list[Stage] = []


def suite_on_stage(reference: SuiteReference) -> GridSuite:
    return on_stage[-1].suites[reference.text]


def estimator_on_stage(reference: EstimatorReference) -> Correlation:
    return on_stage[-1].estimators[reference.text]


@pytest.fixture
def stage(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(address, tmp_path, {"grid": grid()}, {"correlation": Correlation()})
    monkeypatch.setattr(flows.evaluate, "find_suite", made.find_suite)
    monkeypatch.setattr(flows.evaluate, "find_estimators", made.find_estimators)
    monkeypatch.setattr(tasks.evaluation, "open_suite", suite_on_stage)
    monkeypatch.setattr(tasks.evaluation, "open_estimator", estimator_on_stage)
    on_stage.append(made)
    return made


def test_the_flow_gives_what_one_chunk_gives_and_repeats_nothing(stage: Stage) -> None:
    whole = run_chunk(Correlation(), grid(), range(12))
    first = stage.evaluate("correlation")
    assert_equal(first.results[0], whole)
    assert (first.computed, stage.estimators["correlation"].calls) == (12, 12)
    again = stage.evaluate("correlation")
    assert_equal(again.results[0], first.results[0], but=())
    assert (again.computed, stage.estimators["correlation"].calls) == (0, 12)


def test_tasks_whose_time_is_up_leave_the_rest_to_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limits, "from_environment", lambda: Limits(share_seconds=1e-9))
    evaluated = stage.evaluate("correlation")
    assert_equal(evaluated.results[0], run_chunk(Correlation(), grid(), range(12)))
    assert stage.estimators["correlation"].calls == 12
    assert len(list(stage.place.rglob("*.parquet"))) == 12


def test_what_an_interrupted_run_did_is_kept_and_what_is_damaged_is_made_again(stage: Stage) -> None:
    store = ResultStore(Location.parse(stage.place / "evaluations"))
    store.write(run_chunk(Correlation(), grid(), [1, 5, 6]))
    store.write(run_chunk(Correlation(), grid(), [2, 3]))
    next(path for path in stage.place.rglob("*.parquet") if path.name.startswith("0000002")).write_bytes(b"")
    evaluated = stage.evaluate("correlation")
    assert (evaluated.computed, stage.estimators["correlation"].calls) == (9, 9)
    assert_equal(evaluated.results[0], run_chunk(Correlation(), grid(), range(12)))


def test_a_new_estimator_does_not_repeat_the_old_and_another_version_is_another_estimator(
    stage: Stage,
) -> None:
    stage.evaluate("correlation")
    stage.estimators["newer"] = Correlation(version="2")
    stage.estimators["failing"] = Failing(name="failing")
    both = stage.evaluate("correlation", "newer", "failing")
    assert [one.estimator for one in both.results] == ["correlation", "newer", "failing"]
    assert [one.estimator_version for one in both.results] == ["1", "2", "1"]
    calls = {name: one.calls for name, one in stage.estimators.items()}
    assert (calls["correlation"], calls["newer"]) == (12, 12)
    np.testing.assert_array_equal(both.results[2].failure != "", both.results[2].n == 10)
    row = summarise(both.results[2])
    assert (row.count, row.failures) == (12, 6)


def test_a_suite_of_another_version_is_evaluated_anew(stage: Stage) -> None:
    stage.evaluate("correlation")
    stage.suites["grid"] = grid(version="2")
    assert stage.evaluate("correlation").computed == 12


def test_a_slow_estimator_is_evaluated_on_a_part_that_can_grow(stage: Stage) -> None:
    stage.estimators["slow"] = Correlation(name="slow", slow=True)
    few = stage.evaluate("slow", slow_limit=4)
    assert few.results[0].position.tolist() == random_part(12, 4)
    assert few.datasets == {"grid": 12}
    more = stage.evaluate("slow", slow_limit=100)
    assert (more.computed, len(more.results[0])) == (8, 12)
    assert len(stage.evaluate("slow", slow_limit=4).results[0]) == 4


def test_a_task_that_fails_is_named_and_the_others_are_finished(stage: Stage) -> None:
    class Broken(GridSuite):
        def sample(self, position: int) -> tuple[FloatArray, FloatArray]:
            raise OSError("the disk is gone")

    stage.suites["broken"] = Broken("broken", "1", [Entry("a", "b", Pairs(0.5))], (10, 20))
    with pytest.raises(
        MistworksError, match=r"Expected correlation on dataset \d of broken to finish, got: .*disk"
    ):
        stage.evaluate("correlation", suites=("broken", "grid"))
    assert stage.estimators["correlation"].calls == 12


def test_two_suites_of_one_name_are_refused(stage: Stage) -> None:
    stage.suites["other"] = grid(version="2")
    with pytest.raises(MistworksError, match="got two called grid"):
        stage.evaluate("correlation", suites=("grid", "other"))


def command(*arguments: object, root: Path) -> "subprocess.Popen[str]":
    foreign = ("PREFECT_", "MLFLOW_", "MISTWORKS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "evaluate", *map(str, arguments), "--root", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def output(*arguments: object, root: Path) -> list[dict[str, Any]]:
    process = command(*arguments, "--json", root=root)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return list(json.loads(out))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny validation split."""
    url = str(tmp_path_factory.mktemp("store") / "validation.zarr")
    config = load_preset("tiny").split("validation", None)
    made = create_store(url, Manifest.of("validation", config, partition_size=16, root_seed=0))
    for number in made.missing():
        generate_partition(made, number)
    return url


def test_names_stand_for_estimators(tmp_path: Path) -> None:
    found = find_estimators(["ksg-3", "cca+bootstrap", "classical", "ksg-3"], "sqlite:////nowhere.db")
    labels = [reference.label for reference in found]
    assert labels[:2] == ["ksg-3", "cca+bootstrap"]
    assert len(set(labels)) == len(labels) > 8
    assert [reference.slow for reference in found[:2]] == [False, True]
    for reference in found[:2]:
        assert open_estimator(reference).name == reference.name
    with pytest.raises(
        MistworksError, match=(r"Expected a baseline \(classical, neural, .*ksg-3.*got 'kgs-3'")
    ):
        find_estimators(["kgs-3"], "sqlite:////nowhere.db")
    with pytest.raises(MistworksError, match=r"Expected .* in version 0, got"):
        open_estimator(replace(found[0], version="0"))


def test_an_estimator_in_a_folder_is_known_by_its_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = load_preset("tiny").network
    ranges = TrainingRange(n=(10, 60), dx=(2, 4), dy=(2, 4))
    for folder in ("one", "same"):
        torch.manual_seed(0)
        Estimator(build_network(config), config, "pinball", ranges).save(tmp_path / folder)
    one, same, bootstrapped = find_estimators(
        [str(tmp_path / "one"), str(tmp_path / "same"), f"{tmp_path / 'one'}+bootstrap"], ""
    )
    assert (one.name, one.version) == (same.name, same.version)
    assert one.label != same.label
    assert (bootstrapped.name, bootstrapped.slow) == ("trained+bootstrap", True)
    suite = grid(sizes=(20,), replicates=1)
    results = run_chunk(open_estimator(one), suite, range(3))
    assert results.succeeded.all()
    assert results.has_quantiles.all()


def test_names_and_places_stand_for_suites(store: str, tmp_path: Path) -> None:
    reference, suite = find_suite(store)
    assert (suite.name, suite.version) == ("validation", open_store(store).content_hash())
    assert len(suite) == len(open_store(store))
    assert open_suite(reference) is open_suite(reference)
    assert find_suite("bmi-40", (500,))[1].case(0).n == 500
    with pytest.raises(
        MistworksError, match=r"Expected a suite \(m-test, .*or an existing store, got 'bmi-4'"
    ):
        find_suite("bmi-4")
    with pytest.raises(MistworksError, match=r"got n = 500\. Leave out --sizes"):
        find_suite(store, (500,))
    with pytest.raises(MistworksError, match="Expected no sizes for m-test"):
        find_suite("m-test", (500,))
    with pytest.raises(MistworksError, match=r"Expected .* in version 0, got"):
        open_suite(replace(reference, version="0"))


@pytest.mark.slow
def test_the_command_compares_and_resumes_in_fresh_processes(store: str, tmp_path: Path) -> None:
    """One run is killed on the way; the next finishes it, and its report opens from disk."""
    arguments = ("--models", "cca,gaussian-copula,cca+bootstrap", "--suites", store, "--slow-limit", 24)
    killed = command(*arguments, root=tmp_path)
    deadline = time.monotonic() + 120
    while not (kept := list(tmp_path.glob("evaluations/validation/*/*/*/*.parquet"))):
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    before = {path: path.stat().st_mtime_ns for path in kept}
    rows = output(*arguments, "--report", tmp_path / "report.html", root=tmp_path)
    assert before.items() <= {path: path.stat().st_mtime_ns for path in before}.items()
    assert [(row["estimator"], row["count"]) for row in rows] == [
        ("cca", 36),
        ("gaussian-copula", 36),
        ("cca+bootstrap", 24),
    ]
    suite = find_suite(store)[1]
    expected = summarise(run_chunk(baseline("cca"), suite, range(len(suite))))
    assert rows[0] == {**asdict(expected), "seconds": rows[0]["seconds"]}
    assert "cca+bootstrap" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_sizes_that_are_no_numbers_are_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--models", "ksg-3", "--suites", "bmi-40", "--sizes", "many", "--root", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["mistworks", "evaluate", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: Expected numbers such as 3,7 as --sizes, got 'many'.\n"
