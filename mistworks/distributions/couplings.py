"""The coupling family: tables of two labels that share as much information as their margins allow, weakened.

A coupling of p and q is a table with these margins. The coupling of least entropy has the largest mutual
information, I = H(p) + H(q) − H(table). Finding it is NP-hard; the greedy coupling is within 1/e nats of it.
"""

import heapq
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from mistworks.distributions.base import Array, Family
from mistworks.distributions.coordinates import draw_coordinates
from mistworks.distributions.labels import Labels, draw_encoder, draw_shares
from mistworks.distributions.priors import Probability, log_uniform
from mistworks.errors import MistworksError

GREEDY_GAP = float(np.exp(-1.0))
"""Nats by which the entropy of a greedy coupling exceeds the minimum, at most (Compton et al. 2023)."""

_SUM_TOLERANCE = 1e-9
# What rounding leaves of a mass counts as nothing.
_LEAST_MASS = 1e-15


def greedy_coupling(p: Array, q: Array) -> Array:
    """Couple two distributions greedily: match the two largest remaining masses, and repeat.

    Each match moves the smaller of the two masses to a cell and leaves the difference, so that at most
    |p| + |q| − 1 cells are not zero (Kocaoglu et al., "Entropic causal inference", AAAI 2017). The entropy is
    at most `GREEDY_GAP` above the minimum (Compton et al., "Minimum-entropy coupling approximation guarantees
    beyond the majorization barrier", AISTATS 2023).

    Args:
        p: probabilities of the rows, shape (rows,).
        q: probabilities of the columns, shape (columns,).

    Returns:
        The table, shape (rows, columns), with margins p and q.

    Raises:
        MistworksError: p or q is not a vector of probabilities with sum 1.
    """
    _require_probabilities(p)
    _require_probabilities(q)
    table = np.zeros((len(p), len(q)))
    rows, columns = (
        [(-float(mass), place) for place, mass in enumerate(side) if mass > 0] for side in (p, q)
    )
    heapq.heapify(rows)
    heapq.heapify(columns)
    while rows and columns:
        (row_mass, row), (column_mass, column) = heapq.heappop(rows), heapq.heappop(columns)
        matched = min(-row_mass, -column_mass)
        table[row, column] += matched
        for heap, mass, place in ((rows, row_mass, row), (columns, column_mass, column)):
            if -mass - matched > _LEAST_MASS:
                heapq.heappush(heap, (mass + matched, place))
    return table


def coupling_table(p: Array, q: Array, independence: float) -> Array:
    """Mix the greedy coupling with independence: (1 − λ) C + λ p qᵀ, which has the same margins.

    Args:
        p: probabilities of the rows, shape (rows,).
        q: probabilities of the columns, shape (columns,).
        independence: λ, from 0 to 1.

    Returns:
        The table, shape (rows, columns). Its information is convex in λ and 0 at λ = 1.

    Raises:
        MistworksError: p or q is not a vector of probabilities with sum 1, or λ is out of range.
    """
    if not 0.0 <= independence <= 1.0:
        raise MistworksError(f"Expected a share of independence from 0 to 1, got {independence}. Change it.")
    return (1.0 - independence) * greedy_coupling(p, q) + independence * np.outer(p, q)


def _require_probabilities(shares: Array) -> None:
    valid = shares.ndim == 1 and len(shares) > 0 and bool(np.isfinite(shares).all() and (shares >= 0).all())
    if not valid or abs(float(shares.sum()) - 1.0) > _SUM_TOLERANCE:
        raise MistworksError(
            f"Expected a vector of probabilities with sum 1, got shape {shares.shape} with sum "
            f"{float(shares.sum())}. Normalise it."
        )


class CouplingFamily(Family):
    """Greedy couplings of random label probabilities, mixed with independence, encoded as in `Labels`.

    Attributes:
        most: maximum number of labels of a side; the number is log-uniform from 2.
        deterministic: probability of λ = 0, the coupling itself. Otherwise λ is uniform on (0, 1).
        independent: probability of λ = 1.
    """

    family: Literal["coupling"] = "coupling"
    most: Annotated[int, Field(ge=2, le=500)] = 64
    deterministic: Probability = 0.2
    independent: Probability = 0.1

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Labels:
        self.require_dimensions(dx, dy)
        p, q = (draw_shares(int(log_uniform(2.0, self.most + 1.0, rng)), rng) for _ in range(2))
        table = coupling_table(p, q, self._independence(rng))
        x, y = draw_encoder(len(p), dx, rng), draw_encoder(len(q), dy, rng)
        return Labels(
            table,
            x,
            y,
            rng.permutation(dx),
            rng.permutation(dy),
            draw_coordinates(dx - x.size, rng),
            draw_coordinates(dy - y.size, rng),
        )

    def _independence(self, rng: np.random.Generator) -> float:
        kind = rng.random()
        if kind < self.independent:
            return 1.0
        return 0.0 if kind < self.independent + self.deterministic else float(rng.random())


__all__ = ["GREEDY_GAP", "CouplingFamily", "coupling_table", "greedy_coupling"]
