"""Critics of variational bounds, fitted to one dataset. Needs torch.

All work alike: the points are split in two, a critic f(x, y) is trained on one half, and its bound is read
on the other. They differ in the bound, a function of scores f(xᵢ, yⱼ) of shape (b, m, m): b blocks of m
points, each x of a block with each y of the same block. The diagonal holds draws of the joint distribution
p(x, y), the rest draws of the product p(x) p(y).
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus
from typing_extensions import override

from mistworks.errors import MistworksError

_BLOCK = 256


@dataclass(frozen=True)
class Fit:
    """How a critic is fitted; see `mistworks.baselines.Neural`."""

    bound: str
    hidden: int
    learning_rate: float
    batch_size: int
    steps: int
    reading_interval: int
    patience: int
    budget_seconds: float
    seed: int

    def readings(
        self,
        training: tuple[Tensor, Tensor],
        held_out: list[tuple[Tensor, Tensor]],
        generator: torch.Generator,
    ) -> Iterator[list[float]]:
        """Yield the bound on each held-out part, before training and every few steps."""
        x, y = training
        critic = _CRITICS.get(self.bound, Critic)(x.shape[1], y.shape[1], self.hidden, generator)
        bound = _BOUNDS[self.bound]()
        optimiser = torch.optim.Adam(critic.parameters(), lr=self.learning_rate)
        deadline = time.monotonic() + self.budget_seconds
        best, best_step = -math.inf, 0
        for step in range(self.steps + 1):
            if step % self.reading_interval == 0:
                with torch.inference_mode():
                    reading = [float(bound.value(_scores(critic, *part))) for part in held_out]
                yield reading
                if sum(reading) > best:
                    best, best_step = sum(reading), step
                elif step - best_step >= self.patience * self.reading_interval:
                    return
            if time.monotonic() > deadline:
                raise MistworksError(
                    f"Expected the critic to be fitted within {self.budget_seconds:g} s, got to step {step}. "
                    "Raise budget_seconds or lower steps."
                )
            batch = torch.randperm(len(x), generator=generator)[: self.batch_size]
            optimiser.zero_grad()
            bound.loss(critic(x[None, batch], y[None, batch])).backward()  # type: ignore[no-untyped-call]
            optimiser.step()


def held_out_bound(x: NDArray[np.float32], y: NDArray[np.float32], **options: Any) -> float:
    """The bound in nats on held-out points of critics fitted to the others.

    Args:
        x: shape (n, dx).
        y: shape (n, dy).
        options: the fields of `Fit`.

    Raises:
        MistworksError: the bound overflows, or the fit takes longer than its budget.
    """
    fit = Fit(**options)
    x_scores, y_scores = torch.from_numpy(x), torch.from_numpy(y)
    generator = torch.Generator().manual_seed(fit.seed)
    order = torch.randperm(len(x), generator=generator)
    parts = torch.tensor_split(order, [len(x) // 2, len(x) // 2 + len(x) // 4])
    training = x_scores[parts[0]], y_scores[parts[0]]
    held_out = [(_blocks(x_scores[part]), _blocks(y_scores[part])) for part in parts[1:]]
    return _cross_chosen(np.array(list(fit.readings(training, held_out, generator))))


def _cross_chosen(readings: NDArray[np.float64]) -> float:
    """Mean of the bounds of both parts, each at the step that is best on the other; readings: (steps, 2)."""
    first, second = np.argmax(np.nan_to_num(readings, nan=-np.inf), axis=0)
    value = float(readings[second, 0] + readings[first, 1]) / 2
    if not math.isfinite(value):
        raise MistworksError(
            f"Expected a finite bound on the held-out points, got {value}: it overflowed. Use another "
            "estimator."
        )
    return value


class Critic(nn.Module):
    """f(x, y), a perceptron with two hidden layers; the first is the sum of a part for x and a part for y."""

    def __init__(self, dx: int, dy: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.of_x = linear(dx, hidden, generator)
        self.of_y = linear(dy, hidden, generator)
        self.rest = nn.Sequential(
            nn.ReLU(), linear(hidden, hidden, generator), nn.ReLU(), linear(hidden, 1, generator)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Score each x with each y of a block: (b, m, dx) and (b, m, dy) to (b, m, m)."""
        first = self.of_x(x)[:, :, None] + self.of_y(y)[:, None]
        scores: Tensor = self.rest(first).squeeze(-1)
        return scores


