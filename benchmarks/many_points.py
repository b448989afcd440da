"""Estimates from many more points than the estimator was trained on, beside the truth.

Prints a row per kind of sample and number of points: the truth, the estimate with its 90 % interval, whether
that contains the truth, and seconds. Beyond 100,000 rows, estimates of random parts are averaged.

    python benchmarks/many_points.py --runs 5
"""

import argparse
import math
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, poisson

import mistworks
from mistworks.distributions.student import Student

Sample = tuple[NDArray[np.generic], NDArray[np.generic], float]
_TABLE = np.array([[0.2, 0.1, 0.05], [0.05, 0.2, 0.1], [0.1, 0.05, 0.15]])


def gaussian(n: int, rng: np.random.Generator) -> Sample:
    """Correlation 0.9: I = −½ log(1 − ρ²)."""
    x, e = rng.standard_normal((2, n))
    return x, 0.9 * x + math.sqrt(1 - 0.81) * e, -0.5 * math.log(1 - 0.81)


def independent(n: int, rng: np.random.Generator) -> Sample:
    """Two independent normal columns."""
    x, y = rng.standard_normal((2, n))
    return x, y, 0.0


def student(n: int, rng: np.random.Generator) -> Sample:
    """Student's t with two degrees of freedom."""
    x, e = rng.standard_normal((2, n))
    scale = np.sqrt(2 / rng.chisquare(2, n))
    truth = Student(np.array([[1, 0.5], [0.5, 1]]), 1, 2.0).mutual_information
    return x * scale, (0.5 * x + math.sqrt(0.75) * e) * scale, truth


def classes(n: int, rng: np.random.Generator) -> Sample:
    """Three classes on either side, by a table."""
    cell = rng.choice(9, n, p=_TABLE.ravel())
    margins = _TABLE.sum(axis=1, keepdims=True) * _TABLE.sum(axis=0)
    return (cell // 3).astype(str), (cell % 3).astype(str), float((_TABLE * np.log(_TABLE / margins)).sum())


def shifted(n: int, rng: np.random.Generator) -> Sample:
    """A class that shifts a normal number by 1."""
    code = rng.integers(0, 2, n)
    grid = np.linspace(-9, 10, 20_001)
    mixture = 0.5 * norm.pdf(grid) + 0.5 * norm.pdf(grid - 1)
    entropy = -np.trapezoid(mixture * np.log(mixture), grid)
    return code.astype(str), code + rng.standard_normal(n), entropy - 0.5 * math.log(2 * math.pi * math.e)


def counts(n: int, rng: np.random.Generator) -> Sample:
    """A class that raises the rate of a count from 2 to 6."""
    rates = np.array([2.0, 6.0])
    code = rng.integers(0, 2, n)
    given = poisson.pmf(np.arange(60), rates[:, None])
    truth = float((0.5 * given * np.log(given / given.mean(axis=0))).sum())
    return code.astype(str), rng.poisson(rates[code]), truth


KINDS: tuple[Callable[[int, np.random.Generator], Sample], ...] = (
    *(gaussian, independent, student),
    *(classes, shifted, counts),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="samples of each kind and size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    print(f"{'kind':<12} {'points':>9}   truth   estimate, 90 % interval     holds   seconds")
    for n in arguments.sizes:
        for kind in KINDS:
            for run in range(arguments.runs):
                print(row(kind, n, np.random.default_rng(run)))


def row(kind: Callable[[int, np.random.Generator], Sample], n: int, rng: np.random.Generator) -> str:
    """Estimate one sample, and return its row."""
    x, y, truth = kind(n, rng)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = mistworks.estimate(x, y)
    seconds = time.perf_counter() - started
    low, high = estimate.interval()
    holds = "yes" if low <= truth <= high else "no"
    return (
        f"{kind.__name__:<12} {n:>9,}  {truth:6.4f}   {estimate.mi:6.4f} [{low:6.4f}, {high:6.4f}]   "
        f"{holds:>5}   {seconds:7.2f}"
    )


if __name__ == "__main__":
    main()
