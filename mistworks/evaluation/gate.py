"""The gate before the alias ``champion``: whether a challenger may take the champion's place, and why not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.evaluation.intervals import covered
from mistworks.evaluation.invariance import InvarianceCheck
from mistworks.evaluation.paired import Difference, matched, paired_difference
from mistworks.evaluation.results import QUANTILE_LEVELS, Results
from mistworks.randomness import stream

FORBIDDEN_SUITES = frozenset({"beyond"})
"""Suites that say how an estimator does on what it was never chosen for: choosing by them would end that."""

_FLOOR, _CHAMPION = "accuracy against a constant", "accuracy against the champion"
_COMPARISONS = (_FLOOR, _CHAMPION)


class GateConfig(FrozenConfig):
    """What a challenger has to meet.

    Attributes:
        confidence: level of the paired bootstrap intervals of differences in MSE.
        resamples: bootstrap resamples.
        margin: how much worse than the champion's MSE, as a share of it, still counts as not worse.
        time_share: share of the champion's time that a challenger which is not better may take at most.
        level: level of the interval whose coverage of the true MI is bounded.
        coverage: least and greatest coverage.
        least_datasets: fewest datasets of a suite that a comparison is taken from.
        seed: root seed of the resamples.
    """

    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=10_000, ge=1_000)
    margin: float = Field(default=0.02, ge=0)
    time_share: float = Field(default=0.8, gt=0, le=1)
    level: float = 0.9
    coverage: tuple[float, float] = (0.8, 0.98)
    least_datasets: int = Field(default=30, ge=2)
    seed: int = Field(default=0, ge=0)

    @field_validator("level")
    @classmethod
    def _kept(cls, level: float) -> float:
        if not any(abs((1 + level) / 2 - tau) < 1e-9 for tau in QUANTILE_LEVELS if tau > 0.5):
            raise ValueError(f"a level such as 0.5, 0.8, 0.9 or 0.95 was expected, and {level} came")
        return level

    @model_validator(mode="after")
    def _bounds_hold_the_level(self) -> Self:
        low, high = self.coverage
        if not 0 <= low <= self.level <= high <= 1:
            raise ValueError(
                f"bounds of the coverage on both sides of the level {self.level} were expected, and "
                f"{self.coverage} came; change either"
            )
        return self


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the gate.

    Attributes:
        name: such as ``"coverage"``.
        passed: whether it is met.
        told: the figures in a sentence, and by how much they miss where they do.
    """

    name: str
    passed: bool
    told: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate found.

    Attributes:
        conditions: all that were looked at.
        figures: numbers by name, such as ``"validation.mse"`` in nats².
    """

    conditions: tuple[Condition, ...]
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every condition is met."""
        return all(condition.passed for condition in self.conditions)

    @property
    def sentence(self) -> str:
        """The conditions that are not met with their figures; where all are, what was compared."""
        failed = [condition for condition in self.conditions if not condition.passed]
        compared = [condition for condition in self.conditions if condition.name in _COMPARISONS]
        chosen = failed or compared[-1:] or self.conditions
        return "; ".join(f"{condition.name} ({condition.told})" for condition in chosen)


def decide(
    challenger: Sequence[Results],
    champion: Sequence[Results] | None,
    checks: Sequence[InvarianceCheck],
    config: GateConfig | None = None,
    *,
    time_share: float = 1.0,
) -> Decision:
    """Whether a challenger may take the champion's place.

    It must give a finite estimate of every dataset; be better than any constant, which the mean of the
    training prior is one of; be better than the champion in MSE, or not worse and faster; cover the truth as
    often as its intervals say, within bounds; and keep every invariance that it declares. Better is told by a
    paired bootstrap over datasets (see `paired_difference`), on every suite. A challenger without intervals
    is held against a champion that has them.

    Args:
        challenger: its results, one entry a validation suite.
        champion: those of the champion on the same suites; None where there is no champion.
        checks: what `check_invariances` found of the challenger.
        config: what is asked for.
        time_share: the challenger's time as a share of the champion's, measured beside one another.

    Raises:
        MistworksError: the results are not of the same datasets, are of a suite that must not be used for
            choosing a model, or there is none.
    """
    config = config or GateConfig()
    if not challenger or (champion is not None and len(champion) != len(challenger)):
        raise MistworksError(
            "results on one validation suite or more were expected, and of the champion on the same, and "
            f"{len(challenger)} and {len(champion or ())} came; evaluate both on the same suites"
        )
    conditions: list[Condition] = []
    figures: dict[str, float] = {} if champion is None else {"time_share": time_share}
    rivals: Sequence[Results | None] = [None] * len(challenger) if champion is None else champion
    for results, rival in zip(challenger, rivals, strict=True):
        _require_comparable(results, rival)
        conditions += _on_suite(results, rival, figures, config)
    return Decision((*conditions, _invariances(checks)), figures)


def _on_suite(
    results: Results, rival: Results | None, figures: dict[str, float], config: GateConfig
) -> Iterator[Condition]:
    failures = int((~results.succeeded).sum())
    figures |= {f"{results.suite}.count": len(results), f"{results.suite}.failures": failures}
    yield Condition(
        "failures", failures == 0, f"{failures} of {len(results)} on {results.suite} failed, and none may"
    )
    if len(results) < config.least_datasets or failures == len(results):
        yield Condition(
            "datasets",
            False,
            f"{results.suite} has {len(results) - failures} datasets to compare on, and "
            f"{config.least_datasets} are needed",
        )
        return
    yield _better_than_a_constant(results, figures, config)
    if rival is not None:
        yield _better_than_the_champion(results, rival, figures, config)
    yield _coverage(results, rival, figures, config)


