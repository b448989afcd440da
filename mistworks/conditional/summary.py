"""What the network over triples reads of one: classical estimates and those of the estimator, put together.

The chain rule says I(X;Y|Z) = I(X;YZ) − I(X;Z) = I(Y;XZ) − I(Y;Z). The estimator's errors in the two terms
of a difference have much in common where they come from the same sample, and the network learns how much;
quantiles are never subtracted. The same is asked of the residuals of X and Y, see
`mistworks.conditional.residuals`, and of each class where Z takes few states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mistworks.conditional.closed_forms import (
    StateTable,
    gaussian_conditional_information,
    states_of,
    tabulate,
)
from mistworks.conditional.neighbours import block_distances, neighbour_information
from mistworks.conditional.reduction import Ranked, Reduced
from mistworks.conditional.residuals import Regression, Residuals
from mistworks.conditional.varying import Varying, varying_dependence
from mistworks.estimation.estimate import Estimate
from mistworks.networks.scale import to_scale
from mistworks.preparation.reading import MIN_POINTS, Side
from mistworks.preparation.scores import scores_of_ranks
from mistworks.preparation.table import joined

VERSION: Literal["2"] = "2"
"""Changes whenever what the network reads does; weights fit one version only."""

LEVELS_READ = (0.05, 0.25, 0.5, 0.75, 0.95)
_RAW = ("x_yz", "x_z", "y_xz", "y_z", "x_y")
_REST = ("rest_xy", "rest_x_yz", "rest_x_z", "rest_y_xz", "rest_y_z")
PAIRS = (*_RAW, *_REST, "smooth_xy")

CANDIDATES = (
    "zero",
    "chain_x",
    "chain_y",
    "rest_chain_x",
    "rest_chain_y",
    "rest_plain",
    "smooth_plain",
    "plain",
    "gaussian",
    "rest_gaussian",
    "table",
    "miller_madow",
    "neighbours",
    "rest_neighbours",
    "classes",
    "varying",
    "varying_score",
)
"""Estimates in nats of which the network mixes its own, in their order."""

_NUMBERS = (
    *("log_n", "log_dx", "log_dy", "log_dz", "points_per_column"),
    *("distinct_x", "distinct_y", "distinct_z", "states_x", "states_y", "states_z", "states_all"),
    *("all_distinct", "entropy_x", "entropy_y", "entropy_x_given", "entropy_y_given", "entropy_least"),
    *("table_freedom", "table_clear", "gaussian_clear", "gaussian_first"),
    *("rest_gaussian_clear", "rest_gaussian_first", "nominal_x", "nominal_y", "nominal_z"),
    *("explained_x_most", "explained_x_mean", "explained_y_most", "explained_y_mean"),
    *("scaled_x", "scaled_y", "bent_x", "bent_y", "smooth_x", "smooth_y"),
    *("classes_covered", "classes_count", "classes_mean", "classes_spread", "strata"),
    *("varying_gain", "varying_clear", "varying_explained", "squares_clear", "bent_clear"),
)

FEATURES = (
    *(f"{pair}.{level}" for pair in PAIRS for level in LEVELS_READ),
    *(f"candidate.{name}" for name in CANDIDATES[1:]),
    *_NUMBERS,
)
"""Names of the numbers that the network reads, in their order."""

MOST_POINTS = 20_000
"""Of more points, as many are read."""

_LANDMARKS = 80
# Share of the variance of a column: by as much must bumps improve the residuals.
_LEAST_SMOOTHER = 0.01
_NEIGHBOURS = 5
_NEAR_POINTS = 400
_MOST_CLASSES = 12
_CLASS_POINTS = 10
_LEAST_COVERED = 0.5
_MOST_NATS = 20.0
_MOST_CLEAR = 1e3
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class Question:
    """What the estimator is asked about one triple.

    Attributes:
        pairs: samples whose mutual information is asked for.
        asked: which of ``PAIRS`` the first of them are, in order; others are as those they are equal to.
        weights: shares of the classes that the rest of the pairs are.
        numbers: features and candidates that need no estimator, by name.
        cap: the largest that I(X;Y|Z) can be, and its standard error; None where X and Y are not discrete.
    """

    pairs: list[tuple[Side, Side]]
    asked: tuple[str, ...]
    weights: tuple[float, ...]
    numbers: dict[str, float]
    cap: tuple[float, float] | None


def ask(sample: Reduced) -> Question:
    """What there is to ask about a triple of which each side has a column left."""
    x, y, z = sample.x, sample.y, sample.z
    regression = Regression(z)
    rest_x, rest_y = regression.residuals(x), regression.residuals(y)
    pairs = {
        "x_yz": (x.side, _beside(y.side, z.side)),
        "x_z": (x.side, z.side),
        "y_xz": (y.side, _beside(x.side, z.side)),
        "y_z": (y.side, z.side),
        "x_y": (x.side, y.side),
    }
    if _helps(rest_x) or _helps(rest_y):
        a, b = rest_x.side, rest_y.side
        pairs |= {
            "rest_xy": (a, b),
            "rest_x_yz": (a, _beside(b, z.side)),
            "rest_x_z": (a, z.side),
            "rest_y_xz": (b, _beside(a, z.side)),
            "rest_y_z": (b, z.side),
        }
    smooth_x, smooth_y = rest_x, rest_y
    if z.d > 1:
        regression = regression.with_bumps(sample.some_rows(min(_LANDMARKS, sample.n // 5)))
        smooth_x, smooth_y = regression.residuals(x), regression.residuals(y)
    smoother = {
        "smooth_x": float((smooth_x.explained - rest_x.explained).max()),
        "smooth_y": float((smooth_y.explained - rest_y.explained).max()),
    }
    if max(smoother.values()) > _LEAST_SMOOTHER:
        pairs["smooth_xy"] = (smooth_x.side, smooth_y.side)
    states = [states_of(part.ranks) for part in (x, y, z)]
    table = tabulate(*states)
    numbers = _sizes(sample, table) | _tables(sample, table) | _regressions(rest_x, rest_y)
    numbers |= _gaussian(sample, rest_x, rest_y) | _near(sample, rest_x, rest_y)
    varying = varying_dependence(regression, smooth_x, smooth_y)
    numbers |= _varying(varying) | smoother
    by_class, weights = _classes(sample, states[2])
    if not weights and varying.strata is not None:
        by_class, weights = _strata(smooth_x, smooth_y, varying.strata)
        numbers["strata"] = 1.0
    return Question([*pairs.values(), *by_class], tuple(pairs), weights, numbers, _cap(sample, table))


def read(
    question: Question, estimates: Sequence[Estimate]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features of shape (len(FEATURES),) and candidates in nats, of shape (len(CANDIDATES),).

    Args:
        question: what was asked.
        estimates: of its pairs, in their order, with quantiles.
    """
    quantiles = np.array([estimate.quantile(LEVELS_READ) for estimate in estimates]).clip(0.0, _MOST_NATS)
    of = dict(zip(question.asked, quantiles, strict=False))
    for name, same in zip(_REST, ("x_y", "x_yz", "x_z", "y_xz", "y_z"), strict=True):
        of.setdefault(name, of[same])
    of.setdefault("smooth_xy", of["rest_xy"])
    middle = {name: float(row[LEVELS_READ.index(0.5)]) for name, row in of.items()}
    numbers = dict(question.numbers)
    numbers |= _of_classes(quantiles[len(question.asked) :], question.weights)
    numbers |= {
        "zero": 0.0,
        "chain_x": middle["x_yz"] - middle["x_z"],
        "chain_y": middle["y_xz"] - middle["y_z"],
        "rest_chain_x": middle["rest_x_yz"] - middle["rest_x_z"],
        "rest_chain_y": middle["rest_y_xz"] - middle["rest_y_z"],
        "rest_plain": middle["rest_xy"],
        "smooth_plain": middle["smooth_xy"],
        "plain": middle["x_y"],
    }
    if not question.weights:
        numbers["classes"] = 0.5 * (numbers["rest_chain_x"] + numbers["rest_chain_y"])
    candidates = np.array([numbers[name] for name in CANDIDATES])
    features = np.concatenate(
        [
            *(to_scale(of[pair]) for pair in PAIRS),
            np.sign(candidates[1:]) * to_scale(np.abs(candidates[1:])),
            np.array([numbers[name] for name in _NUMBERS]),
        ]
    )
    return features.astype(np.float32), candidates.clip(0.0, _MOST_NATS).astype(np.float32)


