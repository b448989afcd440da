"""The results of a report: labels, styles, and figures that several sections share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.evaluation.measures import mean_and_error
from mistworks.evaluation.results import Results

BOOTSTRAP = "+bootstrap"
"""Suffix of the names of bootstrapped estimators."""

SHOWN_AT_FIRST = 8

# Okabe and Ito, "Color universal design" (2008), without the yellow and black that vanish on paper and on
# black, in a darker and a lighter shade for light and dark pages.
_COLOURS = (
    ("#0072b2", "#5aa9e6"),
    ("#d55e00", "#f28a4b"),
    ("#009e73", "#35c79b"),
    ("#b8609a", "#e3a3c9"),
    ("#c98500", "#f0b840"),
    ("#3a9bd1", "#a4d8f5"),
    ("#857500", "#cfc04a"),
    ("#6b6f76", "#a7acb5"),
)
_MARKS = (("circle", "solid"), ("diamond", "dot"), ("square", "longdash"), ("cross", "dashdot"))


@dataclass(frozen=True)
class Style:
    """The style of an estimator in all figures.

    Attributes:
        light: colour in the light theme.
        dark: colour in the dark theme.
        symbol: symbol of points.
        dash: dash of lines.
    """

    light: str
    dark: str
    symbol: str
    dash: str


@dataclass(frozen=True)
class Ranked:
    """One estimator on one suite with its mean absolute error.

    Attributes:
        label: label of the estimator.
        results: results of the estimator.
        mae: mean absolute error in nats over datasets without a failure; None if all failed.
        mae_se: standard error of ``mae``.
    """

    label: str
    results: Results
    mae: float | None
    mae_se: float | None

    @property
    def failures(self) -> int:
        """Number of datasets without a finite estimate."""
        return int((~self.results.succeeded).sum())


class View:
    """Results by suite and estimator.

    Raises:
        MistworksError: an estimator has two results on one suite, or a suite has two versions.
    """

    def __init__(self, results: Sequence[Results]) -> None:
        self.results = tuple(part for part in results if len(part))
        if not self.results:
            raise MistworksError("Expected results with at least one dataset, got none. Evaluate first.")
        names = {part.estimator for part in self.results}
        versions = {(part.estimator, part.estimator_version) for part in self.results}
        several = {name for name in names if sum(name == other for other, _ in versions) > 1}
        self._labels = {
            (name, version): f"{name} ({version})" if name in several else name for name, version in versions
        }
        self._check()

    def _check(self) -> None:
        pairs = [(part.suite, self.label(part)) for part in self.results]
        if len(set(pairs)) < len(pairs):
            twice = next(pair for pair in pairs if pairs.count(pair) > 1)
            raise MistworksError(
                f"Expected one result per estimator and suite, got several of {twice[1]} on {twice[0]}. Join "
                "the parts first."
            )
        for suite in self.suites:
            versions = {part.suite_version for part in self.of(suite)}
            if len(versions) > 1:
                raise MistworksError(
                    f"Expected one version of the suite {suite}, got {', '.join(sorted(versions))}. Evaluate "
                    "all estimators on one version."
                )

    def label(self, results: Results) -> str:
        """Label of an estimator: its name, with the version if there are several."""
        return self._labels[results.estimator, results.estimator_version]

    def labels_of(self, name: str) -> list[str]:
        """Labels of the estimators with a name; the name itself if there are no results."""
        return [label for (other, _), label in self._labels.items() if other == name] or [name]

    @cached_property
    def suites(self) -> tuple[str, ...]:
        """Names of suites, in the order of the results."""
        return tuple(dict.fromkeys(part.suite for part in self.results))

    @cached_property
    def estimators(self) -> tuple[str, ...]:
        """Labels of estimators, in the order of the results."""
        return tuple(dict.fromkeys(self.label(part) for part in self.results))

    def of(self, suite: str) -> list[Results]:
        """Results on one suite."""
        return [part for part in self.results if part.suite == suite]

    def points_of(self, suite: str) -> list[Results]:
        """Results in nats on one suite, without bootstraps of present estimators, which repeat points."""
        return [part for part in self.measures_of(suite) if part.in_nats]

    def measures_of(self, suite: str) -> list[Results]:
        """Results in any unit on one suite, without bootstraps of present estimators."""
        names = {self.label(part) for part in self.of(suite)}
        return [part for part in self.of(suite) if not self._repeats(self.label(part), names)]

    def _repeats(self, label: str, names: set[str]) -> bool:
        return label.endswith(BOOTSTRAP) and label.removesuffix(BOOTSTRAP) in names

    def by_estimator(self) -> Iterator[tuple[str, list[Results]]]:
        """Iterate over estimators with their results on all suites."""
        for label in self.estimators:
            yield label, [part for part in self.results if self.label(part) == label]

    @cached_property
    def ranking(self) -> Mapping[str, tuple[Ranked, ...]]:
        """Estimators in nats on each suite by mean absolute error; those that always failed are last.

        Bootstraps of present estimators are left out, since their points are the same.
        """
        return {suite: tuple(sorted(self._ranked(suite), key=_place)) for suite in self.suites}

    def best(self, suite: str) -> Ranked | None:
        """The lowest mean absolute error among estimators with the most datasets and without failures.

        None if each of them failed somewhere.
        """
        most = max((len(each.results) for each in self.ranking[suite]), default=0)
        whole = (each for each in self.ranking[suite] if len(each.results) == most and not each.failures)
        return next(whole, None)

    @cached_property
    def styles(self) -> Mapping[str, Style]:
        """Style of each estimator; its bootstrap has the same style with open marks and dashes."""
        plain = [name for name in self.estimators if not name.endswith(BOOTSTRAP)]
        bases = list(dict.fromkeys([*plain, *(name.removesuffix(BOOTSTRAP) for name in self.estimators)]))
        styles = {}
        for name in self.estimators:
            place = bases.index(name.removesuffix(BOOTSTRAP))
            light, dark = _COLOURS[place % len(_COLOURS)]
            symbol, dash = _MARKS[place // len(_COLOURS) % len(_MARKS)]
            if name.endswith(BOOTSTRAP):
                symbol, dash = f"{symbol}-open", "dash"
            styles[name] = Style(light, dark, symbol, dash)
        return styles

    @cached_property
    def shown_at_first(self) -> frozenset[str]:
        """The first estimator, those with the best mean rank over suites, their bootstraps, and others."""
        ranks: dict[str, list[int]] = {}
        for ranking in self.ranking.values():
            for place, each in enumerate(ranking):
                ranks.setdefault(each.label, []).append(place)
        best = sorted(ranks, key=lambda label: float(np.mean(ranks[label])))[:SHOWN_AT_FIRST]
        others = list(dict.fromkeys(self.label(part) for part in self.results if not part.in_nats))
        first = {self.estimators[0].removesuffix(BOOTSTRAP), *best, *others[:SHOWN_AT_FIRST]}
        return frozenset(name for name in self.estimators if name.removesuffix(BOOTSTRAP) in first)

    def _ranked(self, suite: str) -> Iterator[Ranked]:
        for part in self.points_of(suite):
            yield Ranked(self.label(part), part, *mean_and_error(absolute_errors(part)))


def absolute_errors(results: Results) -> NDArray[np.float64]:
    """Absolute errors in nats on datasets without a failure."""
    return np.abs(results.estimate - results.mi)[results.succeeded]


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` evenly spaced positions among ``count``."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _place(ranked: Ranked) -> float:
    return np.inf if ranked.mae is None else ranked.mae


__all__ = ["BOOTSTRAP", "SHOWN_AT_FIRST", "Ranked", "Style", "View", "absolute_errors", "evenly"]
