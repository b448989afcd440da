"""Pictures show the sample that was passed, and say what they leave out; none of their texts overlap."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.feature_selection import mutual_info_classif

import mistworks
from mistworks.baselines import KSG, GaussianCopula, PlugIn
from mistworks.errors import MistworksError
from mistworks.estimation.estimate import LEVELS, Estimate
from mistworks.plots import plot, plot_forest, plot_normal_scores, plot_sample
from mistworks.plots.classical import classical_estimates
from mistworks.plots.composition import SIZE, arranged
from mistworks.preparation.reading import read_pair
from mistworks.preparation.scores import normal_scores

RNG = np.random.default_rng(0)
N = 120
CLASSES = RNG.integers(4, size=N)
ARMS = np.array(["Control group of patients that were not treated", "low dose", "medium dose", "high dose"])
FRAME = pd.DataFrame(
    {
        "arm": ARMS[CLASSES],
        "answer": CLASSES + RNG.standard_normal(N),
        "outcome": np.where(CLASSES + RNG.standard_normal(N) > 1.5, "recovered", "relapsed"),
        "zip": np.array([10115, 20095, 50667, 80331])[CLASSES],
        "when": pd.date_range("2026-01-01", periods=N, freq="D"),
    }
)


@pytest.fixture
def ax() -> Axes:
    return Figure(layout="constrained").subplots()


def points(ax: Axes) -> Any:
    """Positions of the points of a picture, shape (n, 2)."""
    [drawn] = [each for each in ax.collections if isinstance(each, PathCollection)]
    return np.asarray(drawn.get_offsets())


def ticks(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


class TestSample:
    def test_points_are_those_passed(self, ax: Axes) -> None:
        x, y = np.random.default_rng(1).standard_normal((2, 50))
        assert plot_sample(x, y, ax) is ax
        assert np.array_equal(points(ax), np.stack([x, y], axis=1))
        assert ax.get_title(loc="left") == "sample of 50 rows"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")

    def test_many_points_are_counted_in_cells(self, ax: Axes) -> None:
        x, y = np.random.default_rng(1).standard_normal((2, 20_000))
        plot_sample(x, y, ax)
        [cells] = [each for each in ax.collections if isinstance(each, PolyCollection)]
        counts = np.asarray(cells.get_array())
        assert counts.min() >= 1
        assert 19_900 < counts.sum() <= 20_000

    def test_areas_of_ties_are_counts(self, ax: Axes) -> None:
        plot_sample([0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 2], ax)
        [drawn] = [each for each in ax.collections if isinstance(each, PathCollection)]
        assert drawn.get_sizes() / drawn.get_sizes().max() == pytest.approx([1, 2 / 3, 1 / 3])

    def test_far_tails_are_left_out_and_told(self, ax: Axes) -> None:
        x, y = np.random.default_rng(1).standard_normal((2, 500))
        x[:2] = 1e9, -1e9
        plot_sample(x, y, ax)
        assert ax.get_title(loc="left") == "sample of 500 rows\n2 beyond the axes"
        assert np.abs(ax.get_xlim()).max() < 20

    def test_classes_have_their_names(self, ax: Axes) -> None:
        plot_sample(FRAME["arm"], FRAME["answer"], ax)
        assert ticks(ax.xaxis) == ["Control group…treated", "high dose", "low dose", "medium dose"]
        medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 1.6]
        assert medians == pytest.approx(FRAME.groupby("arm")["answer"].median().tolist())

    @pytest.mark.parametrize("made", [lambda f: f, lambda f: pl.from_pandas(f), lambda f: f.to_numpy(object)])
    def test_names_of_classes_of_every_package(self, ax: Axes, made: Callable[[Any], Any]) -> None:
        plot_sample(FRAME["answer"].to_numpy(), made(FRAME[["outcome"]]), ax)
        assert ticks(ax.yaxis) == ["recovered", "relapsed"]

    def test_named_classes_and_missing_ones(self, ax: Axes) -> None:
        frame = FRAME.assign(outcome=FRAME["outcome"].where(FRAME.index > 20))
        plot_sample(frame[["zip"]], frame["outcome"], ax, classes=["zip"], missing="category")
        assert ticks(ax.xaxis) == ["10115", "20095", "50667", "80331"]
        assert ticks(ax.yaxis) == ["missing", "recovered", "relapsed"]
        counts = pd.crosstab(frame["outcome"].fillna("missing"), frame["zip"]).to_numpy()
        assert [text.get_text() for text in ax.texts] == [str(count) for count in counts.ravel()]

    def test_rows_that_were_dropped_do_not_shift_names(self, ax: Axes) -> None:
        frame = FRAME.assign(answer=FRAME["answer"].where(FRAME["outcome"] != FRAME["outcome"][0]))
        plot_sample(frame["answer"], frame["outcome"], ax, missing="drop")
        assert ticks(ax.yaxis) == [
            next(name for name in set(FRAME["outcome"]) if name != FRAME["outcome"][0])
        ]

    def test_of_many_classes_the_most_frequent(self, ax: Axes) -> None:
        labels = np.repeat(list("abcdefghijklmnop"), [9, 8, *[2] * 13, 7])
        plot_sample(np.arange(len(labels)), labels, ax)
        assert ticks(ax.yaxis)[:2] == ["a", "b"]
        assert ticks(ax.yaxis)[-2:] == ["p", "7 others"]
        assert len(ticks(ax.yaxis)) == 10

    def test_dates_are_dates(self, ax: Axes) -> None:
        from matplotlib.dates import date2num

        when = FRAME["when"]
        for column in (when, when.dt.tz_localize("UTC"), when.astype("datetime64[s]")):
            ax.clear()
            plot_sample(column, FRAME["answer"], ax)
            assert points(ax)[:, 0] == pytest.approx(date2num(FRAME["when"].to_numpy()))

    def test_several_columns_are_told(self, ax: Axes) -> None:
        x = np.random.default_rng(1).standard_normal((80, 1))
        plot_sample(np.hstack([x, np.exp(x), x**3]), x[:, 0], ax)
        assert "x: first principal component of 3 columns" in ax.get_title(loc="left")
        assert np.corrcoef(points(ax).T)[0, 1] > 0.98
        ax.clear()
        plot_sample(FRAME[["arm", "answer"]], FRAME["outcome"], ax)
        assert "x: the first of 2 columns" in ax.get_title(loc="left")


class TestNormalScores:
    @given(st.lists(st.integers(-5, 5), min_size=1, max_size=60))
    def test_scores_are_those_of_scipy(self, values: list[int]) -> None:
        expected = ndtri(rankdata(values) / (len(values) + 1))
        assert normal_scores(np.array([values], dtype=float))[0] == pytest.approx(expected, abs=1e-7)

    @settings(max_examples=10, deadline=None)
    @given(st.sampled_from([np.exp, np.cbrt, lambda v: 5 - 1e-3 * v]))
    def test_a_monotone_map_changes_nothing_but_the_sign(self, monotone: Callable[[Any], Any]) -> None:
        x, y = np.random.default_rng(2).standard_normal((2, 60))
        drawn = [points(plot_normal_scores(each, y, Figure().subplots())) for each in (x, monotone(x))]
        assert np.abs(drawn[0]) == pytest.approx(np.abs(drawn[1]), abs=1e-7)

    def test_classes_of_both_sides_are_compared_with_independence(self, ax: Axes) -> None:
        plot_normal_scores(FRAME["arm"], FRAME["outcome"], ax)
        counts = pd.crosstab(FRAME["outcome"], FRAME["arm"]).to_numpy()
        expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / counts.sum()
        assert [text.get_text() for text in ax.texts] == [
            f"{value:.1f}" for value in (counts / expected).ravel()
        ]


class TestForest:
    def test_rows_are_the_estimates(self, ax: Axes) -> None:
        known = Estimate(0.5, tuple(np.linspace(0.1, 0.9, len(LEVELS))))
        plot_forest({"known": known, "point": Estimate(-0.02), "none": None}, ax, level=0.5, unit="bits")
        assert ticks(ax.yaxis) == ["known", "point", "none"]
        low, high = known.interval(0.5, unit="bits")
        assert [text.get_text() for text in ax.texts] == [
            f"{known.bits:.3f}  [{low:.3f}, {high:.3f}]",
            f"{-0.02 / np.log(2):.3f}",
            "not defined",
        ]
        assert ax.get_xlim()[0] < -0.02 / np.log(2)
        assert ax.get_xlabel() == "mutual information, bits"

    def test_an_infinite_end_is_an_arrow(self, ax: Axes) -> None:
        middle = LEVELS.index(0.5)
        quantiles = (*np.linspace(2, 3, middle + 1), *[np.inf] * (len(LEVELS) - middle - 1))
        plot_forest({"bound": Estimate(3.0, quantiles)}, ax)
        assert ax.texts[0].get_text().endswith("∞]")
        assert np.isfinite(ax.get_xlim()).all()
        assert ">" in [line.get_marker() for line in ax.lines]

    def test_a_level_that_is_none(self, ax: Axes) -> None:
        with pytest.raises(MistworksError, match="Expected the level of an interval from 0 to"):
            plot_forest({"a": Estimate(0.5, (0.5,) * len(LEVELS))}, ax, level=2)


class TestClassical:
    def test_numbers(self) -> None:
        x, y = np.random.default_rng(1).standard_normal((2, 200, 1))
        found = classical_estimates(*read_pair(x, y))
        assert list(found) == ["KSG, k = 3", "Gaussian copula"]
        assert found["KSG, k = 3"] == KSG().estimate(x, y)
        assert found["Gaussian copula"] == GaussianCopula().estimate(x, y)

    def test_a_part_of_many_rows_is_told(self) -> None:
        found = classical_estimates(*read_pair(*np.random.default_rng(1).standard_normal((2, 6_000))))
        assert list(found) == ["KSG, k = 3 (5,000 rows)", "Gaussian copula"]

    def test_classes(self) -> None:
        sides = read_pair(FRAME["arm"], FRAME["outcome"])
        found = classical_estimates(*sides)
        assert found == {"plug-in (Miller–Madow)": PlugIn().estimate(*map(np.asarray, sides))}

    def test_classes_and_numbers_in_both_orders(self) -> None:
        expected = mutual_info_classif(FRAME[["answer"]], CLASSES, discrete_features=False, random_state=0)[0]
        for pair in ((FRAME["arm"], FRAME["answer"]), (FRAME["answer"], FRAME["arm"])):
            [(name, found)] = classical_estimates(*read_pair(*pair)).items()
            assert name == "k-NN (Ross), k = 3"
            assert found is not None
            assert found.mi == pytest.approx(expected, abs=0.02)

    def test_what_is_not_defined_is_told(self) -> None:
        x = np.random.default_rng(1).standard_normal(100)
        assert classical_estimates(*read_pair(x, np.exp(x)))["Gaussian copula"] is None


def texts(figure: Figure) -> Iterator[Any]:
    """Places of all texts of a figure that are drawn, in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for ax in figure.axes:
        yield ax._left_title.get_window_extent(renderer)
        yield from (text.get_window_extent(renderer) for text in ax.texts)
        for axis in (ax.xaxis, ax.yaxis):
            yield from (each.get_window_extent(renderer) for each in (axis.label, axis.get_offset_text()))
            low, high = sorted(axis.get_view_interval())
            for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
                box = label.get_window_extent(renderer)
                # Corners of turned names are empty.
                if low <= place <= high:
                    yield box.shrunk(0.2, 0.2) if label.get_rotation() % 90 else box


