"""Independent blocks: that they share nothing, keep the structure of their kinds, and what is refused."""

import itertools

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats

from mistworks.distributions import (
    AnyFamily,
    CellsFamily,
    Dense,
    Family,
    IndependentFamily,
    StudentFamily,
    Uniform,
)
from mistworks.errors import MistworksError

HEAVY = StudentFamily(
    dispersion=Dense(correlation=Uniform(low=0.0, high=0.0)), degrees_of_freedom=Uniform(low=1.0, high=1.0)
)


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (1, 7), (6, 2), (12, 20)])
def test_blocks_have_their_dimensions_and_no_information(dx: int, dy: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        joint = IndependentFamily().draw(dx, dy, rng)
        assert (joint.dx, joint.dy) == (dx, dy)
        assert (joint.mutual_information, joint.standard_error) == (0.0, 0.0)
        for block, size in zip(joint.sample(30, rng), (dx, dy), strict=True):
            assert (block.shape, block.dtype) == ((30, size), np.float32)
            assert block.flags.c_contiguous
            assert block.flags.owndata
            assert np.isfinite(block).all()


def test_no_function_of_the_blocks_correlates() -> None:
    """Rank correlations of norms, first coordinates and their squares, |z| < 5 in each of 9 · 40 tests.

    Their false-alarm rate is 360 · 6e-7, about 2e-4 for a fresh seed.
    """
    rng = np.random.default_rng(1)
    for _ in range(40):
        x, y = IndependentFamily().draw(3, 4, rng).sample(2_000, rng)
        functions = [
            (np.linalg.norm(b, axis=1), b[:, 0], np.square(b[:, 1] - np.median(b[:, 1]))) for b in (x, y)
        ]
        for f, g in itertools.product(*functions):
            correlation = stats.spearmanr(f, g).statistic if np.ptp(f) > 0 and np.ptp(g) > 0 else 0.0
            assert abs(correlation) * np.sqrt(len(x)) < 5


def test_blocks_keep_the_structure_of_their_kind() -> None:
    """Coordinates of a Student-t block share a scale within the block, and not with the other block."""
    rng = np.random.default_rng(2)
    x, y = np.abs(IndependentFamily(kinds=(HEAVY,)).draw(2, 2, rng).sample(5_000, rng))
    assert stats.spearmanr(x[:, 0], x[:, 1]).statistic > 0.3
    assert stats.spearmanr(y[:, 0], y[:, 1]).statistic > 0.3
    assert abs(stats.spearmanr(x[:, 0], y[:, 0]).statistic) < 5 / np.sqrt(5_000)


def test_each_side_has_a_kind_of_its_own() -> None:
    rng = np.random.default_rng(3)
    family = IndependentFamily(kinds=(HEAVY, CellsFamily()))
    sides = [family.draw(2, 3, rng) for _ in range(60)]
    pairs = {(type(side.x_source).__name__, type(side.y_source).__name__) for side in sides}
    assert pairs == set(itertools.product(("Student", "Cells"), repeat=2))


def test_draws_are_functions_of_the_generator_and_survive_json() -> None:
    adapter: TypeAdapter[Family] = TypeAdapter(AnyFamily)
    parsed = adapter.validate_json(IndependentFamily().canonical_json())
    assert parsed == IndependentFamily()
    for seed in range(20):
        (x, y), again = (
            family.draw(3, 2, np.random.default_rng(seed)).sample(20, np.random.default_rng(seed))
            for family in (IndependentFamily(), parsed)
        )
        assert (x.tobytes(), y.tobytes()) == (again[0].tobytes(), again[1].tobytes())


def test_kinds_that_are_not_defined_beside_one_dimension_are_refused() -> None:
    pair = {"family": "normal", "dispersion": {"structure": "2pair"}}
    with pytest.raises(MistworksError, match="Expected dimension of normal-2pair ≥ 2, got 1"):
        IndependentFamily.parse({"kinds": [pair]})
    with pytest.raises(
        MistworksError, match=r"in kinds\.0 of IndependentFamily, got 'checkerboard'\. Choose one of"
    ):
        IndependentFamily.parse({"kinds": [{"family": "checkerboard"}]})
    with pytest.raises(MistworksError, match="at least 1 item"):
        IndependentFamily.parse({"kinds": []})
    with pytest.raises(MistworksError, match="Expected dimension of independent ≥ 1, got 0"):
        IndependentFamily().draw(0, 1, np.random.default_rng(0))
