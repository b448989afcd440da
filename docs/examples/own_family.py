"""A family of your own: joint distributions with a known mutual information, checked and estimated.

X and Y share a random scale: X = A / G and Y = B / G, with A and B exponential and G gamma distributed
with shape a. This is the bivariate Pareto distribution of Lomax, with I(X;Y) = log(1 + 1/a) - 1/(1 + a).
"""

# --8<-- [start:family]
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mistworks.dataset import FloatArray
from mistworks.distributions import Family, JointDistribution, LogUniform


@dataclass(frozen=True, eq=False)
class Pareto(JointDistribution):
    """The logarithms of X and Y: strictly monotone maps leave the mutual information as it is.

    Attributes:
        shape: a; the smaller it is, the more the common scale varies, and the more X tells about Y.
    """

    shape: float

    dx = dy = 1

    @property
    def mutual_information(self) -> float:
        """I(X;Y) in nats."""
        return float(np.log1p(1 / self.shape) - 1 / (1 + self.shape))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw n points: shapes (n, 1) and (n, 1), float32."""
        # The gamma variable by its logarithm, since it underflows where the shape is small.
        scale = np.log(rng.gamma(self.shape + 1, size=(n, 1))) + np.log(rng.random((n, 1))) / self.shape
        x, y = (np.log(rng.exponential(size=(n, 1))) - scale for _ in range(2))
        return x.astype(np.float32), y.astype(np.float32)


class ParetoFamily(Family):
    """Pareto distributions with a random shape. It needs dx = dy = 1."""

    family: Literal["pareto"] = "pareto"
    shape: LogUniform = LogUniform(low=0.1, high=5.0)

    @property
    def name(self) -> str:
        """Always ``"pareto"``."""
        return "pareto"

    def require_dimensions(self, dx: int, dy: int) -> None:
        """One column a side."""
        if (dx, dy) != (1, 1):
            raise ValueError(f"Expected dx = dy = 1 for pareto, got {dx} and {dy}. Draw 1 and 1.")

    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Pareto:
        """A Pareto distribution with its shape drawn from the prior."""
        self.require_dimensions(dx, dy)
        return Pareto(self.shape.draw(rng))


# --8<-- [end:family]

# --8<-- [start:check]
rng = np.random.default_rng(0)


def label_by_monte_carlo(joint: Pareto, n: int = 200_000) -> tuple[float, float]:
    """The mean of log p(x, y) / (p(x) p(y)), and its standard error: an oracle for the formula."""
    x, y = (np.exp(side[:, 0].astype(np.float64)) for side in joint.sample(n, rng))
    a = joint.shape
    pointwise = np.log1p(1 / a) - (a + 2) * np.log1p(x + y) + (a + 1) * (np.log1p(x) + np.log1p(y))
    return float(pointwise.mean()), float(pointwise.std() / np.sqrt(n))


for shape in (0.3, 1.0, 3.0):
    joint = Pareto(shape)
    mean, error = label_by_monte_carlo(joint)
    print(f"shape {shape}: formula {joint.mutual_information:.4f}, Monte Carlo {mean:.4f} ± {error:.4f} nats")
    assert abs(mean - joint.mutual_information) < 4 * error
# --8<-- [end:check]

# --8<-- [start:estimate]
import matplotlib.pyplot as plt

import mistworks

joints = [ParetoFamily().draw(1, 1, rng) for _ in range(40)]
estimates = mistworks.estimate_many(joint.sample(300, rng) for joint in joints)
truth = np.array([joint.mutual_information for joint in joints])
lower, upper = np.transpose([estimate.interval(0.9) for estimate in estimates])
middle = np.array([estimate.mi for estimate in estimates])
print(f"{np.mean((lower <= truth) & (truth <= upper)):.0%} of the 90 % intervals hold the truth")

figure, axes = plt.subplots(figsize=(4.5, 4), layout="constrained")
axes.axline((0, 0), slope=1, color="black", linewidth=1)
axes.errorbar(truth, middle, yerr=[middle - lower, upper - middle], fmt="o", markersize=3, linewidth=1)
axes.set(xlabel="true mutual information, nats", ylabel="estimate with its 90 % interval, nats")
figure.savefig("own_family.svg")
# --8<-- [end:estimate]
