"""How often the tests of independence reject: where X and Y are independent given Z, and where they are not.

Prints a row for each kind of data, with the share of runs whose p-value is at most 5 %. Where the hypothesis
holds, a test that keeps its level is above 8 % in 200 runs with a probability of about 2 %.

    python benchmarks/false_alarms.py --n 1000 --runs 200 --permutations 39
"""

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import mistworks
from mistworks.errors import MistworksWarning

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Independent normal numbers that kinds of data are made of: ``e``, ``f`` of shape (n,), ``z`` (n, 4)."""

    e: Numbers
    f: Numbers
    z: Numbers
    rng: np.random.Generator

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.e)

    def coin(self, log_odds: Numbers) -> Numbers:
        """Draw 0 or 1."""
        return (self.rng.random(self.n) < 1 / (1 + np.exp(-log_odds))).astype(float)


Triple = tuple[Numbers, Numbers, Numbers | NDArray[np.str_]]


def classes(noise: Noise) -> Triple:
    """Five classes that differ in mean and spread."""
    code = noise.rng.integers(0, 5, noise.n)
    mean, spread = np.array([-3, -1, 0, 2, 4.0])[code], np.array([0.3, 1, 2, 0.5, 1])[code]
    return mean + spread * noise.e, mean**2 / 4 + spread * noise.f, code.astype(str)


def heavy(noise: Noise) -> Triple:
    """Student's t with two degrees of freedom."""
    e, f, z = noise.rng.standard_t(2, (3, noise.n))
    return z + 0.5 * e, z + 0.5 * f, z


def waves(noise: Noise) -> Triple:
    """What is alike in two of four columns."""
    ridge = np.abs(noise.z[:, 0] + noise.z[:, 1])
    return ridge + 0.3 * noise.e, ridge + 0.3 * noise.f, noise.z


def function_of(noise: Noise) -> Triple:
    """X determined by Z."""
    return noise.z[:, 0] ** 3, noise.z[:, 0] + 0.5 * noise.f, noise.z[:, 0]


def opposite(noise: Noise) -> Triple:
    """A dependence that is positive in two classes and negative in the others."""
    code = noise.rng.integers(0, 4, noise.n)
    sign = np.array([1, -1, 1, -1])[code]
    return code + noise.e, code + 0.3 * sign * noise.e + noise.f, code.astype(str)


def treated(noise: Noise) -> Triple:
    """A binary X that Z makes likely, and an effect of it."""
    x = noise.coin(2 * noise.z[:, 0])
    return x, noise.z[:, 0] + 0.3 * x + 0.6 * noise.f, noise.z[:, 0]


HOLDS: Mapping[str, Callable[[Noise], Triple]] = {
    "fork": lambda s: (s.z[:, 0] + 0.3 * s.e, s.z[:, 0] + 0.3 * s.f, s.z[:, 0]),
    "fork, little noise": lambda s: (s.z[:, 0] + 0.1 * s.e, s.z[:, 0] + 0.1 * s.f, s.z[:, 0]),
    "chain": lambda s: (s.e, (s.e + 0.3 * s.f) ** 2 + 0.3 * s.z[:, 0], s.e + 0.3 * s.f),
    "nonlinear": lambda s: (np.cos(2 * s.z[:, 0]) + 0.2 * s.e, s.z[:, 0] ** 2 + 0.2 * s.f, s.z[:, 0]),
    "product": lambda s: (
        s.z[:, 0] * s.z[:, 1] + 0.3 * s.e,
        s.z[:, 0] * s.z[:, 1] + 0.3 * s.f,
        s.z[:, :2],
    ),
    "sum of four": lambda s: (s.z.sum(1) / 2 + 0.3 * s.e, np.tanh(s.z.sum(1)) + 0.3 * s.f, s.z),
    "ridge among four": waves,
    "spread": lambda s: (s.z[:, 0] * s.e, s.z[:, 0] * s.f, s.z[:, 0]),
    "spread among four": lambda s: (s.z[:, 0] * s.e, s.z[:, 0] * s.f, s.z),
    "heavy tails": heavy,
    "classes": classes,
    "binary X": lambda s: (s.coin(1.5 * s.z.sum(1)), s.z.sum(1) / 2 + 0.3 * s.f, s.z),
    "binary X and Y": lambda s: (s.coin(1.5 * s.z.sum(1)), s.coin(1.5 * s.z.sum(1)), s.z),
    "X a function of Z": function_of,
    "no confounding": lambda s: (s.e, s.f, s.z),
    "fork, tiny noise": lambda s: (s.z[:, 0] + 0.01 * s.e, s.z[:, 0] + 0.01 * s.f, s.z[:, 0]),
    "curves, tiny noise": lambda s: (
        np.sin(2 * s.z[:, 0]) + 0.03 * s.e,
        s.z[:, 0] ** 2 + 0.03 * s.f,
        s.z[:, 0],
    ),
    "sum, tiny noise": lambda s: (
        s.z[:, 0] + s.z[:, 1] + 0.03 * s.e,
        s.z[:, 0] + s.z[:, 1] + 0.03 * s.f,
        s.z[:, :2],
    ),
    "product, tiny noise": lambda s: (
        s.z[:, 0] * s.z[:, 1] + 0.03 * s.e,
        s.z[:, 0] * s.z[:, 1] + 0.03 * s.f,
        s.z[:, :2],
    ),
}
"""X and Y independent given Z.

The last, a product of columns with a noise of a few hundredths of it, is known to be rejected too often, and
the test warns of it.
"""

