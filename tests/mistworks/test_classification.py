"""Lower bounds from a classifier's probabilities: digits with replaced labels, closed forms, bad input."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mistworks
from mistworks.classification import classifier_bounds
from mistworks.errors import MistworksError


def replaced_information(share: float) -> float:
    """I(X;L) in nats for ten classes that X determines, replaced by random ones with this probability."""
    same = 1 - share + share / 10
    other = share / 10
    uncertainty = -same * math.log(same) - (9 * other * math.log(other) if other else 0.0)
    return math.log(10) - uncertainty


class TestDigits:
    @pytest.mark.parametrize(
        ("share", "truth", "conformal", "cross_entropy"),
        [(0.0, 2.303, 2.15, 2.12), (0.2, 1.436, 1.14, 1.13), (0.5, 0.626, 0.20, 0.34)],
    )
    def test_replaced_labels(
        self, share: float, truth: float, conformal: float, cross_entropy: float
    ) -> None:
        """The bounds are those of one trial with another classifier, and this one is no worse."""
        from sklearn.datasets import load_digits
        from sklearn.linear_model import LogisticRegression

        assert replaced_information(share) == pytest.approx(truth, abs=6e-4)
        data = load_digits()
        pixels, clean = data.data / 16, data.target
        rng = np.random.default_rng(0)
        labels = np.where(rng.uniform(size=len(clean)) < share, rng.integers(0, 10, len(clean)), clean)
        train = rng.permutation(len(clean)) < 1_000
        fitted = LogisticRegression(max_iter=300).fit(pixels[train], labels[train])
        held_out = ~train
        found = mistworks.classifier_bounds(
            fitted.predict_proba(pixels[held_out]), labels[held_out], classes=fitted.classes_
        )
        assert found.conformal < truth + 4 * found.conformal_se
        assert found.cross_entropy < truth + 4 * found.cross_entropy_se
        assert found.conformal > conformal - 4 * found.conformal_se
        assert found.cross_entropy > cross_entropy - 4 * found.cross_entropy_se


class TestClosedForms:
    def test_certainty(self) -> None:
        labels = np.repeat(["a", "b", "c", "d"], 25)
        found = classifier_bounds(np.repeat(np.eye(4), 25, axis=0), labels)
        assert (found.cross_entropy, found.conformal) == pytest.approx((math.log(4), math.log(4)))
        assert (found.miss_rate, found.mean_size) == (0.0, 1.0)
        assert "of at most 1.386" in str(found)

    def test_no_idea(self) -> None:
        labels = np.tile(np.arange(4), 25)
        found = classifier_bounds(np.full((100, 4), 0.25), labels)
        assert (found.cross_entropy, found.conformal) == pytest.approx((0.0, 0.0), abs=1e-12)
        assert found.mean_size == 4

    def test_a_true_posterior_attains_the_cross_entropy_bound(self) -> None:
        rng = np.random.default_rng(0)
        n = 20_000
        posterior = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]])[rng.integers(0, 3, n)]
        labels = (rng.uniform(size=(n, 1)) > posterior.cumsum(axis=1)).sum(axis=1)
        truth = math.log(3) + sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
        found = classifier_bounds(posterior, labels)
        assert found.cross_entropy == pytest.approx(truth, abs=4 * found.cross_entropy_se)
        assert found.conformal < truth + 4 * found.conformal_se
        # One class is left, or two if it is missed.
        assert found.conformal == pytest.approx(
            math.log(3) + 0.7 * math.log(0.7) + 0.3 * math.log(0.3) - 0.3 * math.log(2), abs=0.05
        )

    def test_only_the_order_of_the_classes_matters_to_prediction_sets(self) -> None:
        rng = np.random.default_rng(0)
        q = rng.dirichlet(np.ones(2), 200)
        labels = (rng.uniform(size=200) > q[:, 0]).astype(int)
        sharp = q**4 / (q**4).sum(axis=1, keepdims=True)
        assert classifier_bounds(q, labels).conformal == pytest.approx(
            classifier_bounds(sharp, labels).conformal
        )

    def test_an_impossible_label_leaves_the_cross_entropy_without_a_bound(self) -> None:
        labels = np.tile([0, 1], 20)
        q = np.where(np.arange(40)[:, None] == 0, [0.0, 1.0], np.eye(2)[labels])
        found = classifier_bounds(q, labels)
        assert (found.cross_entropy, found.cross_entropy_se) == (-math.inf, math.inf)
        assert math.isfinite(found.conformal)

    def test_columns_in_another_order(self) -> None:
        rng = np.random.default_rng(0)
        q = rng.dirichlet(np.ones(3), 60)
        labels = np.array(["x", "y", "z"])[[rng.choice(3, p=row) for row in q]]
        expected = classifier_bounds(q, labels, classes=["x", "y", "z"])
        found = classifier_bounds(q[:, [2, 0, 1]], labels, classes=["z", "x", "y"])
        assert (found.cross_entropy, found.conformal) == pytest.approx(
            (expected.cross_entropy, expected.conformal)
        )

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 10**6), n=st.integers(20, 200), count=st.integers(2, 6))
    def test_bounds_never_exceed_the_entropy(self, seed: int, n: int, count: int) -> None:
        rng = np.random.default_rng(seed)
        q = rng.dirichlet(np.full(count, 0.5), n)
        labels = rng.integers(0, count, n)
        found = classifier_bounds(q, labels, classes=np.arange(count), seed=seed)
        assert max(found.cross_entropy, found.conformal) <= found.entropy + 1e-9 <= math.log(count) + 2e-9
        assert found == classifier_bounds(q, labels, classes=np.arange(count), seed=seed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": np.full((30, 1), 1.0)}, r"at least 20 rows and 2 classes, got \(30, 1\)"),
        ({"probabilities": np.full((19, 2), 0.5)}, "at least 20 rows"),
        ({"probabilities": np.full((30, 2), 0.4)}, "rows of probabilities that sum to 1"),
        ({"probabilities": np.tile([1.5, -0.5], (30, 1))}, "rows of probabilities that sum to 1"),
        ({"labels": np.zeros(29, dtype=int)}, r"one label for each of 30 rows, got shape \(29,\)"),
        ({"labels": np.full(30, 7)}, "labels among the classes of the columns, got 7"),
        ({"classes": [0, 0]}, r"Expected 2 different classes, one for each column, got \[0, 0\]"),
        ({"classes": [0]}, "Expected 2 different classes"),
    ],
)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"probabilities": np.full((30, 2), 0.5), "labels": np.tile([0, 1], 15)}
    with pytest.raises(MistworksError, match=message):
        classifier_bounds(**{**arguments, **change})
