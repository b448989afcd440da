"""Trials: a distribution with known mutual information, a sample size, and the answer of an estimator."""

import math
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mistworks
from mistworks.estimation.many import Model
from mistworks.evaluation.distributions.exact import entropy

Sample = tuple[NDArray[Any], NDArray[Any]]
Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """A distribution and a sample size.

    Attributes:
        n: number of points.
        draw: draws a sample, given a generator.
        truth: I(X;Y) in nats.
        spread: standard deviation of the pointwise mutual information in nats, or close to it: no estimator
            has a standard error below spread / √n. Infinite if no estimate is possible.
        cap: minimum entropy of a discrete side in nats, which no estimate may exceed; infinite without one.
    """

    n: int
    draw: Callable[[np.random.Generator], Sample]
    truth: float
    spread: float
    cap: float = math.inf

    @property
    def tolerance(self) -> float:
        """Maximum error of an estimate in nats: 0.05 or 10 %."""
        return max(0.05, 0.1 * self.truth)

    @property
    def estimable(self) -> bool:
        """Whether the tolerance is at least two standard errors of the best estimator."""
        return 2 * self.spread / math.sqrt(self.n) <= self.tolerance


@dataclass(frozen=True)
class Answer:
    """The answer of an estimator to one sample.

    Attributes:
        trial: trial of the sample.
        mi: the estimate in nats; NaN for a refusal.
        low: lower end of the 90 % interval.
        high: upper end of this interval.
        familiarity: familiarity of the sample.
        warnings: messages of the warnings.
        limit: upper limit by the entropies of the sample's states, with two standard errors; infinite without
            states, or with too many.
        refusal: the error, or empty.
    """

    trial: Trial
    mi: float
    low: float
    high: float
    familiarity: float
    warnings: tuple[str, ...]
    limit: float
    refusal: str = ""

    @property
    def covers(self) -> bool:
        """Whether the interval contains the truth."""
        return self.low - 1e-9 <= self.trial.truth <= self.high + 1e-9

    @property
    def near(self) -> bool:
        """Whether the estimate is within the tolerance."""
        return abs(self.mi - self.trial.truth) <= self.trial.tolerance

    @property
    def right(self) -> bool:
        """Whether both hold, or only the interval if no estimate is possible."""
        return self.covers and (self.near or not self.trial.estimable)


def ask(trial: Trial, rng: np.random.Generator, model: Model = None) -> Answer:
    """Draw a sample and estimate."""
    x, y = trial.draw(rng)
    limit = min(map(entropy_limit, (x, y))) if math.isfinite(trial.cap) else math.inf
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimate = mistworks.estimate(x, y, model)
        except mistworks.MistworksError as error:
            return Answer(trial, *(math.nan,) * 4, (), limit, str(error))
    low, high = estimate.interval(0.9)
    familiarity = getattr(estimate, "familiarity", math.nan)
    return Answer(
        trial, estimate.mi, low, high, familiarity, tuple(str(each.message) for each in caught), limit
    )


def entropy_limit(side: NDArray[Any]) -> float:
    """Upper limit of the entropy of a side's states, by two standard errors, in nats.

    The entropy is the greater of Miller and Madow's and of Chao and Shen's ("Nonparametric estimation of
    Shannon's index of diversity", Environ. Ecol. Stat. 10, 2003). States not seen have a probability of about
    f₁/n, f₁ the number of those seen once (Good, 1953): two nats are added for that share. Infinite where the
    rows show more than half as many states as there are rows: most states are then unseen.
    """
    counts = np.unique(side.reshape(len(side), -1), axis=0, return_counts=True)[1]
    n, p, once = len(side), counts / len(side), int((counts == 1).sum())
    if len(counts) > n / 2:
        return math.inf
    plug_in = entropy(p)
    seen = (1 - once / n) * p
    chao_shen = -float((seen * np.log(seen) / -np.expm1(n * np.log1p(-seen))).sum()) if len(p) > 1 else 0.0
    error = math.sqrt(max(float(p @ np.log(p) ** 2) - plug_in**2, 0.0) / n)
    estimate = max(plug_in + (len(counts) - 1) / (2 * n), chao_shen)
    # A state that was not seen may have a share of 3/n, the rule of three; it matters where one state is all.
    return estimate + 2 * error + 2 * once / n + 3 / n * math.log(n)


def seeded(seed: int, kind: str, parameters: Parameters, sample: int) -> np.random.Generator:
    """The generator of one sample of a trial."""
    return np.random.default_rng([seed, zlib.crc32(f"{kind} {dict(parameters)}".encode()), sample])


__all__ = ["Answer", "Parameters", "Sample", "Trial", "ask", "entropy_limit", "seeded"]
