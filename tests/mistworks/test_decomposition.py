"""Decompositions: oracles of discrete variables in bits, Gaussians in closed form, limits and bad input."""

import itertools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mistworks import decompose
from mistworks.errors import MistworksError
from tests.support.stand_ins import GaussianStandIn

A, B = np.array(list(itertools.product((0, 1), (0, 1))) * 25).T
RNG = np.random.default_rng(0)

# I(A;A∧B) = H(1/4) − ½ = .3113 bits; the total is H(1/4) = .8113.
ORACLES = {
    "xor": (A, B, A ^ B, (0, 0, 0, 1)),
    "and": (A, B, A & B, (0.3113, 0, 0, 0.5)),
    "copied": (A, A, A, (1, 0, 0, 0)),
    "unique": (A, B, A, (0, 1, 0, 0)),
    "two bits": (A, B, 2 * A + B, (0, 1, 1, 0)),
    "other unique": (A, B, B, (0, 0, 1, 0)),
    "constant target": (A, B, np.zeros(100), (0, 0, 0, 0)),
    "constant source": (np.zeros(100), B, B, (0, 0, 1, 0)),
}


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_discrete_oracles_in_bits(name: str) -> None:
    x1, x2, y, expected = ORACLES[name]
    parts = decompose(x1, x2, y)
    assert parts.method == "broja"
    assert tuple(parts.bits.values()) == pytest.approx(expected, abs=1e-3)
    assert parts.total == pytest.approx(sum(expected) * np.log(2), abs=1e-3)


def test_classes_have_no_order() -> None:
    names = np.array(["red", "blue"])
    parts = decompose(names[A], pd.Series(names[B], dtype="category"), names[A ^ B])
    assert parts.bits["synergy"] == pytest.approx(1, abs=1e-3)


def test_gaussians_follow_the_closed_form() -> None:
    # y = x1 + 0.5 x2 + e: I(x1;y) = ½ log(2.25 / 1.25), I(x2;y) = ½ log(2.25 / 2), together ½ log 2.25.
    x1, x2, e = RNG.standard_normal((3, 200_000))
    parts = decompose(x1, x2, x1 + 0.5 * x2 + e, model=GaussianStandIn())
    one, two, both = 0.5 * np.log([2.25 / 1.25, 2.25 / 2, 2.25])
    assert parts.method == "minimum"
    assert tuple(parts.parts.values()) == pytest.approx((two, one - two, 0, both - one), abs=0.01)
    assert parts.total == pytest.approx(both, abs=0.01)


def test_the_estimator_of_the_package_comes_close() -> None:
    x1, x2, e = RNG.standard_normal((3, 2000))
    parts = decompose(x1, x2, x1 + 0.5 * x2 + e)
    one, two, both = 0.5 * np.log([2.25 / 1.25, 2.25 / 2, 2.25])
    assert tuple(parts.parts.values()) == pytest.approx((two, one - two, 0, both - one), abs=0.08)
    assert parts.estimates is not None
    assert [round(each.mi - parts.redundancy, 9) for each in parts.estimates[:2]] == [
        round(parts.unique1, 9),
        round(parts.unique2, 9),
    ]


def test_a_joint_estimate_below_one_source_is_no_negative_synergy() -> None:
    class Falling(GaussianStandIn):
        def estimate_many(self, pairs: Any) -> list[Any]:
            return super().estimate_many(pairs)[:1] * 2 + super().estimate_many(pairs)[1:2]

    x1, x2, e = RNG.standard_normal((3, 100))
    assert decompose(x1, x2, x1 + e, model=Falling()).synergy == 0


def test_the_bias_is_about_what_noise_adds() -> None:
    # Independent sides: the mean total over 30 samples has a standard error of a tenth of it.
    rng = np.random.default_rng(3)
    samples = [decompose(*rng.integers(0, 2, (3, 60))) for _ in range(30)]
    mean = np.mean([each.total for each in samples])
    assert samples[0].bias == pytest.approx(3 / 120)
    assert mean == pytest.approx(3 / 120, rel=0.5)