def within(box: Any, whole: Any) -> bool:
    return bool(box.x0 >= -1 and box.y0 >= -1 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (RNG.standard_normal(100), RNG.standard_normal(100)),
        (RNG.standard_normal(100_000), RNG.standard_normal(100_000)),
        (1e6 * RNG.standard_cauchy(400), 1e-6 * RNG.standard_cauchy(400)),
        (
            FRAME[["arm"]].set_axis(["the arm of the trial that a patient was assigned to"], axis=1),
            FRAME["answer"],
        ),
        (FRAME["answer"], FRAME["arm"]),
        (FRAME["outcome"], FRAME["arm"]),
        (FRAME["when"], RNG.poisson(3, N)),
        (RNG.standard_normal((N, 5)), FRAME["answer"]),
    ],
    ids=["100", "100,000", "tails", "long names", "classes", "table", "dates", "columns"],
)
def test_no_text_overlaps_another_or_leaves_the_figure(x: Any, y: Any) -> None:
    figure = Figure(figsize=SIZE, dpi=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mistworks.MistworksWarning)
        drawn = plot(x, y, ax=arranged(figure))
    assert [each.figure for each in drawn] == [figure] * 3
    boxes = [box for box in texts(figure) if box.width > 1 and box.height > 1]
    assert len(boxes) > 15
    assert [box for box in boxes if not within(box, figure.bbox)] == []
    pairs = itertools.combinations([box.shrunk(0.9, 0.9) for box in boxes], 2)
    assert [(one, other) for one, other in pairs if one.overlaps(other)] == []


