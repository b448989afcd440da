"""The atoms family: each side is sometimes a constant, as in zero inflation and dropout."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family, JointDistribution
from mistworks.distributions.dispersion import Factor
from mistworks.distributions.normal import NormalFamily
from mistworks.distributions.priors import Probability
from mistworks.distributions.student import StudentFamily
from mistworks.distributions.tables import table_information
from mistworks.errors import MistworksError

_LEAST_SEEN = 0.1


@dataclass(frozen=True, eq=False)
class Atoms(JointDistribution):
    """X = 0 if the switch S_x is off and X = X′ if it is on, likewise for Y, with (X′, Y′) from a base.

    The switches are independent of the base, and X′ and Y′ are never 0, so that (X, Y) determines the
    switches: I(X;Y) = I(S_x;S_y) + P(S_x = S_y = 1) I(X′;Y′), by the chain rule.

    Attributes:
        switches: P(S_x, S_y), shape (2, 2), with sum 1.
        base: the distribution of (X′, Y′).
        positive: map X′ and Y′ by v ↦ v + √(v² + 1) > 0, which is invertible.

    Raises:
        MistworksError: ``switches`` is not a 2 × 2 table of probabilities with sum 1.
    """

    switches: Array
    base: JointDistribution
    positive: bool = False

    def __post_init__(self) -> None:
        table = self.switches
        if table.shape != (2, 2) or not (table >= 0).all() or abs(float(table.sum()) - 1.0) > 1e-9:
            raise MistworksError(
                f"Expected a 2 × 2 table of probabilities with sum 1 as switches, got {table.tolist()}. "
                "Normalise it."
            )

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return self.base.dx

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return self.base.dy

    @property
    @override
    def mutual_information(self) -> float:
        return table_information(self.switches) + float(self.switches[1, 1]) * self.base.mutual_information

    @property
    @override
    def standard_error(self) -> float:
        """Standard error in nats: that of the base times the probability that both switches are on."""
        return float(self.switches[1, 1]) * self.base.standard_error

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        cumulative = self.switches.ravel().cumsum()
        cell = np.minimum(np.searchsorted(cumulative, rng.random(n), side="right"), 3)
        x, y = self.base.sample(n, rng)
        return self._switched(x, cell >= 2), self._switched(y, cell % 2 == 1)

    def _switched(self, values: FloatArray, on: NDArray[np.bool_]) -> FloatArray:
        if self.positive:
            values = np.exp(np.arcsinh(values))
        else:
            values = np.where(values == 0.0, np.finfo(np.float32).tiny, values)
        return np.asarray(np.where(on[:, None], values, np.float32(0.0)), dtype=np.float32)


class AtomsFamily(Family):
    """Atoms over normal or Student bases. Switches are shared, one-sided, independent or arbitrary.

    Attributes:
        base: family of (X′, Y′).
        positive: probability that all other values are positive, so that 0 is the minimum.
    """

    family: Literal["atoms"] = "atoms"
    base: Annotated[NormalFamily | StudentFamily, Field(discriminator="family")] = NormalFamily(
        dispersion=Factor()
    )
    positive: Probability = 0.5

    @override
    def require_dimensions(self, dx: int, dy: int) -> None:
        self.base.require_dimensions(dx, dy)

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Atoms:
        switches = _draw_switches(rng)
        return Atoms(switches, self.base.draw(dx, dy, rng), positive=bool(rng.random() < self.positive))


def _draw_switches(rng: np.random.Generator) -> Array:
    """Draw switches of one of four kinds; each is on with probability at least 0.1."""
    kind = int(rng.integers(4))
    x_on, y_on = rng.uniform(_LEAST_SEEN, 1.0, 2).tolist()
    if kind == 0:  # shared: both on or both off
        return np.array([[1.0 - x_on, 0.0], [0.0, x_on]])
    if kind == 1:  # one-sided
        table = np.array([[0.0, 1.0 - x_on], [0.0, x_on]])
        return table if rng.random() < 0.5 else table.T.copy()
    if kind == 2:  # independent
        return np.outer([1.0 - x_on, x_on], [1.0 - y_on, y_on])
    table = rng.gamma(1.0, size=(2, 2)) + 0.05
    return np.asarray(table / table.sum())


__all__ = ["Atoms", "AtomsFamily"]