class CosineCritic(nn.Module):
    """f(x, y) = cos(g(x), h(y)) / τ with perceptrons g and h to 32 dimensions and τ = 0.1.

    The critic of contrastive learning (Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive
    learning of visual representations", ICML 2020). Scores differ by at most 2/τ.
    """

    _DIMENSIONS = 32
    _TEMPERATURE = 0.1

    def __init__(self, dx: int, dy: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.of_x, self.of_y = (
            nn.Sequential(
                linear(d, hidden, generator),
                nn.ReLU(),
                linear(hidden, hidden, generator),
                nn.ReLU(),
                linear(hidden, self._DIMENSIONS, generator),
            )
            for d in (dx, dy)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Score each x with each y of a block: (b, m, dx) and (b, m, dy) to (b, m, m)."""
        first, second = normalize(self.of_x(x), dim=-1), normalize(self.of_y(y), dim=-1)
        return first @ second.mT / self._TEMPERATURE


def _blocks(points: Tensor) -> Tensor:
    """Split (n, d) into equal blocks of up to 256 points, shape (b, m, d); drops up to b − 1 points."""
    count = -(-len(points) // _BLOCK)
    size = len(points) // count
    return points[: count * size].reshape(count, size, -1)


def _scores(critic: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Scores of shape (b, m, m), one block at a time, since the hidden layers need far more memory."""
    return torch.cat([critic(x[[block]], y[[block]]) for block in range(len(x))])


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer with the usual initial weights, drawn from this generator instead of the global one."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    width = inputs**-0.5
    nn.init.uniform_(layer.weight, -width, width, generator=generator)
    nn.init.uniform_(layer.bias, -width, width, generator=generator)
    return layer


def _joint(scores: Tensor) -> Tensor:
    """Scores of draws of p(x, y), shape (b, m)."""
    return scores.diagonal(dim1=-2, dim2=-1)


def _product(scores: Tensor) -> Tensor:
    """Scores of draws of p(x) p(y), shape (b · m · (m − 1),)."""
    off_diagonal = ~torch.eye(scores.shape[-1], dtype=torch.bool)
    return scores[:, off_diagonal].flatten()


def _log_mean_exp(values: Tensor) -> Tensor:
    return values.logsumexp(0) - math.log(len(values))


class Bound(ABC):
    """A bound on the MI as a function of scores."""

    @abstractmethod
    def value(self, scores: Tensor) -> Tensor:
        """The bound in nats, from scores of shape (b, m, m)."""

    def loss(self, scores: Tensor) -> Tensor:
        """What training minimises; by default the negative bound."""
        return -self.value(scores)


class DonskerVaradhan(Bound):
    """E_p(x,y)[f] − log E_p(x)p(y)[eᶠ] (Donsker, Varadhan 1983; Belghazi et al. 2018, theorem 1)."""

    @override
    def value(self, scores: Tensor) -> Tensor:
        return _joint(scores).mean() - _log_mean_exp(_product(scores))


class MINE(DonskerVaradhan):
    """The Donsker–Varadhan bound with a moving average that corrects the bias of its gradient.

    Belghazi et al., "Mutual information neural estimation", ICML 2018, section 3.2: the gradient of
    log E[eᶠ] is E[eᶠ ∇f] / E[eᶠ], whose denominator is replaced by its exponential moving average over steps.
    """

    _RATE = 0.01

    def __init__(self) -> None:
        self._log_average: Tensor | None = None

    @override
    def loss(self, scores: Tensor) -> Tensor:
        """E[eᶠ] / average − E[f]. Only its gradient, the corrected one, has a meaning."""
        product = _product(scores)
        now = _log_mean_exp(product.detach())
        if self._log_average is None:
            self._log_average = now
        else:
            self._log_average = torch.logaddexp(
                self._log_average + math.log1p(-self._RATE), now + math.log(self._RATE)
            )
        return (product - self._log_average).exp().mean() - _joint(scores).mean()


class InfoNCE(Bound):
    """E[(1/m) Σᵢ log(e^f(xᵢ,yᵢ) / ((1/m) Σⱼ e^f(xᵢ,yⱼ)))], at most log m.

    Van den Oord, Li, Vinyals, "Representation learning with contrastive predictive coding", 2018, equation 4;
    Poole et al. 2019, equation 10.
    """

    @override
    def value(self, scores: Tensor) -> Tensor:
        return (_joint(scores) - scores.logsumexp(-1)).mean() + math.log(scores.shape[-1])


class NWJ(Bound):
    """E_p(x,y)[f] − E_p(x)p(y)[eᶠ] / e.

    Nguyen, Wainwright, Jordan, "Estimating divergence functionals and the likelihood ratio by convex risk
    minimization", IEEE Transactions on Information Theory 2010; Poole, Ozair, van den Oord, Alemi, Tucker,
    "On variational bounds of mutual information", ICML 2019, section 2.
    """

    @override
    def value(self, scores: Tensor) -> Tensor:
        return _joint(scores).mean() - (_product(scores) - 1).exp().mean()


class SMILE(Bound):
    """E_p(x,y)[f] − log E_p(x)p(y)[clip(eᶠ, e^−τ, e^τ)] with τ = 5: less variance, but no longer a bound.

    Song, Ermon, "Understanding the limitations of variational mutual information estimators", ICLR 2020,
    section 4.2. As in the authors' code, the critic is trained by the Jensen–Shannon bound.
    """

    _CLIP = 5.0

    @override
    def value(self, scores: Tensor) -> Tensor:
        clipped = _product(scores).clamp(-self._CLIP, self._CLIP)
        return _joint(scores).mean() - _log_mean_exp(clipped)

    @override
    def loss(self, scores: Tensor) -> Tensor:
        """E_p(x,y)[log(1 + e^−f)] + E_p(x)p(y)[log(1 + eᶠ)] (Nowozin, Cseke, Tomioka 2016)."""
        return softplus(-_joint(scores)).mean() + softplus(_product(scores)).mean()


_BOUNDS: dict[str, type[Bound]] = {
    "mine": MINE,
    "infonce": InfoNCE,
    "infonce-cosine": InfoNCE,
    "nwj": NWJ,
    "smile": SMILE,
    "donsker-varadhan": DonskerVaradhan,
}

_CRITICS: dict[str, type[Critic | CosineCritic]] = {"infonce-cosine": CosineCritic}
"""Critics of the bounds that need another than `Critic`."""


__all__ = [
    "MINE",
    "NWJ",
    "SMILE",
    "Bound",
    "CosineCritic",
    "Critic",
    "DonskerVaradhan",
    "Fit",
    "InfoNCE",
    "held_out_bound",
    "linear",
]