def test_a_figure_of_its_own_shows_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.setattr("matplotlib.rcParams", {**plt.rcParams, "backend": "agg"})
    plt.switch_backend("agg")
    x = np.random.default_rng(1).standard_normal(60)
    sample, scores, forest = mistworks.plot(x, x + np.random.default_rng(2).standard_normal(60), level=0.5)
    expected = mistworks.estimate(x, x + np.random.default_rng(2).standard_normal(60))
    assert forest.texts[0].get_text().startswith(f"{expected.mi:.3f}  [{expected.interval(0.5)[0]:.3f}")
    assert sample.figure is scores.figure is forest.figure
    plt.close(sample.figure)


def test_given_is_drawn_above_what_it_is_compared_with() -> None:
    drawn = plot(FRAME["answer"], FRAME["outcome"], given=FRAME[["arm"]], ax=arranged(Figure(figsize=SIZE)))
    expected = mistworks.estimate(FRAME["answer"], FRAME["outcome"], given=FRAME[["arm"]])
    assert ticks(drawn[2].yaxis)[:2] == ["I(X;Y|Z), Mistworks", "I(X;Y), Mistworks"]
    assert drawn[2].texts[0].get_text().startswith(f"{expected.mi:.3f}  [")


def test_axes_of_another_number_are_refused(ax: Axes) -> None:
    with pytest.raises(MistworksError, match=r"Expected three axes to draw on, got 1\. Pass ax=None"):
        plot(range(9), range(9), ax=[ax])


def test_bad_input_is_that_of_an_estimate(ax: Axes) -> None:
    with pytest.raises(MistworksError, match=r"Expected no missing values in x, got 1"):
        plot_sample([1.0, np.nan, 3, 4, 5, 6], range(6), ax)
    with pytest.raises(MistworksError, match="with the same number of rows, got 9 and 8"):
        plot_sample(range(9), range(8), ax)
