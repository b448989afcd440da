"""What carries no information changes nothing: copies, names of classes, orders; what repeats is told."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mistworks.distributions import AdditiveNoiseFamily, MixtureFamily, StrongFamily
from mistworks.evaluation.suites import suite
from mistworks.preparation.prepare import Prepared, prepare, rank_pair
from mistworks.statistics.ranked import Ranked

Column = np.ndarray

KINDS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "continuous": lambda rng, n: rng.standard_normal(n),
    "float32": lambda rng, n: rng.standard_exponential(n).astype(np.float32),
    "heavy-tailed": lambda rng, n: rng.standard_cauchy(n) ** 3,
    "integers": lambda rng, n: rng.integers(-3, 30, n),
    "large integers": lambda rng, n: 2**60 + rng.integers(0, 9, n),
    "rounded": lambda rng, n: np.round(rng.standard_normal(n), 1),
    "bool": lambda rng, n: rng.random(n) < 0.3,
    "rare": lambda rng, n: (rng.random(n) < 0.05).astype(float),
    "zero-inflated": lambda rng, n: np.where(rng.random(n) < 0.4, 0.0, rng.standard_normal(n)),
    "classes": lambda rng, n: np.array([f"k{code}" for code in rng.integers(0, 6, n)]),
    "many classes": lambda rng, n: np.array([f"k{code}" for code in rng.integers(0, n, n)]),
    "category": lambda rng, n: pd.Categorical([f"c{code}" for code in rng.geometric(0.4, n)]),
}
LATTICE = {"integers", "rounded"}
kinds = st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3)


def side_of(rng: np.random.Generator, n: int, names: list[str]) -> list[Any]:
    return [KINDS[name](rng, n) for name in names]


def frame(columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({str(position): column for position, column in enumerate(columns)})


def relabelled(rng: np.random.Generator, column: Any) -> np.ndarray:
    values = np.asarray(column)
    names, codes = np.unique(values, return_inverse=True)
    return np.array([f"new {code}" for code in rng.permutation(len(names))])[codes]


def remapped(rng: np.random.Generator, kind: str, column: Any) -> Any:
    """The same information: classes renamed, numbers mapped monotonically, in the same type of holder."""
    if kind in {"classes", "many classes"}:
        return relabelled(rng, column)
    if kind == "category":
        return pd.Categorical(relabelled(rng, column))
    if kind in {"bool", "large integers"}:
        return ~column if kind == "bool" else 2**62 - 3 * column
    sign = rng.choice([-1.0, 1.0])
    if kind in LATTICE or kind == "zero-inflated":
        return 7.0 + 3.0 * sign * column.astype(float)
    return sign * np.arcsinh(column.astype(float)) ** 3


def digest(ranked: Ranked) -> Any:
    """Equal for samples that differ by reflections or the order of points, columns or sides; else not.

    Colours of rows and columns are refined in turn (Weisfeiler and Leman), with Python's own hash; signs
    enter by absolute values of third moments.
    """
    centred = ranked.ranks.astype(object) - (ranked.n - 1)
    cells = [[abs(int(value)) for value in row] for row in centred]
    columns = [0] * len(cells)
    rows = [0] * ranked.n
    for _ in range(3):
        rows = [
            hash(
                tuple(
                    sorted(
                        hash(tuple(sorted((columns[j], cells[j][i]) for j in side)))
                        for side in (range(ranked.dx), range(ranked.dx, len(cells)))
                    )
                )
            )
            for i in range(ranked.n)
        ]
        columns = [hash(tuple(sorted(zip(rows, cells[j], strict=True)))) for j in range(len(cells))]
    weights = [value % 1009 for value in rows]
    moments = sorted(
        (
            *sorted((columns[j], columns[k])),
            abs(sum(w * centred[j][i] * centred[k][i] for i, w in enumerate(weights))),
        )
        for j in range(len(cells))
        for k in range(j)
    )
    sides = sorted([sorted(columns[: ranked.dx]), sorted(columns[ranked.dx :])])
    return sorted(rows), sides, moments


def assert_same(first: Prepared, second: Prepared) -> None:
    assert sorted([first.dx, first.dy]) == sorted([second.dx, second.dy])
    assert first.n == second.n
    assert first.notes == second.notes
    assert first.constant == second.constant
    assert first.constant or digest(first.ranked) == digest(second.ranked)
    assert first.infinite == second.infinite


class TestInvariances:
    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(12, 50), kinds, kinds)
    @example(0, 50, ["rare"], ["classes"])
    @example(1, 50, ["many classes"], ["many classes"])
    @example(2, 50, ["rare", "bool"], ["category", "rare"])
    def test_orders_names_and_scales_change_nothing(
        self, seed: int, n: int, of_x: list[str], of_y: list[str]
    ) -> None:
        rng = np.random.default_rng(seed)
        x, y = side_of(rng, n, of_x), side_of(rng, n, of_y)
        points = rng.permutation(n)
        sides = []
        for names, columns in ((of_x, x), (of_y, y)):
            mapped = [remapped(rng, kind, column) for kind, column in zip(names, columns, strict=True)]
            sides.append(frame([mapped[j] for j in rng.permutation(len(mapped))]).iloc[points])
        assert_same(prepare(frame(x), frame(y)), prepare(sides[1], sides[0]))

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(12, 50), kinds, kinds)
    def test_identical_sides_in_any_order(self, seed: int, n: int, of_x: list[str], of_y: list[str]) -> None:
        rng = np.random.default_rng(seed)
        x = side_of(rng, n, of_x)
        y = [*x, *side_of(rng, n, of_y)]
        points = rng.permutation(n)
        assert_same(prepare(frame(x), frame(y)), prepare(frame(y).iloc[points], frame(x).iloc[points]))

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(12, 50), kinds, kinds)
    @example(0, 50, ["rare"], ["continuous"])
    def test_copies_of_columns_change_nothing(
        self, seed: int, n: int, of_x: list[str], of_y: list[str]
    ) -> None:
        rng = np.random.default_rng(seed)
        x, y = side_of(rng, n, of_x), side_of(rng, n, of_y)
        copied = [(remapped(rng, kind, column), column) for kind, column in zip(of_x, x, strict=True)]
        more = [column for pair in copied for column in pair]
        more += [
            column
            if kind in {"bool", "classes", "many classes", "category", "large integers"}
            else np.exp(column)
            for kind, column in zip(of_x, x, strict=True)
            if kind != "heavy-tailed"
        ]
        wide = frame([more[j] for j in rng.permutation(len(more))])
        assert_same(prepare(frame(x), frame(y)), prepare(wide, frame(y)))
        assert_same(prepare(frame(x), frame(y)), prepare(frame(y), wide))

    def test_classes_are_a_copy_of_the_numbers_that_number_them(self) -> None:
        rng = np.random.default_rng(0)
        codes, y = rng.integers(0, 9, 100), rng.standard_normal(100)
        prepared = prepare(frame([relabelled(rng, codes), codes]), y)
        assert prepared.dx == 1
        assert not prepared.x.nominal.any()

    def test_constant_columns_are_left_out(self) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((30, 2)), rng.standard_normal(30)
        wide = frame([np.ones(30), x[:, 0], ["same"] * 30, x[:, 1]])
        np.testing.assert_array_equal(prepare(wide, y).ranked.ranks, prepare(x, y).ranked.ranks)
        constant = prepare(np.ones((30, 3)), y)
        assert constant.constant
        assert (constant.dx, constant.dy) == (0, 1)
        assert constant.ranked.ranks.shape == (2, 30)
        assert not constant.infinite
        assert prepare(np.ones(30), [str(number % 7) for number in range(30)]).constant
        assert prepare(["same"] * 30, np.ones(30)).ranked.ranks.tolist() == [[29] * 30] * 2


class TestCombinations:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize(("n", "d"), [(30, 2), (100, 5), (1_000, 20)])
    @pytest.mark.parametrize("offset", [0.0, 10.0])
    def test_exact_ones_are_left_out(self, dtype: type, n: int, d: int, offset: float) -> None:
        rng = np.random.default_rng(n)
        x = rng.standard_normal((n, d)) * 10 ** rng.uniform(-1, 1, d) + offset
        x = np.c_[x, x @ rng.standard_normal(d), x[:, 0] - 2 * x[:, 1] + 3].astype(dtype)
        y = rng.standard_normal(n)
        prepared = prepare(x, y)
        assert prepared.dx == d
        points, columns = rng.permutation(n), rng.permutation(d + 2)
        again = prepare(x[points][:, columns], y[points])
        assert sorted(columns[list(again.x.labels)]) == sorted(prepared.x.labels)

    @pytest.mark.parametrize("noise", [1e-1, 1e-2, 1e-3])
    @pytest.mark.parametrize("n", [300, 1_000])
    def test_near_copies_are_kept(self, n: int, noise: float) -> None:
        rng = np.random.default_rng(n)
        x = rng.standard_normal((n, 3))
        near = np.c_[
            x, x[:, :2] + noise * rng.standard_normal((n, 2)), x.sum(axis=1) + noise * rng.standard_normal(n)
        ]
        assert prepare(near, x[:, 0]).dx == 6

    def test_indicators_of_classes_leave_out_one(self) -> None:
        rng = np.random.default_rng(0)
        assert prepare(np.eye(5)[rng.integers(0, 5, 200)], rng.standard_normal(200)).dx == 4

    def test_outliers_in_one_row_are_no_combination(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((200, 3))
        x[7] = [1e9, -2e9, 1e9]
        assert prepare(x, rng.standard_normal(200)).dx == 3

    def test_few_points_leave_all(self) -> None:
        rng = np.random.default_rng(0)
        assert prepare(rng.standard_normal((30, 64)), rng.standard_normal((30, 64))).ranked.ranks.shape == (
            128,
            30,
        )


class TestRepeatedRows:
    @pytest.mark.parametrize("n", [60, 200, 2_000])
    @pytest.mark.parametrize("target", ["continuous", "bool", "classes", "integers"])
    def test_bootstrap_resamples_are_told_of(self, n: int, target: str) -> None:
        rng = np.random.default_rng(n)
        x, y = rng.standard_normal((n, 2)), KINDS[target](rng, n)
        again = rng.integers(0, n, n)
        prepared = prepare(x[again], y[again])
        kept = len(np.unique(again))
        assert prepared.n == kept
        assert prepared.notes[0].startswith(f"{n - kept:,} of {n:,} points are exact copies of others")
        points = np.unique(again)
        assert digest(prepared.ranked) == digest(prepare(x[points], y[points]).ranked) or n > 200

    def test_few_copies_are_dropped_without_a_word(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((300, 2))
        x[:10] = x[10:20]
        prepared = prepare(x[:, 0], x[:, 1])
        assert (prepared.n, prepared.notes) == (290, ())
        assert prepared.rows is not None

    @pytest.mark.parametrize("classes", [2, 5])
    def test_ties_of_rounded_numbers_beside_classes_that_follow_from_them_are_kept(
        self, classes: int
    ) -> None:
        for seed in range(5):
            rng = np.random.default_rng(seed)
            # Four significant digits lie on no lattice.
            x = np.array([float(f"{value:.4g}") for value in rng.lognormal(4, 1.2, 2_000)])
            cuts = np.quantile(x, np.arange(1, classes) / classes)
            prepared = prepare(x, np.searchsorted(cuts, x).astype(str))
            assert (prepared.n, prepared.notes) == (2_000, ())

    @pytest.mark.parametrize("n", [50, 500])
    @pytest.mark.parametrize(
        "draw",
        [
            lambda rng, n: (rng.integers(0, 2, (n, 3)), rng.integers(0, 2, n)),
            lambda rng, n: (rng.integers(0, 60, n),) * 2,
            lambda rng, n: (rng.integers(0, n // 2, n),) * 2,
            lambda rng, n: (KINDS["many classes"](rng, n),) * 2,
            lambda rng, n: (np.round(rng.standard_normal(n), 2),) * 2,
            lambda rng, n: (2.54 * rng.integers(55, 80, n), 0.4536 * rng.integers(90, 250, n)),
            lambda rng, n: (np.where(rng.random((n, 1)) < 0.4, 0, rng.standard_normal((n, 2))),) * 2,
            lambda rng, n: (np.maximum(rng.standard_normal(n), 0.5),) * 2,
            lambda rng, n: (np.exp(rng.integers(0, n, n)), rng.random(n) < 0.02),
            lambda rng, n: (rng.standard_normal(10)[rng.integers(0, 10, n)],) * 2,
        ],
    )
    def test_natural_ties_are_kept(self, n: int, draw: Callable[..., Any]) -> None:
        for seed in range(5):
            prepared = prepare(*draw(np.random.default_rng(seed), n))
            assert (prepared.n, prepared.rows, prepared.notes) == (n, None, ())


def function_of(g: Callable[[Any], Any], d: int = 0) -> Callable[[np.random.Generator, int], Any]:
    def draw(rng: np.random.Generator, n: int) -> Any:
        x = rng.standard_normal((n, d) if d else n)
        return x, g(x)

    return draw


FUNCTIONS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "copy": function_of(lambda x: 3 * x + 100),
    "cube": function_of(lambda x: x**3),
    "exponential": function_of(lambda x: np.exp(-2 * x)),
    "square": function_of(np.square),
    "wave": function_of(lambda x: np.sin(5 * x)),
    "circle": function_of(lambda x: np.c_[np.cos(3 * x), np.sin(3 * x)]),
    "single precision": function_of(lambda x: x.astype(np.float32)),
    "rectified": function_of(lambda x: np.maximum(x, 0)),
    "norm in 2": function_of(lambda x: np.linalg.norm(x, axis=1), 2),
    "norm in 3": function_of(lambda x: np.linalg.norm(x, axis=1), 3),
    "product": function_of(lambda x: x[:, 0] * x[:, 1], 2),
    "rotation": function_of(lambda x: x @ np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2)[0], 3),
    "sum of 16": function_of(lambda x: x.sum(axis=1), 16),
    "slow wave": function_of(lambda x: np.sin(3 * x)),
    "modulus": function_of(np.abs),
    "sum of 2": function_of(lambda x: x @ [1, -2], 2),
    "mean of 5": function_of(lambda x: x.mean(axis=1), 5),
    "shared column": lambda rng, n: (lambda s: (np.c_[s, rng.standard_normal(n)], np.c_[rng.random(n), s]))(
        rng.random(n)
    ),
}


def noisy(g: Callable[[Any], Any], noise: float) -> Callable[[np.random.Generator, int], Any]:
    def draw(rng: np.random.Generator, n: int) -> Any:
        x = rng.standard_normal(n)
        y = g(x)
        return x, y + noise * y.std() * rng.standard_normal(n)

    return draw


def strong(nats: float, d: int) -> Callable[[np.random.Generator, int], Any]:
    def draw(rng: np.random.Generator, n: int) -> Any:
        rho = np.sqrt(1 - np.exp(-2 * nats / d))
        x = rng.standard_normal((n, d))
        return x, rho * x + np.sqrt(1 - rho**2) * rng.standard_normal((n, d))

    return draw


FINITE: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "independent": lambda rng, n: (rng.standard_normal((n, 3)), rng.standard_normal((n, 3))),
    "noise of 1e-3": noisy(lambda x: x, 1e-3),
    "wave with noise of 1e-3": noisy(lambda x: np.sin(5 * x), 1e-3),
    "square with noise of 1e-3": noisy(np.square, 1e-3),
    "10 nats": strong(10, 1),
    "10 nats beside noise": lambda rng, n: (lambda x, y: (x, np.c_[y, rng.standard_normal((n, 2))]))(
        *strong(10, 1)(rng, n)
    ),
    "10 nats in 2": strong(10, 2),
    "10 nats in 3": strong(10, 3),
    "60 nats in 16": strong(60, 16),
    "10 nats, other margins": lambda rng, n: (lambda x, y: (np.sinh(x), y**3))(*strong(10, 1)(rng, n)),
    "10 nats, uniform": lambda rng, n: (lambda x: (x, x + rng.uniform(-1e-4, 1e-4, n)))(rng.random(n)),
    "classes": lambda rng, n: (KINDS["classes"](rng, n),) * 2,
    "integers": lambda rng, n: (rng.integers(0, 1000, n),) * 2,
    "rounded": lambda rng, n: (lambda x: (x.round(2), x.round(3)))(rng.standard_normal(n)),
    "a bit shared": lambda rng, n: (
        lambda bit: (np.c_[bit, rng.standard_normal(n)], np.c_[bit, rng.standard_normal(n)])
    )(rng.integers(0, 2, n)),
    "a bit and its sum with noise": lambda rng, n: (lambda bit, noise: (bit, np.c_[noise, noise + bit]))(
        rng.integers(0, 2, n), rng.standard_normal(n)
    ),
    "cluster by class": lambda rng, n: (lambda c: (c, 10 * c + rng.standard_normal(n)))(
        rng.integers(0, 4, n)
    ),
}


class TestInfinite:
    @pytest.mark.parametrize("n", [100, 1_000, 10_000])
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_functions_are_recognised(self, name: str, n: int) -> None:
        for seed in range(3):
            x, y = FUNCTIONS[name](np.random.default_rng(seed), n)
            assert prepare(x, y).infinite
            assert prepare(y, x).infinite

    @pytest.mark.parametrize("n", [200, 3_000])
    @pytest.mark.parametrize("rounded", [lambda x: x.astype(np.float32), lambda x: np.round(x, 6)])
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_functions_are_recognised_though_rounded(
        self, name: str, rounded: Callable[[Any], Any], n: int
    ) -> None:
        x, y = map(rounded, FUNCTIONS[name](np.random.default_rng(n), n))
        assert prepare(x, y).infinite

    @pytest.mark.parametrize("offset", [0, 100])
    def test_what_single_precision_rounds_away_is_no_noise(self, offset: float) -> None:
        x = np.random.default_rng(0).standard_normal(500).astype(np.float32)
        assert prepare(x, (3 * x + offset).astype(np.float32)).infinite

    @pytest.mark.parametrize("n", [300, 1_000, 10_000])
    def test_a_smooth_function_of_two_columns(self, n: int) -> None:
        for seed in range(3):
            x = np.random.default_rng(seed).standard_normal((n, 2))
            assert prepare(x, np.sin(2 * x[:, 0] + x[:, 1])).infinite

    @pytest.mark.parametrize("n", [20, 50, 100, 300, 1_000, 10_000])
    @pytest.mark.parametrize("name", FINITE)
    def test_strong_dependence_is_not(self, name: str, n: int) -> None:
        for seed in range(3):
            assert not prepare(*FINITE[name](np.random.default_rng(seed), n)).infinite

    def test_no_dataset_of_the_suite_strong_is(self) -> None:
        strong_suite = suite("strong")
        assert not any(prepare(*strong_suite.sample(case)).infinite for case in range(len(strong_suite)))

    @pytest.mark.parametrize("family", [StrongFamily(), AdditiveNoiseFamily(), MixtureFamily()])
    def test_no_draw_of_a_family_is(self, family: StrongFamily) -> None:
        for seed in range(60):
            rng = np.random.default_rng(seed)
            n, d = int(np.exp(rng.uniform(3, 9))), int(rng.integers(1, 4))
            x, y = family.draw(d, d, rng).sample(n, rng)
            assert not prepare(x, y).infinite


class TestTraining:
    @pytest.mark.parametrize(("n", "dx", "dy"), [(10, 1, 1), (200, 3, 2), (50, 32, 32)])
    def test_trusted_arrays_give_the_same_ranks(self, n: int, dx: int, dy: int) -> None:
        rng = np.random.default_rng(n)
        x = rng.standard_normal((n, dx)).astype(np.float32)
        y = np.round(rng.standard_normal((n, dy)), 1).astype(np.float32)
        x = np.c_[x, x[:, :1], np.ones(n, dtype=np.float32)]
        np.testing.assert_array_equal(rank_pair(x, y).ranks, prepare(x, y).ranked.ranks)
        assert rank_pair(x, y).dx == dx

    def test_constant_sides_have_one_column(self) -> None:
        ranked = rank_pair(np.ones((9, 2), dtype=np.float32), np.ones((9, 1), dtype=np.float32))
        assert ranked.ranks.tolist() == [[8] * 9] * 2


def test_raw_columns_lie_in_the_unit_range() -> None:
    rng = np.random.default_rng(0)
    x = 1e9 + np.arange(30) * 1e-3
    raw_x, raw_y = prepare(np.c_[x, np.ones(30)], rng.standard_normal((30, 2))).raw()
    assert raw_x.shape == (30, 1)
    assert raw_y.dtype == np.float32
    assert np.unique(raw_x).size == 30
    assert np.abs(raw_y).max() == 1


def test_nothing_is_warned_of_by_itself() -> None:
    codes = np.random.default_rng(0).integers(0, 3, 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in FINITE.values():
            assert prepare(*draw(np.random.default_rng(0), 200)).notes == ()
        prepare(codes, codes)
