"""The copies family: the columns of the base stay, and what is added follows from them and from noise."""

import numpy as np
import pytest

from mistworks.distributions import Copies, CopiesFamily, Factor, NormalFamily
from mistworks.distributions.coordinates import Coordinates
from mistworks.distributions.copies import Repeats
from mistworks.errors import MistworksError


def test_the_base_stays_and_copies_follow() -> None:
    rng = np.random.default_rng(0)
    base = NormalFamily(dispersion=Factor()).draw(2, 1, rng)
    noise = Coordinates(np.zeros(1, dtype=np.int64))
    weights = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])
    x = Repeats(noise, weights, np.full(3, 0.01), np.array([4, 0, 1, 2, 3, 5]))
    y = Repeats(Coordinates(np.empty(0, dtype=np.int64)), np.ones((1, 1)), np.zeros(1), np.array([1, 0]))
    joint = Copies(base, x, y)
    assert (joint.dx, joint.dy) == (6, 2)
    assert joint.mutual_information == base.mutual_information
    a, b = joint.sample(5_000, np.random.default_rng(1))
    expected, other = base.sample(5_000, np.random.default_rng(1))
    assert np.array_equal(a[:, [4, 0]], expected)
    assert np.array_equal(b[:, [1]], other)
    assert np.array_equal(b[:, 0], b[:, 1])
    columns = np.column_stack([expected, a[:, 1]])
    residual = a[:, [2, 3, 5]] - columns @ weights
    assert residual.std(axis=0) == pytest.approx(0.01, rel=0.06)
    assert np.abs(np.corrcoef(np.column_stack([residual, columns]).T)[:3, 3:]).max() < 0.08


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 7), (37, 37), (64, 64)])
def test_draws_have_their_shape_and_no_exact_copies(dx: int, dy: int) -> None:
    for seed in range(50):
        drawn = CopiesFamily().draw(dx, dy, np.random.default_rng(seed))
        x, y = drawn.sample(200, np.random.default_rng(1))
        assert (x.shape, y.shape) == ((200, dx), (200, dy))
        assert x.dtype == y.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        assert drawn.mutual_information == drawn.base.mutual_information
        for repeats, side in ((drawn.x, x), (drawn.y, y)):
            copies = side[:, repeats.order[len(repeats.order) - len(repeats.scales) :]]
            assert len(np.unique(copies, axis=1).T) == copies.shape[1]


def test_noise_is_what_float32_can_tell() -> None:
    with pytest.raises(MistworksError, match="Expected noise within"):
        CopiesFamily.parse({"noise": {"low": 1e-6, "high": 0.1}})