def _beside(first: Side, second: Side) -> Side:
    return joined([first, second])


def _helps(rest: Residuals) -> bool:
    return bool((rest.explained > 0).any() or (rest.scaled > 0).any())


def _sizes(sample: Reduced, table: StateTable) -> dict[str, float]:
    dx, dy, dz = sample.sizes
    n = sample.n
    distinct = [
        float(np.mean([_distinct(row) for row in part.ranks])) for part in (sample.x, sample.y, sample.z)
    ]
    log_n = np.log(n)
    return {
        "log_n": log_n,
        "log_dx": np.log(dx),
        "log_dy": np.log(dy),
        "log_dz": np.log(dz),
        "points_per_column": np.log(n / (dx + dy + dz)),
        "distinct_x": distinct[0],
        "distinct_y": distinct[1],
        "distinct_z": distinct[2],
        **{f"states_{name}": np.log(count) / log_n for name, count in zip("xyz", table.states, strict=False)},
        "states_all": np.log(table.states[3]) / log_n,
        "all_distinct": float(table.states[3] == n),
        "nominal_x": float(sample.x.side.nominal.mean()),
        "nominal_y": float(sample.y.side.nominal.mean()),
        "nominal_z": float(sample.z.side.nominal.mean()),
    }


def _distinct(row: NDArray[np.int32]) -> float:
    return len(np.unique(row)) / len(row)


