"""A fixed mix of samples that the compiled statistics are compared with the oracle on."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mistworks.statistics import Ranked

SHAPES = (
    (5, 1, 1),
    (6, 3, 2),
    (9, 1, 4),
    (12, 16, 16),
    (33, 2, 2),
    (60, 1, 1),
    (97, 5, 3),
    (100, 40, 30),
    (130, 7, 9),
    (193, 1, 1),
    (250, 16, 16),
    (511, 3, 3),
    (513, 1, 1),
    (700, 2, 6),
    (1_500, 10, 10),
    (4_100, 1, 1),
    (5_000, 3, 4),
)
"""Number of points, columns of X and of Y."""


def samples() -> Iterator[tuple[str, Ranked]]:
    """Name and ranks of each: continuous, tied in several ways, heavy tails, copies, constants, n < d."""
    rng = np.random.default_rng(20261126)
    for n, dx, dy in SHAPES:
        z = _correlated(rng, n, dx + dy)
        kinds = {
            "normal": z,
            "independent": rng.standard_normal((n, dx + dy)),
            "heavy": z / rng.gamma(0.6, size=(n, 1)),
            "rounded": np.round(2 * z),
            "integers": rng.integers(0, max(2, n // 3), size=(n, dx + dy)).astype(float),
            "mixed": np.where(np.arange(dx + dy) % 2 == 0, np.sign(z), z),
            "rare": (rng.random((n, dx + dy)) < 0.04).astype(float) + (np.arange(n) == 0)[:, None],
            "strong": z[:, :1] + 1e-3 * z,
            "inflated": np.maximum(z, 0.0),
            "repeated": np.repeat(z[: (n + 1) // 2], 2, axis=0)[:n],
        }
        for kind, values in kinds.items():
            yield f"{kind} {n} {dx} {dy}", Ranked.of(values[:, :dx], values[:, dx:])
    constant = np.ones((50, 2))
    yield "constant x", Ranked.of(constant, rng.standard_normal((50, 2)))
    yield "constants", Ranked.of(constant, constant)
    lattice = np.array(np.meshgrid(np.arange(12), np.arange(12))).reshape(2, -1).T
    yield "lattice", Ranked.of(lattice[:, :1], lattice[:, 1:])
    classes = rng.integers(0, 4, size=400)
    yield "classes", Ranked.of(classes[:, None], classes[:, None] + rng.standard_normal((400, 3)))
    many = _correlated(rng, 17_000, 4)
    yield "more than the points of neighbours", Ranked.of(np.round(many[:, :2]), many[:, 2:])
    yield "one class alone", Ranked.of((np.arange(300) == 7)[:, None], rng.standard_normal((300, 2)))


def _correlated(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    common = rng.standard_normal((n, 2))
    return np.asarray(common @ rng.standard_normal((2, d)) * 0.7 + rng.standard_normal((n, d)))