FAILS: Mapping[str, Callable[[Noise], Triple]] = {
    "linear": lambda s: (s.z[:, 0] + 0.5 * s.e, s.z[:, 0] + 0.1 * s.e + 0.5 * s.f, s.z[:, 0]),
    "linear, four": lambda s: (s.z.sum(1) / 2 + 0.5 * s.e, s.z.sum(1) / 2 + 0.1 * s.e + 0.5 * s.f, s.z),
    "square": lambda s: (s.z[:, 0] + s.e, 0.25 * s.e**2 + s.z[:, 0] + 0.7 * s.f, s.z[:, 0]),
    "sign of Z": lambda s: (s.e, 0.4 * np.sign(s.z[:, 0]) * s.e + s.f, s.z[:, 0]),
    "collider": lambda s: (s.e, s.f, s.e + s.f + 0.8 * s.z[:, 0]),
    "opposite classes": opposite,
    "binary X": treated,
    "tiny noise": lambda s: (s.z[:, 0] + 0.02 * s.e, s.z[:, 0] + 0.02 * (0.2 * s.e + s.f), s.z[:, 0]),
}
"""X and Y dependent given Z."""


def p_value(kind: Callable[[Noise], Triple], seed: tuple[int, ...], n: int, permutations: int) -> float:
    """The p-value of one sample."""
    rng = np.random.default_rng(seed)
    e, f = rng.standard_normal((2, n))
    x, y, z = kind(Noise(e, f, rng.standard_normal((n, 4)), rng))
    return mistworks.independence_test(x, y, given=z, permutations=permutations, rng=rng).p_value


def main() -> None:
    """Print the share of rejections of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000, help="points per sample")
    parser.add_argument("--runs", type=int, default=200, help="samples per kind")
    parser.add_argument("--permutations", type=int, default=39)
    parser.add_argument("--kinds", nargs="*", help="only these")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", MistworksWarning)
    for title, kinds in (("independent given Z", HOLDS), ("dependent given Z", FAILS)):
        print(f"{title}, n = {arguments.n:,}, {arguments.runs} runs: rejected at 5 %")
        for number, (name, kind) in enumerate(kinds.items()):
            if arguments.kinds and name not in arguments.kinds:
                continue
            start = time.process_time()
            p = np.array(
                [
                    p_value(kind, (run, number), arguments.n, arguments.permutations)
                    for run in range(arguments.runs)
                ]
            )
            seconds = (time.process_time() - start) / arguments.runs
            print(f"  {name:<20} {100 * np.mean(p <= 0.05):5.1f} %   {seconds:.2f} s per test", flush=True)


if __name__ == "__main__":
    main()
