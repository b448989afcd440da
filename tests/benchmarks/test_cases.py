"""The kinds of ordinary data on which earlier estimators failed, each over sizes, shares, levels, dimensions.

Seeds are fixed, so that a test passes or fails for good with given weights. An interval of 90 % may miss one
sample of ten; a kind passes if clearly more than half of its intervals hold in the quick tests, and if the
share is near the level over all trials in the slow one.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from kinds import (
    KINDS,
    classes_identical,
    few_points,
    integers_independent,
    labels,
    rare_bit,
    repeated_rows,
    separable_classes,
    strong_normal,
)
from numpy.typing import NDArray
from trial import Answer, Trial, ask, seeded

import mistworks
from mistworks.errors import MistworksWarning
from mistworks.evaluation.distributions.strong import StrongNormal

Kind = Callable[..., Trial]

TOO_HIGH = "The shipped weights rate strong normal pairs up to a twentieth too high, with narrow intervals."

QUICK_POINTS = 8_000
"""Quick tests use no larger samples."""


def name_of(kind: Kind) -> str:
    return kind.__name__


def answers(kind: Kind, chosen: Sequence[dict[str, Any]], samples: int) -> list[Answer]:
    return [
        ask(kind(**parameters), seeded(7, kind.__name__, parameters, sample), None)
        for parameters in chosen
        for sample in range(samples)
    ]


def share(held: Sequence[bool]) -> float:
    return float(np.mean(held)) if held else 1.0


def told(found: Sequence[Answer]) -> str:
    """What went wrong, for the message of a failed assertion."""
    return "; ".join(
        f"{each.trial.truth:.3f} at n = {each.trial.n}: {each.mi:.3f} [{each.low:.3f}, {each.high:.3f}] "
        f"{each.refusal[:80]}"
        for each in found
        if not each.right
    )


def kinds(**short: str) -> list[Any]:
    """All kinds; those named fail with the shipped weights for a reason, till better ones let the mark go."""
    return [
        pytest.param(
            kind,
            marks=[pytest.mark.xfail(strict=True, reason=short[kind.__name__])]
            if kind.__name__ in short
            else [],
            id=name_of(kind),
        )
        for kind in KINDS
    ]


class TestKinds:
    @pytest.mark.parametrize(
        "kind",
        kinds(copied_columns="Two of five intervals miss, by a hundredth of a nat.", strong_normal=TOO_HIGH),
    )
    def test_the_plain_case(self, kind: Kind) -> None:
        """Five samples of one distribution: the estimate is near, and the intervals hold."""
        found = answers(kind, [dict(KINDS[kind][0])], 5)
        assert sum(each.covers for each in found) >= 4, told(found)
        if found[0].trial.estimable:
            assert sum(each.near for each in found) >= 4, told(found)

    @pytest.mark.parametrize("kind", kinds())
    def test_other_sizes_shares_levels_and_dimensions(self, kind: Kind) -> None:
        """Of about twelve others, three may miss their interval and two the tolerance."""
        others = [dict(point) for point in KINDS[kind][1:] if point["n"] <= QUICK_POINTS]
        found = answers(kind, others[:: max(1, len(others) // 12)], 1)
        possible = [each for each in found if each.trial.estimable]
        assert share([each.covers for each in found]) >= 0.75, told(found)
        assert share([each.near for each in possible]) >= 0.8, told(found)

    @pytest.mark.parametrize("kind", kinds())
    def test_no_figure_exceeds_the_entropy_of_a_discrete_side(self, kind: Kind) -> None:
        chosen = [dict(point) for point in KINDS[kind] if point["n"] <= QUICK_POINTS][::5]
        for each in answers(kind, chosen, 1):
            assert each.mi <= each.limit
            assert each.low <= each.limit
            # The limit has two standard errors, the upper end 1.64 of them.
            assert each.high <= each.limit * (1 + 1e-6)

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", kinds(strong_normal=TOO_HIGH))
    def test_every_trial(self, kind: Kind) -> None:
        found = answers(kind, [dict(point) for point in KINDS[kind]], 2)
        possible = [each for each in found if each.trial.estimable]
        assert share([each.covers for each in found]) >= 0.84, told(found)
        assert share([each.near for each in possible]) >= 0.9, told(found)


class TestClasses:
    def test_labels_in_another_order_or_language_change_nothing(self) -> None:
        rng = np.random.default_rng(0)
        codes = rng.integers(0, 9, 400)
        y = np.where(rng.random(400) < 0.7, codes, rng.integers(0, 9, 400))
        plain = mistworks.estimate(labels(codes), labels(y))
        for renamed in (rng.permutation(9)[codes], 100 - codes):
            assert mistworks.estimate(labels(renamed), labels(y)) == plain

    @pytest.mark.parametrize("states", [65, 120, 400])
    def test_any_number_of_classes_on_either_side(self, states: int) -> None:
        rng = np.random.default_rng(states)
        classes, values = labels(rng.integers(0, states, 1_500)), rng.normal(size=1_500)
        for pair in ((classes, values), (values, classes)):
            low, high = mistworks.estimate(*pair).interval(0.9)
            assert low <= 0.0 <= high < 0.7

    def test_among_other_columns(self) -> None:
        pandas = pytest.importorskip("pandas")
        rng = np.random.default_rng(1)
        kind = rng.integers(0, 80, 2_000)
        table = pandas.DataFrame(
            {
                "kind": pandas.Categorical(labels(kind)),
                "flag": rng.random(2_000) < 0.3,
                "reading": rng.normal(size=2_000),
            }
        )
        signal = np.sin(kind) + 0.3 * rng.normal(size=2_000)
        informed, empty = mistworks.estimate(table, signal), mistworks.estimate(table, rng.normal(size=2_000))
        assert informed.interval(0.9)[0] > 0.5
        assert empty.interval(0.9)[0] <= 0.02

    def test_truth_values(self) -> None:
        flags = np.random.default_rng(2).random(3_000) < 0.02
        estimate = mistworks.estimate(flags, ~flags)
        share_of_ones = flags.mean()
        entropy = -share_of_ones * math.log(share_of_ones) - (1 - share_of_ones) * math.log1p(-share_of_ones)
        assert estimate.mi == pytest.approx(entropy, abs=0.03)

    @pytest.mark.parametrize("dtype", [np.int64, np.uint64])
    def test_integers_beyond_double_precision_keep_apart(self, dtype: Any) -> None:
        rng = np.random.default_rng(3)
        identity = rng.integers(0, 3, 2_000)
        x = (np.array(2**60, dtype=dtype) + identity.astype(dtype)).astype(dtype)
        assert mistworks.estimate(x, identity).mi == pytest.approx(math.log(3), abs=0.05)


class TestFeatures:
    def test_integers_that_tell_nothing_do_not_outrank_a_signal(self) -> None:
        rng = np.random.default_rng(4)
        y = rng.normal(size=1_500)
        signal = 0.35 * y + math.sqrt(1 - 0.35**2) * rng.normal(size=1_500)
        ranges = ((18, 76), (0, 101), (0, 13), (1, 1_000))
        noise = [rng.integers(*limits, 1_500) for limits in ranges]
        scores = mistworks.feature_scores(np.column_stack([*noise, signal]), y)
        assert int(np.argmax(scores.scores)) == len(ranges)
        assert scores.lower[-1] > 0
        assert (scores.lower[:-1] <= 0.005).all()

    def test_independent_classes_score_nothing(self) -> None:
        rng = np.random.default_rng(5)
        features = np.stack([labels(rng.integers(0, states, 1_000)) for states in (2, 10, 40)], axis=1)
        scores = mistworks.feature_scores(features, labels(rng.integers(0, 10, 1_000)))
        assert (scores.scores < 0.05).all()
        assert (scores.lower <= 0.005).all()


def warnings_of(x: NDArray[Any], y: NDArray[Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mistworks.estimate(x, y)
    return [str(each.message) for each in caught if issubclass(each.category, MistworksWarning)]


class TestWarnings:
    @pytest.mark.parametrize("fraction", [0.06, 0.2])
    def test_repeated_rows(self, fraction: float) -> None:
        x, y = repeated_rows(1_000, fraction).draw(np.random.default_rng(6))
        assert any("copies of others" in message for message in warnings_of(x, y))

    def test_no_word_of_repetition_where_few_rows_are_repeated(self) -> None:
        x, y = repeated_rows(1_000, 0.01).draw(np.random.default_rng(6))
        assert not any("copies of others" in message for message in warnings_of(x, y))

    @pytest.mark.parametrize(
        "trial",
        [
            classes_identical(1_000, 12),
            integers_independent(1_000, 20, 30),
            rare_bit(1_000, 0.05),
            strong_normal(1_000, 1, 3.0),
            few_points(30, 20, 0.3),
        ],
        ids=["classes", "integers", "rare bit", "strong", "few points"],
    )
    def test_no_word_of_repetition_about_others(self, trial: Trial) -> None:
        x, y = trial.draw(np.random.default_rng(6))
        assert not any("copies of others" in message for message in warnings_of(x, y))

    def test_separable_classes_are_no_reason_to_warn_of_infinity(self) -> None:
        x, y = separable_classes(1_000, 2, 20, 2.0).draw(np.random.default_rng(6))
        assert not any("lower bound" in message for message in warnings_of(x, y))


class TestInfinite:
    @staticmethod
    def samples() -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        rng = np.random.default_rng(8)
        x, block = rng.normal(size=600), rng.normal(size=(600, 3))
        return {
            "equal": (x, x),
            "monotone": (x, np.exp(-x)),
            "linear": (block, block @ rng.normal(size=(3, 3))),
            "rounding": (x, (3 * x).astype(np.float32)),
        }

    @pytest.mark.parametrize("name", ["equal", "monotone", "linear", "rounding"])
    def test_the_upper_end_is_infinite_and_a_warning_says_why(self, name: str) -> None:
        x, y = self.samples()[name]
        with pytest.warns(MistworksWarning, match="lower bound"):
            estimate = mistworks.estimate(x, y)
        assert estimate.interval(0.9)[1] == math.inf
        assert estimate.mi > 3

    def test_not_with_noise_of_a_thousandth(self) -> None:
        """Of 20 intervals of level 0.9, four may miss: 4 % of right estimators would have more that do."""
        truth, holds = 0.5 * math.log1p(1e6), []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            x = rng.normal(size=600)
            estimate = mistworks.estimate(x, x + 1e-3 * rng.normal(size=600))
            low, high = estimate.interval(0.9)
            assert high < math.inf
            assert estimate.mi == pytest.approx(truth, rel=0.05)
            holds.append(low <= truth <= high)
        assert sum(holds) >= 16

    @pytest.mark.parametrize("margin", ["normal", "uniform", "exponential"])
    @pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 2), (1, 3), (3, 3)])
    def test_not_where_dependence_is_strong(self, dx: int, dy: int, margin: str) -> None:
        x, y = StrongNormal(dx, dy, 6.0, margin).sample(2_000, np.random.default_rng(10))
        assert not any("lower bound" in message for message in warnings_of(x, y))
