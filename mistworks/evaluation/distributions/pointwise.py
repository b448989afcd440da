"""Joint distributions with a computable density ratio, and their stored Monte Carlo truths.

I(X;Y) = E[log p(x, y) − log p(x) − log p(y)], the mean of the pointwise mutual information. Without a closed
form, ``benchmarks/beyond_truth.py`` computes that mean over many draws and stores it with its standard error
under a fingerprint of the parameters. A changed parameter has no truth until the script is run again.
"""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions import JointDistribution
from mistworks.errors import MistworksError

Array = NDArray[np.float64]

TRUTHS_FILE = Path(__file__).with_name("beyond_truth.json")

_BLOCK = 20_000


@dataclass(frozen=True, slots=True)
class Truth:
    """A Monte Carlo mean of the pointwise mutual information.

    Attributes:
        name: the distribution in its suite, for readers of the file.
        mi: the mean in nats.
        standard_error: its standard error in nats.
        samples: number of draws.
        seed: root seed of the draws.
    """

    name: str
    mi: float
    standard_error: float
    samples: int
    seed: int


class PointwiseJoint(JointDistribution):
    """A joint distribution with an exact pointwise mutual information.

    Subclasses are frozen dataclasses: the fingerprint is a hash of their ``repr``.
    """

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points in double precision: shapes (n, dx) and (n, dy)."""

    @abstractmethod
    def pointwise(self, x: Array, y: Array) -> Array:
        """log p(x, y) − log p(x) − log p(y) in nats at n points, shape (n,)."""

    @property
    def closed_form(self) -> float | None:
        """I(X;Y) in nats if it is known without Monte Carlo, otherwise None."""
        return None

    @property
    @override
    def mutual_information(self) -> float:
        """I(X;Y) in nats: the closed form, or the stored value.

        Raises:
            MistworksError: no truth is stored for these parameters.
        """
        return self._truth().mi if self.closed_form is None else self.closed_form

    @property
    @override
    def standard_error(self) -> float:
        """Standard error of ``mutual_information`` in nats, 0 for a closed form.

        Raises:
            MistworksError: no truth is stored for these parameters.
        """
        return self._truth().standard_error if self.closed_form is None else 0.0

    @property
    def fingerprint(self) -> str:
        """Equal if and only if the kind of distribution and its parameters are equal."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = self.draw(n, rng)
        return np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(y, dtype=np.float32)

    def _truth(self) -> Truth:
        try:
            return stored_truths()[self.fingerprint]
        except KeyError:
            raise MistworksError(
                f"Expected a stored mutual information for {self!r}. Run `python "
                "benchmarks/beyond_truth.py` to compute it."
            ) from None


def monte_carlo(joint: PointwiseJoint, samples: int, rng: np.random.Generator) -> tuple[float, float]:
    """Mean of the pointwise mutual information over fresh draws and its standard error, in nats."""
    values = np.concatenate([joint.pointwise(*joint.draw(n, rng)) for n in _blocks(samples)])
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(samples))


def _blocks(samples: int) -> Iterator[int]:
    return (min(_BLOCK, samples - start) for start in range(0, samples, _BLOCK))


@lru_cache(maxsize=1)
def stored_truths() -> Mapping[str, Truth]:
    """Read the stored truths, by fingerprint."""
    content = json.loads(TRUTHS_FILE.read_text(encoding="utf-8"))
    return {fingerprint: Truth(**truth) for fingerprint, truth in content.items()}


def write_truths(truths: Mapping[str, Truth], path: Path = TRUTHS_FILE) -> None:
    """Write truths as JSON, ordered by name to keep differences small."""
    ordered = sorted(truths.items(), key=lambda item: item[1].name)
    content = {fingerprint: asdict(truth) for fingerprint, truth in ordered}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def normal_log_density(values: Array, mean: Array | float, scale: Array | float) -> Array:
    """Log density of N(mean, scale²) at each value, with broadcasting."""
    standard = (values - mean) / scale
    return np.asarray(-0.5 * np.square(standard) - np.log(scale) - 0.5 * np.log(2.0 * np.pi))


def normal_pairs(n: int, rho: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw n pairs of standard normals with correlation ρ, shape (n, 1) each."""
    x, noise = rng.standard_normal((2, n, 1))
    return x, rho * x + np.sqrt(1 - rho**2) * noise


__all__ = [
    "TRUTHS_FILE",
    "Array",
    "PointwiseJoint",
    "Truth",
    "monte_carlo",
    "normal_log_density",
    "normal_pairs",
    "stored_truths",
    "write_truths",
]
