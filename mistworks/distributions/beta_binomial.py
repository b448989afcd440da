"""The binomial family: probabilities on one side, counts of successes with these on the other."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from scipy.special import betaln, digamma, gammaln, xlogy
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Family, JointDistribution
from mistworks.distributions.coordinates import Coordinates, draw_coordinates, place
from mistworks.distributions.priors import (
    IntegerPrior,
    LogUniform,
    LogUniformInteger,
    Probability,
    UniformInteger,
    within,
)
from mistworks.errors import MistworksError

_MOST_TRIALS = 10_000


@dataclass(frozen=True)
class BetaBinomial:
    """θ ~ Beta(a, b) and K | θ ~ Bin(m, θ), one coordinate each.

    Attributes:
        trials: m ≥ 1.
        a: first parameter of the beta distribution, positive.
        b: second parameter.

    Raises:
        MistworksError: a parameter is out of range.
    """

    trials: int
    a: float = 1.0
    b: float = 1.0

    def __post_init__(self) -> None:
        if self.trials < 1 or not (0 < self.a < np.inf and 0 < self.b < np.inf):
            raise MistworksError(
                f"Expected at least 1 trial and positive a and b, got {self.trials}, {self.a} and {self.b}. "
                "Change them."
            )

    @property
    def information(self) -> float:
        """I(θ;K) = H(K) − E H(Bin(m, θ)) in nats, exact.

        K has probabilities C(m, k) B(k + a, m − k + b) / B(a, b): for a = b = 1 it is uniform on 0, …, m, and
        H(K) = log(m + 1). Since log P(k | θ) = log C(m, k) + k log θ + (m − k) log(1 − θ), the second term is
        −E log C(m, K) − m (E θ log θ + E (1 − θ) log(1 − θ)). The moments of the beta distribution give
        E θ log θ = a/(a + b) (ψ(a + 1) − ψ(a + b + 1)).
        """
        m, a, b = self.trials, self.a, self.b
        k = np.arange(m + 1)
        choices = gammaln(m + 1) - gammaln(k + 1) - gammaln(m - k + 1)
        log_mass = choices + betaln(k + a, m - k + b) - betaln(a, b)
        mass = np.exp(log_mass)
        both = digamma(a + b + 1)
        logs = (a * (digamma(a + 1) - both) + b * (digamma(b + 1) - both)) / (a + b)
        conditional = -float(mass @ choices) - m * float(logs)
        return max(0.0, -float(xlogy(mass, mass).sum()) - conditional)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw n points (θ, K), shape (n, 2)."""
        theta = rng.beta(self.a, self.b, size=n)
        return np.column_stack([theta, rng.binomial(self.trials, theta)])


@dataclass(frozen=True, eq=False)
class Binomials(JointDistribution):
    """Independent pairs (θᵢ, Kᵢ), among noise: I(X;Y) = Σᵢ I(θᵢ;Kᵢ), by the chain rule.

    Attributes:
        pairs: the distributions of the pairs.
        x_order: the positions in X of the coordinates of pairs, then those of the noise, shape (dx,).
        y_order: the same for Y, shape (dy,).
        x_noise: the other coordinates of X.
        y_noise: the other coordinates of Y.
        swapped: X has the counts and Y the probabilities.
    """

    pairs: tuple[BetaBinomial, ...]
    x_order: NDArray[np.int64]
    y_order: NDArray[np.int64]
    x_noise: Coordinates
    y_noise: Coordinates
    swapped: bool = False

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.x_order)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.y_order)

    @property
    @override
    def mutual_information(self) -> float:
        return sum(pair.information for pair in self.pairs)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        drawn = np.stack([pair.sample(n, rng) for pair in self.pairs], axis=1).astype(np.float32)
        x, y = drawn[:, :, int(self.swapped)], drawn[:, :, 1 - int(self.swapped)]
        return (
            place(x, self.x_order, self.x_noise, rng),
            place(y, self.y_order, self.y_noise, rng),
        )


class BinomialFamily(Family):
    """1 to min(dx, dy, ``pairs.high``) beta–binomial pairs at random positions; the others are noise.

    Attributes:
        trials: number of trials of a pair.
        pairs: number of pairs.
        shape: both parameters of the beta distribution, unless it is uniform.
        uniform: probability that θ is uniform on (0, 1).
    """

    family: Literal["binomial"] = "binomial"
    trials: IntegerPrior = LogUniformInteger(low=1, high=300)
    pairs: IntegerPrior = UniformInteger(low=1, high=4)
    shape: LogUniform = LogUniform(low=0.3, high=10.0)
    uniform: Probability = 0.5

    @field_validator("trials")
    @classmethod
    def _computable(cls, prior: UniformInteger) -> UniformInteger:
        if prior.high > _MOST_TRIALS:
            raise ValueError(f"Expected trials ≤ {_MOST_TRIALS:,}, got {prior.high:,}. Lower it.")
        return prior

    @field_validator("shape")
    @classmethod
    def _resolved(cls, prior: LogUniform) -> LogUniform:
        # Below, most θ would be rounded to 0 or 1.
        return within(prior, 0.1, 1e4, "shape")

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Binomials:
        self.require_dimensions(dx, dy)
        count = min(self.pairs.draw(rng), dx, dy)
        return Binomials(
            tuple(self._pair(rng) for _ in range(count)),
            rng.permutation(dx),
            rng.permutation(dy),
            draw_coordinates(dx - count, rng),
            draw_coordinates(dy - count, rng),
            bool(rng.random() < 0.5),
        )

    def _pair(self, rng: np.random.Generator) -> BetaBinomial:
        trials = self.trials.draw(rng)
        if rng.random() < self.uniform:
            return BetaBinomial(trials)
        return BetaBinomial(trials, self.shape.draw(rng), self.shape.draw(rng))


__all__ = ["BetaBinomial", "BinomialFamily", "Binomials"]
