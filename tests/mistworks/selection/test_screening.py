"""Cheap scores: orthonormal functions, sums by hand, and what they find."""

from collections.abc import Callable

import numpy as np
import pytest

from mistworks.preparation.reading import read_side
from mistworks.selection.screening import ORDER, Functions, functions_of, score_columns, score_pairs

RNG = np.random.default_rng(0)
N = 400


def functions(values: object) -> Functions:
    return functions_of(read_side(values, "X"))


class TestFunctions:
    @pytest.mark.parametrize(
        ("values", "count"),
        [
            (RNG.standard_normal(N), ORDER),
            (RNG.integers(2, size=N), 1),
            (RNG.integers(3, size=N), 2),
            (np.array(list("abcdefgh"))[RNG.integers(8, size=N)], ORDER),
            (np.array(["yes", "no"])[RNG.integers(2, size=N)], 1),
            (np.zeros(N), 0),
        ],
    )
    def test_they_are_orthonormal_and_centred(self, values: object, count: int) -> None:
        found = functions(values)
        assert found.present[:, 0].tolist() == [True] * count + [False] * (ORDER - count)
        kept = found.values[:count, 0]
        np.testing.assert_allclose(kept @ kept.T, np.eye(count), atol=1e-12)
        np.testing.assert_allclose(kept.sum(axis=1), 0, atol=1e-10)
        assert not found.values[count:].any()


class TestScores:
    def test_those_of_independent_columns_are_normal_deviates_at_most(self) -> None:
        """The largest of six deviates: rarely above 4, which one of 4,950 pairs may be."""
        columns, target = functions(RNG.standard_normal((N, 100))), functions(RNG.standard_normal(N))
        assert np.mean(score_columns(columns, None, target) > 2.5) < 0.1
        pairs = score_pairs(columns, columns, target)[np.triu_indices(100, 1)]
        assert np.mean(pairs > 4) < 0.002

    def test_a_pair_of_bits_is_a_chi_squared_of_one_degree(self) -> None:
        """By hand: Wilson and Hilferty's deviate of n r² for the product of two signs."""
        a, b = RNG.integers(2, size=(2, N))
        y = np.where(RNG.random(N) < 0.8, a ^ b, 1 - (a ^ b))
        signs = [np.asarray(bit - bit.mean()) / bit.std() for bit in (a, b, y)]
        square = (signs[0] * signs[1] * signs[2]).sum() ** 2 / N
        expected = (np.cbrt(square) - 7 / 9) / np.sqrt(2 / 9)
        score = score_pairs(functions(a), functions(b), functions(y))
        assert score.shape == (1, 1)
        assert score[0, 0] == pytest.approx(expected)

    @pytest.mark.parametrize(
        "act",
        [
            lambda a, b: np.sign(a * b),
            lambda a, b: np.cos(4 * a) * np.cos(4 * b),
            lambda a, b: a * b + 2 * RNG.standard_normal(N),
        ],
    )
    def test_interactions_stand_out_among_noise(self, act: Callable[..., np.ndarray]) -> None:
        x = RNG.uniform(-1.5, 1.5, (N, 20))
        scores = score_pairs(functions(x), functions(x), functions(act(x[:, 4], x[:, 9])))
        first, second = np.triu_indices(20, 1)
        best = scores[first, second].argmax()
        assert (first[best], second[best]) == (4, 9)

    def test_an_interaction_with_a_given_column_counts(self) -> None:
        x, given = RNG.standard_normal((N, 20)), RNG.standard_normal(N)
        target = functions(x[:, 3] * given)
        assert score_columns(functions(x), functions(given), target).argmax() == 3

    def test_a_constant_column_is_never_chosen(self) -> None:
        columns, target = functions(np.zeros((N, 2))), functions(RNG.standard_normal(N))
        assert np.isneginf(score_columns(columns, None, target)).all()
        assert np.isneginf(score_pairs(columns, columns, target)).all()