def _tables(sample: Reduced, table: StateTable) -> dict[str, float]:
    entropies = {
        "entropy_x": table.entropy_x,
        "entropy_y": table.entropy_y,
        "entropy_x_given": table.entropy_x_given,
        "entropy_y_given": table.entropy_y_given,
    }
    return {
        **{name: float(to_scale(np.array(value))) for name, value in entropies.items()},
        "entropy_least": float(to_scale(np.array(min(entropies.values())))),
        "table_freedom": float(np.arcsinh(table.freedom / sample.n)),
        "table_clear": _clear(table.clear),
        "table": table.corrected,
        "miller_madow": table.miller_madow,
    }


def _clear(deviations: float) -> float:
    return float(np.arcsinh(np.clip(deviations, -_MOST_CLEAR, _MOST_CLEAR)))


def _regressions(x: Residuals, y: Residuals) -> dict[str, float]:
    return {
        "explained_x_most": float(x.explained.max()),
        "explained_x_mean": float(x.explained.mean()),
        "explained_y_most": float(y.explained.max()),
        "explained_y_mean": float(y.explained.mean()),
        "scaled_x": float(x.scaled.max()),
        "scaled_y": float(y.scaled.max()),
        "bent_x": float(x.bent.max()),
        "bent_y": float(y.bent.max()),
    }


def _varying(varying: Varying) -> dict[str, float]:
    return {
        "varying": varying.information,
        "varying_score": varying.score,
        "varying_gain": varying.gain,
        "varying_clear": _clear(varying.clear),
        "varying_explained": varying.explained,
        "squares_clear": _clear(varying.squares_clear),
        "bent_clear": _clear(varying.bent_clear),
        "strata": 0.0,
    }


def _gaussian(sample: Reduced, x: Residuals, y: Residuals) -> dict[str, float]:
    dx, dy, _ = sample.sizes
    scores = [scores_of_ranks(part.ranks) for part in (sample.x, sample.y, sample.z)]
    plain = gaussian_conditional_information(np.concatenate(scores), dx, dy)
    rest = [_standardised(part.side.values) for part in (x, y)]
    left = gaussian_conditional_information(np.concatenate([*rest, scores[2]]), dx, dy)
    return {
        "gaussian": plain[0],
        "gaussian_first": float(to_scale(np.array(plain[1]))),
        "gaussian_clear": _clear(plain[2]),
        "rest_gaussian": left[0],
        "rest_gaussian_first": float(to_scale(np.array(left[1]))),
        "rest_gaussian_clear": _clear(left[2]),
    }


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=1, keepdims=True)
    scale = np.maximum(centred.std(axis=1, keepdims=True), _SMALLEST)
    return np.asarray(np.clip(centred / scale, -5.0, 5.0))