def _better_than_a_constant(results: Results, figures: dict[str, float], config: GateConfig) -> Condition:
    mean = float(results.mi.mean())
    constant = replace(results, estimator="constant", estimate=np.full(len(results), mean))
    found = _difference(results, constant, config)
    mse, floor = _mse(results, mean), _mse(constant, mean)
    figures |= {f"{results.suite}.mse": mse, f"{results.suite}.constant_mse": floor}
    told = (
        f"MSE on {results.suite} {mse:.4g} nats² against {floor:.4g} of the best constant, {mean:.3g} nats, "
        f"{_interval(found)}"
    )
    return Condition(_FLOOR, found.high < 0, told + _short(found, 0.0))


def _better_than_the_champion(
    results: Results, rival: Results, figures: dict[str, float], config: GateConfig
) -> Condition:
    found = _difference(results, rival, config)
    fallback = float(results.mi.mean())
    best = _mse(rival, fallback)
    allowed = config.margin * best
    share = figures["time_share"]
    faster = share <= config.time_share
    figures |= {
        f"{results.suite}.champion_mse": best,
        f"{results.suite}.difference": found.mean,
        f"{results.suite}.difference_low": found.low,
        f"{results.suite}.difference_high": found.high,
    }
    told = (
        f"MSE on {results.suite} {_mse(results, fallback):.4g} nats² against {best:.4g} of "
        f"{rival.estimator}, {_interval(found)}"
    )
    timed = f"its time is {share:.0%} of the champion's"
    if found.high < 0:
        return Condition(_CHAMPION, True, told)
    if found.high < allowed:
        wanted = f"not worse by {allowed:.3g}, and {timed}"
        short = (
            "" if faster else f", where {config.time_share:.0%} at most is asked of one that is not better"
        )
        return Condition(_CHAMPION, faster, f"{told}; {wanted}{short}")
    short = (
        f"{_short(found, 0.0)}, or {found.high - allowed:.3g} too much even for one that is faster ({timed})"
    )
    return Condition(_CHAMPION, False, told + short)


def _coverage(
    results: Results, rival: Results | None, figures: dict[str, float], config: GateConfig
) -> Condition:
    if not results.has_quantiles.any():
        lost = rival is not None and bool(rival.has_quantiles.any())
        told = "it gives no intervals" + (", and the champion does" if lost else "")
        return Condition("coverage", not lost, told)
    share = float(covered(results, config.level).mean())
    figures[f"{results.suite}.coverage"] = share
    low, high = config.coverage
    told = (
        f"its {config.level:.0%} intervals hold {share:.1%} of the {len(results)} true values of "
        f"{results.suite}, where {low:.0%} to {high:.0%} is asked"
    )
    missing = max(low - share, share - high)
    return Condition("coverage", missing <= 0, told + (f": {missing:.1%} off" if missing > 0 else ""))


def _invariances(checks: Sequence[InvarianceCheck]) -> Condition:
    if broken := [check for check in checks if not check.passed]:
        parts = [
            f"{check.name} broken on {check.violated} of {check.comparisons} samples, by up to "
            f"{check.largest:.3g} nats"
            for check in broken
        ]
        return Condition("invariances", False, ", ".join(parts))
    kept = ", ".join(check.name for check in checks if check.declared)
    others = [
        f"{check.name} ({check.violated} of {check.comparisons} samples, up to {check.largest:.3g} nats)"
        for check in checks
        if not check.declared and check.violated
    ]
    told = f"kept: {kept}" + (f"; not promised and not kept: {', '.join(others)}" if others else "")
    return Condition("invariances", True, told)


def _difference(results: Results, rival: Results, config: GateConfig) -> Difference:
    # What fails counts as the best constant: leaving it out would reward failing where it is hard.
    return paired_difference(
        results,
        rival,
        stream(config.seed, "gate", "bootstrap", 0),
        confidence=config.confidence,
        resamples=config.resamples,
        fallback=float(results.mi.mean()),
    )


def _mse(results: Results, fallback: float) -> float:
    estimate = np.where(results.succeeded, results.estimate, fallback)
    return float(((estimate - results.mi) ** 2).mean())


def _interval(found: Difference) -> str:
    ends = f"{found.low:+.3g} to {found.high:+.3g}"
    return f"a difference of {found.mean:+.3g} ({found.confidence:.0%} interval {ends})"


def _short(found: Difference, allowed: float) -> str:
    missing = found.high - allowed
    return f": {missing:.3g} too much to be surely better" if missing >= 0 else ""


def _require_comparable(results: Results, rival: Results | None) -> None:
    if results.suite in FORBIDDEN_SUITES:
        raise MistworksError(
            f"the suite {results.suite!r} must not be used for choosing a model, since it tells how one does "
            "beyond all that it was chosen for; compare on validation suites"
        )
    if rival is not None and not len(matched(results, rival)[0]) == len(results) == len(rival):
        raise MistworksError(
            f"results of challenger and champion on the same datasets of {results.suite} were expected, and "
            f"{len(results)} and {len(rival)} came; evaluate both on all of it"
        )
