"""Accuracy tables against figures worked out by hand, and what happens to failures."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistworks.dataset import Block, Dataset, FloatArray, Index
from mistworks.errors import MistworksError
from mistworks.evaluation import AccuracyConfig, Evaluation, PointEstimates, evaluate
from mistworks.evaluation.plots import figures


def index_of(
    n: Sequence[int], mi: Sequence[float], family: Sequence[str] | None = None, transform: str = "base"
) -> Index:
    count = len(n)
    return Index(
        n=np.array(n, dtype=np.int64),
        dx=np.full(count, 1, dtype=np.int64),
        dy=np.full(count, 2, dtype=np.int64),
        mi=np.array(mi, dtype=np.float64),
        family=np.array(family or ["normal-dense"] * count),
        transform=np.full(count, transform),
    )


@dataclass
class MemorySource:
    """A split in memory whose samples hold the number of the dataset; counts partitions that were read."""

    index: Index
    partition_size: int = 3
    read: int = 0

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        starts = range(0, len(self), self.partition_size)
        return [(start, min(start + self.partition_size, len(self))) for start in starts]

    def partition(self, number: int) -> Block:
        self.read += 1
        start, stop = self.partition_bounds[number]
        rows = self.index[slice(start, stop)]
        values = np.repeat(np.arange(start, stop), rows.sizes).astype(np.float32)
        return Block(start=start, values=values, offsets=np.cumsum(rows.sizes) - rows.sizes, index=rows)

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Dataset]:
        for number in range(len(self.partition_bounds)):
            yield from self.partition(number)


@dataclass
class FixedEstimate:
    mi: float


@dataclass
class TableEstimator:
    """Answers from a list by the number of the dataset, which its samples hold; none means a refusal."""

    answers: Sequence[float | None]

    def estimate_many(self, pairs: Sequence[tuple[FloatArray, FloatArray]]) -> list[FixedEstimate]:
        answers = [self.answers[int(x[0, 0])] for x, _ in pairs]
        if None in answers:
            raise MistworksError("a sample without NaN was expected")
        return [FixedEstimate(answer) for answer in answers if answer is not None]


def test_every_figure_equals_the_one_worked_out_by_hand() -> None:
    source = MemorySource(index_of([10, 99, 100, 500], [1.0, 2.0, 3.0, 4.0]))
    evaluation = evaluate(TableEstimator([1.5, 1.0, 3.0, 6.0]), source, split="test-imd", prior_mean=2.0)

    # Errors ½, -1, 0, 2; squares ¼, 1, 0, 4.
    total = evaluation.row("test-imd")
    assert (total.count, total.failures) == (4, 0)
    assert total.mse == pytest.approx(5.25 / 4)
    assert total.bias == pytest.approx(1.5 / 4)
    # Sum of squared deviations of the squares: 17.0625 - 4 · 1.3125² = 10.171875; of the errors: 4.6875.
    assert total.mse_se == pytest.approx(math.sqrt(10.171875 / 3) / 2)
    assert total.bias_se == pytest.approx(math.sqrt(4.6875 / 3) / 2)
    assert total.baseline_mse == pytest.approx((1 + 0 + 1 + 4) / 4)

    small = evaluation.row("test-imd", n_bin="10-100")
    assert small.count == 2
    assert small.mse == pytest.approx(0.625)
    assert small.bias == pytest.approx(-0.25)
    middle = evaluation.row("test-imd", n_bin="100-300")
    assert (middle.count, middle.mse, middle.mse_se) == (1, 0.0, None)
    assert evaluation.row("test-imd", n_bin="300-500").mse == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (9, "other"),
        (10, "10-100"),
        (99, "10-100"),
        (100, "100-300"),
        (299, "100-300"),
        (300, "300-500"),
        (500, "300-500"),
        (501, "other"),
    ],
)
def test_bins_include_their_lower_edge_and_the_last_one_both(n: int, expected: str) -> None:
    assert AccuracyConfig().bin_of(np.array([n])).tolist() == [expected]


def test_families_are_told_apart_by_transform_and_by_split() -> None:
    index = index_of([50] * 3, [1.0, 1.0, 1.0], ["additive", "student-sparse", "student-sparse"])
    imd = Evaluation((PointEstimates("imd", index, np.array([2.0, 1.0, 4.0]), 0.0),))
    shifted = index_of([50], [1.0], ["additive"], "asinh")
    both = imd.join(Evaluation((PointEstimates("oomd", shifted, np.array([1.5]), 0.0),)))
    assert both.row("imd", "additive/base").mse == pytest.approx(1.0)
    assert both.row("imd", "student-sparse/base").mse == pytest.approx(4.5)
    assert both.row("oomd", "additive/asinh").mse == pytest.approx(0.25)
    with pytest.raises(
        MistworksError, match=r"no row for split 'imd', family 'additive/asinh'.*splits are imd, oomd"
    ):
        both.row("imd", "additive/asinh")
    with pytest.raises(MistworksError, match="each split once"):
        both.join(imd)


def test_failures_are_counted_and_leave_the_other_figures_alone() -> None:
    source = MemorySource(index_of([50] * 5, [1.0] * 5))
    answers = [2.0, math.nan, None, math.inf, 0.0]
    row = evaluate(TableEstimator(answers), source, split="s").row("s")
    assert (row.count, row.failures) == (5, 3)
    assert row.mse == pytest.approx(1.0)
    assert row.bias == pytest.approx(0.0)


def test_a_split_where_everything_fails_has_no_figures_but_a_count() -> None:
    evaluation = evaluate(
        TableEstimator([math.nan] * 2), MemorySource(index_of([50, 60], [1.0, 3.0])), split="s"
    )
    row = evaluation.row("s")
    assert (row.failures, row.mse, row.mse_se, row.bias, row.bias_se) == (2, None, None, None, None)
    assert row.baseline_mse == pytest.approx(1.0)
    assert "s.mse.all" not in evaluation.metrics()
    assert evaluation.metrics()["s.failures.all"] == 2.0


def test_datasets_outside_the_bins_stay_in_the_total_and_show_as_other() -> None:
    evaluation = evaluate(TableEstimator([1.0, 2.0]), MemorySource(index_of([5, 50], [0.0, 2.0])), split="s")
    assert evaluation.row("s").count == 2
    assert evaluation.row("s", n_bin="other").mse == pytest.approx(1.0)
    assert evaluation.metrics()["s.mse.other"] == pytest.approx(1.0)


def test_the_baseline_without_a_prior_mean_is_the_variance_of_the_truth() -> None:
    truth = [0.5, 1.0, 4.0, 2.0]
    evaluation = evaluate(TableEstimator(truth), MemorySource(index_of([50] * 4, truth)), split="s")
    assert evaluation.row("s").baseline_mse == pytest.approx(np.var(truth))


def test_evaluation_reads_each_partition_once_and_reports_progress() -> None:
    source = MemorySource(index_of([50] * 7, [1.0] * 7))
    seen: list[tuple[int, int]] = []
    evaluate(TableEstimator([1.0] * 7), source, split="s", on_progress=lambda *at: seen.append(at))
    assert seen == [(3, 7), (6, 7), (7, 7)]
    assert source.read == 3


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(MistworksError, match="'s' holds no datasets"):
        evaluate(TableEstimator([]), MemorySource(index_of([], [])), split="s")


@pytest.mark.parametrize("edges", [(10,), (10, 10), (100, 10)])
def test_edges_that_do_not_increase_are_refused(edges: tuple[int, ...]) -> None:
    with pytest.raises(MistworksError, match="two or more increasing edges"):
        AccuracyConfig.parse({"n_edges": edges})


@given(
    st.lists(
        st.tuples(st.integers(1, 700), st.floats(0, 20), st.floats(allow_nan=True, allow_infinity=True)),
        min_size=1,
        max_size=30,
    )
)
def test_groups_add_up_to_their_totals(cases: list[tuple[int, float, float]]) -> None:
    n, mi, estimates = zip(*cases, strict=True)
    index = index_of(n, mi, [f"family-{size % 3}" for size in n])
    evaluation = Evaluation((PointEstimates("s", index, np.array(estimates), 0.0),))
    total = evaluation.row("s")
    assert total.count == len(cases)
    of_bins = [row for row in evaluation.rows if row.family == "all" and row.n_bin != "all"]
    of_families = [row for row in evaluation.rows if row.family != "all" and row.n_bin == "all"]
    for parts in (of_bins, of_families):
        assert sum(row.count for row in parts) == total.count
        assert sum(row.failures for row in parts) == total.failures
        if total.mse is not None:
            weighted = sum(row.mse * (row.count - row.failures) for row in parts if row.mse is not None)
            assert weighted == pytest.approx(total.mse * (total.count - total.failures))
    assert Evaluation.from_json(evaluation.to_json()).rows == evaluation.rows


def test_json_and_csv_hold_the_table() -> None:
    answers = [1.25, math.nan, 2.0]
    evaluation = evaluate(
        TableEstimator(answers), MemorySource(index_of([50, 150, 450], [1.0] * 3)), split="s"
    )
    read = Evaluation.from_json(evaluation.to_json())
    assert read.rows == evaluation.rows
    np.testing.assert_array_equal(read.estimates[0].mi, evaluation.estimates[0].mi)
    assert json.loads(evaluation.to_json())["table"][0]["mse"] == evaluation.rows[0].mse

    lines = list(csv.DictReader(io.StringIO(evaluation.to_csv())))
    assert len(lines) == len(evaluation.rows)
    assert float(lines[0]["mse"]) == evaluation.rows[0].mse
    assert [line["mse"] for line in lines if line["n_bin"] == "100-300"] == ["", ""]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"estimates": [{}], "config": {}}'])
def test_text_that_is_no_evaluation_is_refused(text: str) -> None:
    with pytest.raises(MistworksError, match="not an evaluation written by"):
        Evaluation.from_json(text)


@pytest.mark.parametrize("answers", [[1.5, 2.5, 2.9], [1.0, 2.0, 3.0], [math.nan] * 3, [1.5, math.nan, 3.5]])
def test_plots_are_drawn_and_labelled_in_nats_whatever_the_figures(answers: list[float]) -> None:
    source = MemorySource(index_of([20, 200, 450], [1.0, 2.0, 3.0], ["additive", "normal-lvm", "additive"]))
    evaluation = evaluate(TableEstimator(answers), source, split="test-imd").join(
        evaluate(TableEstimator(answers), source, split="test-oomd")
    )
    drawn = figures(evaluation)
    assert set(drawn) == {"truth", "mse", "bias", "families"}
    for figure in drawn.values():
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        assert picture.getvalue().startswith(b"\x89PNG")
        labels = [text for axis in figure.axes for text in (axis.get_ylabel(), axis.get_xlabel())]
        assert any("nats" in text for text in labels)