def test_beyond_few_levels_the_minimum_is_used() -> None:
    many = np.arange(100) % 10
    assert decompose(many, B, A, model=GaussianStandIn()).method == "minimum"
    labels = np.array([f"class {code}" for code in np.arange(100) % 40])
    with pytest.raises(MistworksError, match=r"at most 1,000 for method broja, got 3,200\. Merge classes"):
        decompose(labels, labels, A, method="broja")


def test_it_is_a_table_a_plot_and_a_sentence() -> None:
    parts = decompose(A, B, A ^ B)
    assert parts.to_frame().loc["synergy", "bits"] == pytest.approx(1, abs=1e-3)
    figure, axes = plt.subplots()
    assert parts.plot(axes) is axes
    plt.close(figure)
    assert str(parts) == (
        "redundancy 0.000, unique1 0.000, unique2 0.000, synergy 0.693 nats, method broja, n = 100"
    )


def test_tables_with_a_closed_form_or_a_search_on_a_grid() -> None:
    # For two levels a side, Q has one free number for each y; the objective is convex in both.
    for seed in range(5):
        p = np.random.default_rng(seed).integers(1, 9, (2, 2, 2)).astype(float)
        x1, x2, y = (np.repeat(side.ravel(), p.astype(int).ravel()) for side in np.indices(p.shape))
        parts = decompose(x1, x2, y, method="broja")
        p /= p.sum()
        turn = np.array([[1, -1], [-1, 1]])
        moves = [np.linspace(-min(p[0, 0, k], p[1, 1, k]), min(p[0, 1, k], p[1, 0, k]), 201) for k in (0, 1)]
        best = np.inf
        for first in moves[0]:
            q = np.repeat(p[None], 201, axis=0)
            q[:, :, :, 0] += first * turn
            q[:, :, :, 1] += moves[1][:, None, None] * turn
            q = q.clip(1e-300)
            ratio = q * q.sum(axis=(1, 3))[:, None, :, None]
            ratio /= q.sum(axis=3)[..., None] * q.sum(axis=1)[:, None]
            best = min(best, float((q * np.log(ratio)).sum(axis=(1, 2, 3)).min()))
        assert parts.unique1 == pytest.approx(best, abs=2e-4)


@pytest.mark.parametrize("shape", [(3, 3, 2), (5, 5, 6), (2, 6, 6)])
def test_parts_add_up_and_the_same_table_gives_the_same_parts(shape: tuple[int, int, int]) -> None:
    p = np.random.default_rng(1).integers(0, 5, shape)
    x1, x2, y = (np.repeat(side.ravel(), p.ravel()) for side in np.indices(shape))
    parts, again = decompose(x1, x2, y, method="broja"), decompose(x1, x2, y, method="broja")
    swapped = decompose(x2, x1, y, method="broja")
    assert parts == again
    assert swapped.unique1 == pytest.approx(parts.unique2, abs=1e-4)
    assert min(parts.parts.values()) >= 0
    q = p.sum(axis=1) / p.sum()
    known = float((q * np.log(np.where(q > 0, q / np.outer(q.sum(axis=1), q.sum(axis=0)), 1))).sum())
    assert parts.redundancy + parts.unique1 == pytest.approx(known)


@pytest.mark.parametrize(
    ("x1", "options", "message"),
    [
        (A[:50], {}, "Expected x1 and x2 with the same number of rows, got 50 and 100"),
        (np.where(np.arange(100) == 3, np.nan, A), {}, "Expected no missing values in x1, got 1"),
        (A, {"method": "best"}, "Expected method broja or minimum, got 'best'"),
    ],
)
def test_bad_input_is_refused(x1: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        decompose(x1, B, A ^ B, **options)
