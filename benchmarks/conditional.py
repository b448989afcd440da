"""How well conditional mutual information is estimated, group by group, beside classical estimators.

``python benchmarks/conditional.py`` prints the error of the shipped conditional estimator and of its rivals
at n = 1,000, and how often 90 % intervals hold the truth. ``--fit FOLDER`` simulates the triples, fits the
estimator anew and prints how it does on groups of families that it has not seen; what is in the folder
already is used, so that an interrupted run goes on.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tables import figure, table

import mistworks
from mistworks.conditional.estimator import ConditionalEstimator, conditional_many
from mistworks.conditional.fitting import Fitted, FittingConfig, fit, groups_of
from mistworks.conditional.law import Array, Law, Triple
from mistworks.conditional.rivals import RIVALS
from mistworks.conditional.table import TripleTable, summarise_split
from mistworks.conditional.triples import FURTHER, GROUPS, WEIGHTS, draw_triple
from mistworks.estimation.estimate import LEVELS
from mistworks.randomness import stream

WEIGHTS_FOLDER = Path(mistworks.__file__).parent / "weights" / "conditional"
SEED, TEST_SEED = 0, 2
POINTS = 1_000
MOST_OF_NOTHING = 0.05
"""Nats that an estimate should not exceed where I = 0."""


def varying_correlation(rng: np.random.Generator) -> Law:
    """(X, Y) normal given z ~ N(0, 1) with correlation r sin(f z): I = E −½ log(1 − r² sin²(f z))."""
    strength, rate, slopes = rng.uniform(0.3, 0.95), rng.uniform(0.3, 1.5), rng.uniform(-2, 2, 2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    values = -0.5 * np.log1p(-np.square(strength * np.sin(rate * nodes)))

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z, a, b = rng.standard_normal((3, n))
        correlation = strength * np.sin(rate * z)
        y = correlation * a + np.sqrt(1 - correlation**2) * b
        return (a + slopes[0] * z)[:, None], (y + slopes[1] * z**2)[:, None], z[:, None]

    return Law("varying correlation", float(values @ weights / weights.sum()), sample)


def varying_tails(rng: np.random.Generator) -> Law:
    """(X, Y) of a Clayton copula whose θ changes with z ~ N(0, 1): I = E[log(1 + θ) − θ / (1 + θ)].

    −log C(U, V) has the mean 1 + 1 / (1 + θ) (Genest and Rivest, "Statistical inference procedures for
    bivariate Archimedean copulas", JASA 1993, gives its distribution), from which the expectation of the log
    density follows. Y is turned round, so that large X go with small Y.
    """
    level, slope, bend = rng.uniform(-2.0, 1.0), rng.uniform(0.5, 1.5), rng.uniform(-1.0, 1.0)
    slopes = rng.uniform(-2, 2, 2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)

    def strength(z: Array) -> Array:
        return np.asarray(np.exp(np.clip(level + slope * z + bend * np.sin(2.0 * z), -4.0, 3.0)))

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = rng.standard_normal((n, 3))
        theta = strength(z[:, 0])
        # Frailty: U = (1 + E / G)^(−1/θ) with G gamma of shape 1/θ (Marshall and Olkin 1988).
        shared = np.maximum(rng.gamma(1.0 / theta), 1e-300)
        x, y = (-np.log1p(rng.exponential(size=n) / shared) / theta for _ in range(2))
        return (
            (np.exp(x) + slopes[0] * z[:, 0])[:, None],
            (np.exp(z[:, 1]) * (1.0 - np.exp(y)) + slopes[1] * z[:, 1])[:, None],
            z,
        )

    theta = strength(nodes)
    return Law(
        "varying tails", float((np.log1p(theta) - theta / (1 + theta)) @ weights / weights.sum()), sample
    )


def exponential_collider(rng: np.random.Generator) -> Law:
    """X, Y, E exponential, Z = X + Y + E: I = h(X|Z) − h(X|YZ) = ψ(3) + h(Beta(1, 2)) − ψ(2) = 1 − log 2."""
    noise = int(rng.integers(0, 4))

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, y, e = rng.exponential(size=(3, n, 1))
        return x, y, np.hstack([x + y + e, rng.standard_normal((n, noise))])

    return Law("exponential collider", 1.0 - math.log(2.0), sample)


def shared_counts(rng: np.random.Generator) -> Law:
    """X = A + B and Y = A + C, Poisson with rates that depend on a class Z; I from sums over the counts."""
    rates = rng.uniform(0.2, 3.0, size=(3, 3))
    shares = rng.dirichlet(np.full(3, 3.0))
    counts = np.arange(40)
    factorials = np.array([math.lgamma(k + 1) for k in counts])

    def information(shared: float, own_x: float, own_y: float) -> float:
        a, b, c = (np.exp(counts * np.log(rate) - rate - factorials) for rate in (shared, own_x, own_y))
        joint = np.zeros((40, 40))
        for k in counts:
            joint[k:, k:] += a[k] * np.outer(b[: 40 - k], c[: 40 - k])
        x, y = joint.sum(axis=1, keepdims=True), joint.sum(axis=0)
        positive = joint > 0
        return float((joint[positive] * np.log((joint / (x * y))[positive])).sum())

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        z = rng.choice(3, size=n, p=shares)
        a, b, c = (rng.poisson(rates[z, k]) for k in range(3))
        return (a + b)[:, None].astype(float), (a + c)[:, None].astype(float), z[:, None].astype(float)

    cmi = sum(share * information(*row) for share, row in zip(shares, rates.tolist(), strict=True))
    return Law("shared counts", cmi, sample, ((), (), (0,)))


ELSEWHERE: Mapping[str, Callable[[np.random.Generator], Law]] = {
    "varying correlation": varying_correlation,
    "varying tails": varying_tails,
    "exponential collider": exponential_collider,
    "shared counts": shared_counts,
}
"""Families of which fitting has seen no member."""


def triples_of(group: str, count: int, n: int) -> Iterator[Triple]:
    """Triples of a family, by the seed that tests have to themselves."""
    for index in range(count):
        if group in ELSEWHERE:
            law = ELSEWHERE[group](stream(TEST_SEED, "elsewhere", f"parameters-{group}", index))
            yield law.sample(n, stream(TEST_SEED, "elsewhere", f"sample-{group}", index))
        else:
            yield draw_triple(TEST_SEED, "test", index, families=[group], n=n)


def group_row(group: str, count: int, n: int) -> list[str]:
    """Mean absolute error of the estimator and of each rival in a group, and coverage of 90 % intervals."""
    triples = list(triples_of(group, count, n))
    truth = np.array([triple.cmi for triple in triples])
    estimates = conditional_many([triple.sides for triple in triples])
    errors = [np.abs(np.array([estimate.mi for estimate in estimates]) - truth)]
    for rival in RIVALS.values():
        values = [rival(*(np.asarray(side) for side in triple.sides)) for triple in triples]
        errors.append(np.abs(np.maximum(values, 0.0) - truth))
    low, high = np.array([estimate.interval(0.9) for estimate in estimates]).T
    covered = (low <= truth) & (truth <= high)
    means = [float(error.mean()) for error in errors]
    best = int(np.argmin(means[1:])) + 1
    nothing = np.array([estimate.mi for estimate in estimates])[truth == 0]
    return [
        group,
        f"{means[0]:.4f}",
        *(f"{mean:.4f}" for mean in means[1:]),
        _mean_with_error(errors[0] - errors[best]),
        share(covered),
        share(covered[truth > 0]),
        f"{float(np.mean(high - low)):.3f}",
        share(nothing <= MOST_OF_NOTHING),
        figure(float(nothing.max()) if len(nothing) else None),
    ]


def _mean_with_error(values: Array) -> str:
    """The mean of values and its standard error."""
    return f"{values.mean():+.4f} ± {values.std() / math.sqrt(len(values)):.4f}"


def share(hits: NDArray[np.bool_]) -> str:
    """The share of hits and its standard error in per cent; a dash for none."""
    if not len(hits):
        return "—"
    mean = float(hits.mean())
    return f"{100 * mean:.1f} ± {100 * math.sqrt(mean * (1 - mean) / len(hits)):.1f} %"


def print_groups(count: int, n: int, groups: list[str]) -> None:
    """Print a row for each group."""
    head = [
        *("group", "Mistworks", *RIVALS, "less the best rival's", "coverage of 90 %", "where I > 0"),
        *("mean width", f"at most {MOST_OF_NOTHING} where I = 0", "largest where I = 0"),
    ]
    print(f"Mean absolute error in nats at n = {n:,}, {count} triples a group; rivals clipped at 0.\n")
    print(table(head, []), flush=True)
    for group in groups:
        print(f"| {' | '.join(group_row(group, count, n))} |", flush=True)


def left_out_rows(fitted: Fitted, test: TripleTable) -> list[list[str]]:
    """How the estimator does on each group, and how one does that has not seen it."""
    groups = groups_of(test)
    rows = []
    for group in GROUPS:
        part = test.rows(groups == group)
        row = [group, str(len(part))]
        for estimator in (fitted.estimator, fitted.witnesses[group]):
            row += list(_figures(estimator, part))
        rows.append(row)
    return rows


def _figures(estimator: ConditionalEstimator, part: TripleTable) -> tuple[str, str]:
    quantiles, strangeness = estimator.network.predict(part.features, part.candidates)
    values = estimator.calibration.apply(quantiles, part.n, part.d, strangeness)
    low, middle, high = (values[:, LEVELS.index(level)] for level in (0.05, 0.5, 0.95))
    covered = (low <= part.cmi) & (part.cmi <= high)
    return f"{np.abs(middle - part.cmi).mean():.4f}", f"{100 * covered.mean():.1f} %"


def fit_anew(folder: Path, count: int, further: int, processes: int, test: int) -> None:
    """Simulate, fit, save the weights into the package, and print how families that were left out do."""

    def simulated(seed: int, split: str, count: int, further: int) -> TripleTable:
        """Triples of the usual families, and of those drawn apart."""
        apart = summarise_split(folder, seed, "further", further, processes, families=list(FURTHER))
        return TripleTable.joined([summarise_split(folder, seed, split, count, processes), apart])

    learnt = simulated(SEED, "train", count, further)
    fitted = fit(learnt, mistworks.shipped().sha256, FittingConfig())
    fitted.estimator.save(WEIGHTS_FOLDER)
    head = ["group", "triples", "error", "coverage", "error, left out", "coverage, left out"]
    print("\nGroups of families, seen and left out, all n:\n")
    print(table(head, left_out_rows(fitted, simulated(TEST_SEED, "test", test, test // 5))))


def main() -> None:
    """Read the command line and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", type=Path, help="folder for the training table; fits the weights anew")
    parser.add_argument("--triples", type=int, default=15_000, help="how many to fit on")
    parser.add_argument("--further", type=int, default=2_125, help="how many of kinds drawn apart to add")
    parser.add_argument("--test", type=int, default=250, help="how many to test what is left out on")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--count", type=int, default=60, help="triples a group")
    parser.add_argument("--n", type=int, default=POINTS, help="points a triple")
    parser.add_argument("--groups", nargs="*", default=[*WEIGHTS, "modulated", *ELSEWHERE])
    arguments = parser.parse_args()
    if arguments.fit is not None:
        fit_anew(arguments.fit, arguments.triples, arguments.further, arguments.processes, arguments.test)
    print_groups(arguments.count, arguments.n, arguments.groups)


if __name__ == "__main__":
    main()