def _near(sample: Reduced, x: Residuals, y: Residuals) -> dict[str, float]:
    """Nearest-neighbour estimates, of a part of the points that does not depend on their order."""
    rows = sample.some_rows(_NEAR_POINTS)
    if len(rows) <= 2 * _NEIGHBOURS:
        return {"neighbours": 0.0, "rest_neighbours": 0.0}
    z = block_distances(_standardised(scores_of_ranks(sample.z.ranks))[:, rows], sample.z.side.nominal)

    def information(first: NDArray[Any], second: NDArray[Any]) -> float:
        a = block_distances(_standardised(first)[:, rows], sample.x.side.nominal)
        b = block_distances(_standardised(second)[:, rows], sample.y.side.nominal)
        return neighbour_information(a, b, z, _NEIGHBOURS)

    return {
        "neighbours": information(scores_of_ranks(sample.x.ranks), scores_of_ranks(sample.y.ranks)),
        "rest_neighbours": information(x.side.values, y.side.values),
    }


def _classes(sample: Reduced, states: NDArray[np.int64]) -> tuple[list[tuple[Side, Side]], tuple[float, ...]]:
    """The samples in the largest classes of Z and their shares; none where they hold too few points."""
    counts = np.bincount(states)
    largest = np.argsort(-counts, kind="stable")[:_MOST_CLASSES]
    largest = largest[counts[largest] >= max(_CLASS_POINTS, MIN_POINTS)]
    if len(counts) < 2 or counts[largest].sum() < _LEAST_COVERED * len(states):
        return [], ()
    rows = [np.flatnonzero(states == state) for state in largest]
    pairs = [(sample.x.side.rows(part), sample.y.side.rows(part)) for part in rows]
    return pairs, tuple((counts[largest] / len(states)).tolist())


def _strata(
    x: Residuals, y: Residuals, strata: NDArray[np.intp]
) -> tuple[list[tuple[Side, Side]], tuple[float, ...]]:
    """The residuals in parts of the points in which they depend on each other alike, and their shares."""
    rows = [np.flatnonzero(strata == number) for number in range(int(strata.max()) + 1)]
    pairs = [(x.side.rows(part), y.side.rows(part)) for part in rows]
    return pairs, tuple(len(part) / len(strata) for part in rows)


def _of_classes(quantiles: NDArray[np.float64], weights: tuple[float, ...]) -> dict[str, float]:
    """Averages over the classes; those that are too small count as the others."""
    if not weights:
        return {"classes_covered": 0.0, "classes_count": 0.0, "classes_mean": 0.0, "classes_spread": 0.0}
    shares = np.array(weights) / sum(weights)
    deviations = 0.5 * (quantiles[:, -1] - quantiles[:, 0]) / 1.645
    return {
        "classes": float(shares @ quantiles[:, LEVELS_READ.index(0.5)]),
        "classes_covered": sum(weights),
        "classes_count": float(np.log(len(weights))),
        "classes_mean": float(to_scale(shares @ quantiles.mean(axis=1))),
        "classes_spread": float(to_scale(np.sqrt(np.square(shares * deviations).sum()))),
    }


def _cap(sample: Reduced, table: StateTable) -> tuple[float, float] | None:
    """min(H(X), H(Y)) over the sides that take few states, and its standard error."""
    n = sample.n
    sides = zip((sample.x, sample.y), (table.entropy_x, table.entropy_y), table.states, strict=False)
    caps = [(entropy, _entropy_error(part)) for part, entropy, count in sides if count <= n / 3]
    return min(caps) if caps else None


def _entropy_error(part: Ranked) -> float:
    shares = np.bincount(states_of(part.ranks)) / part.ranks.shape[1]
    shares = shares[shares > 0]
    logs = np.log(shares)
    variance = shares @ np.square(logs) - (shares @ logs) ** 2
    return float(np.sqrt(max(variance, 0.0) / part.ranks.shape[1]))


__all__ = ["CANDIDATES", "FEATURES", "MOST_POINTS", "PAIRS", "VERSION", "Question", "ask", "read"]
