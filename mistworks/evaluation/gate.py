"""The gate for the alias ``champion``: whether a challenger may replace the champion, and the reasons."""

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
"""Suites that measure generalisation: they would lose that meaning if estimators were chosen by them."""

_FLOOR, _CHAMPION = "accuracy against a constant", "accuracy against the champion"
_COMPARISONS = (_FLOOR, _CHAMPION)


class GateConfig(FrozenConfig):
    """Requirements for a challenger.

    Attributes:
        confidence: level of the paired bootstrap intervals of differences in MSE.
        resamples: number of bootstrap resamples.
        margin: increase of MSE over that of the champion, as a share of it, that still counts as not worse.
        time_share: maximum time of a challenger that is not better, as a share of the champion's time.
        level: level of the intervals whose coverage is bounded.
        coverage: minimum and maximum coverage.
        least_datasets: minimum number of datasets of a suite for a comparison.
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
            raise ValueError(f"Expected a level such as 0.5, 0.8, 0.9 or 0.95, got {level}.")
        return level

    @model_validator(mode="after")
    def _bounds_hold_the_level(self) -> Self:
        low, high = self.coverage
        if not 0 <= low <= self.level <= high <= 1:
            raise ValueError(
                f"Expected bounds of the coverage on both sides of the level {self.level}, got "
                f"{self.coverage}. Change either."
            )
        return self


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the gate.

    Attributes:
        name: name of the condition, such as ``"coverage"``.
        passed: whether it is met.
        detail: the figures in a sentence, and the shortfall if it is not met.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of the gate.

    Attributes:
        conditions: all conditions that were checked.
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
        """The conditions that are not met, with their figures; if all are met, the comparison."""
        failed = [condition for condition in self.conditions if not condition.passed]
        compared = [condition for condition in self.conditions if condition.name in _COMPARISONS]
        chosen = failed or compared[-1:] or self.conditions
        return "; ".join(f"{condition.name} ({condition.detail})" for condition in chosen)


def decide(
    challenger: Sequence[Results],
    champion: Sequence[Results] | None,
    checks: Sequence[InvarianceCheck],
    config: GateConfig | None = None,
    *,
    time_share: float = 1.0,
) -> Decision:
    """Decide whether a challenger may replace the champion.

    It must give a finite estimate for every dataset; be better than every constant, such as the mean of the
    training prior; be better than the champion in MSE, or not worse and faster; cover the truth as often as
    its intervals promise, within bounds; and have every invariance that it declares. "Better" is decided by a
    paired bootstrap over datasets (see `paired_difference`), on every suite. A challenger without intervals
    fails against a champion with intervals.

    Args:
        challenger: results of the challenger, one entry per validation suite.
        champion: results of the champion on the same suites; None without a champion.
        checks: results of `check_invariances` for the challenger.
        config: the requirements.
        time_share: the challenger's time as a share of the champion's, both measured together.

    Raises:
        MistworksError: there are no results, the datasets differ, an estimator is not in nats, or a suite
            must not be used for choosing an estimator.
    """
    config = config or GateConfig()
    if not challenger or (champion is not None and len(champion) != len(challenger)):
        raise MistworksError(
            "Expected results of challenger and champion on at least one validation suite, got "
            f"{len(challenger)} and {len(champion or ())}. Evaluate both on the same suites."
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
        "failures", failures == 0, f"{failures} of {len(results)} on {results.suite} failed, none may"
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
    difference = _difference(results, constant, config)
    mse, floor = _mse(results, mean), _mse(constant, mean)
    figures |= {f"{results.suite}.mse": mse, f"{results.suite}.constant_mse": floor}
    detail = (
        f"MSE on {results.suite} {mse:.4g} nats² against {floor:.4g} of the best constant, {mean:.3g} nats, "
        f"{_interval(difference)}"
    )
    return Condition(_FLOOR, difference.high < 0, detail + _short(difference, 0.0))


def _better_than_the_champion(
    results: Results, rival: Results, figures: dict[str, float], config: GateConfig
) -> Condition:
    difference = _difference(results, rival, config)
    fallback = float(results.mi.mean())
    best = _mse(rival, fallback)
    allowed = config.margin * best
    share = figures["time_share"]
    faster = share <= config.time_share
    figures |= {
        f"{results.suite}.champion_mse": best,
        f"{results.suite}.difference": difference.mean,
        f"{results.suite}.difference_low": difference.low,
        f"{results.suite}.difference_high": difference.high,
    }
    detail = (
        f"MSE on {results.suite} {_mse(results, fallback):.4g} nats² against {best:.4g} of "
        f"{rival.estimator}, {_interval(difference)}"
    )
    timed = f"its time is {share:.0%} of the champion's"
    if difference.high < 0:
        return Condition(_CHAMPION, True, detail)
    if difference.high < allowed:
        wanted = f"not worse by {allowed:.3g}, and {timed}"
        short = "" if faster else f", where {config.time_share:.0%} at most is allowed unless it is better"
        return Condition(_CHAMPION, faster, f"{detail}; {wanted}{short}")
    short = (
        f"{_short(difference, 0.0)}, or {difference.high - allowed:.3g} too much even for a faster one "
        f"({timed})"
    )
    return Condition(_CHAMPION, False, detail + short)


def _coverage(
    results: Results, rival: Results | None, figures: dict[str, float], config: GateConfig
) -> Condition:
    if not results.has_quantiles.any():
        lost = rival is not None and bool(rival.has_quantiles.any())
        detail = "it gives no intervals" + (", and the champion does" if lost else "")
        return Condition("coverage", not lost, detail)
    share = float(covered(results, config.level).mean())
    figures[f"{results.suite}.coverage"] = share
    low, high = config.coverage
    detail = (
        f"its {config.level:.0%} intervals contain {share:.1%} of the {len(results)} true values of "
        f"{results.suite}, where {low:.0%} to {high:.0%} is required"
    )
    missing = max(low - share, share - high)
    return Condition("coverage", missing <= 0, detail + (f": {missing:.1%} off" if missing > 0 else ""))


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
    detail = f"kept: {kept}" + (f"; not promised and not kept: {', '.join(others)}" if others else "")
    return Condition("invariances", True, detail)


def _difference(results: Results, rival: Results, config: GateConfig) -> Difference:
    # Failures count as the best constant: leaving them out would reward failing on hard datasets.
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


def _interval(difference: Difference) -> str:
    ends = f"{difference.low:+.3g} to {difference.high:+.3g}"
    return f"a difference of {difference.mean:+.3g} ({difference.confidence:.0%} interval {ends})"


def _short(difference: Difference, allowed: float) -> str:
    missing = difference.high - allowed
    return f": {missing:.3g} too much to be surely better" if missing >= 0 else ""


def _require_comparable(results: Results, rival: Results | None) -> None:
    results.require_nats()
    if results.suite in FORBIDDEN_SUITES:
        raise MistworksError(
            f"Expected validation suites, got {results.suite!r}, which must not be used for choosing an "
            "estimator: it measures generalisation. Compare on validation suites."
        )
    if rival is not None and not len(matched(results, rival)[0]) == len(results) == len(rival):
        raise MistworksError(
            f"Expected results of challenger and champion on the same datasets of {results.suite}, got "
            f"{len(results)} and {len(rival)}. Evaluate both on the whole suite."
        )


__all__ = ["FORBIDDEN_SUITES", "Condition", "Decision", "GateConfig", "decide"]
