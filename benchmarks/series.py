"""How often the tests of two series reject, where they are independent and where one drives the other.

Both are autoregressive, x_t = φ x_{t−1} + e_t. Where X drives Y, y_t = φ y_{t−1} + c x_{t−3} + f_t:
`lag_profile` looks at lags 0 to 5, `transfer_entropy` at 3 steps of the past. Prints the share of runs whose
p-value is at most 5 %, with a 95 % interval of Clopper and Pearson.

    python benchmarks/series.py --n 500 --runs 200
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import beta
from tables import table

import mistworks
from mistworks.errors import MistworksWarning

Numbers = NDArray[np.float64]

LEVEL = 0.05
DELAY, LAGS = 3, 5
_BEFORE = 1_000


def series(phi: float, coupling: float, n: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Two autoregressive series of n steps; where the coupling is not 0, the first drives the second."""
    e, f = rng.standard_normal((2, n + _BEFORE))
    x = lfilter([1.0], [1.0, -phi], e)
    y = lfilter([1.0], [1.0, -phi], f + coupling * np.roll(x, DELAY))
    return x[_BEFORE:], y[_BEFORE:]


def share(rejected: int, runs: int) -> str:
    """A share in percent, with the interval of Clopper and Pearson."""
    low = beta.ppf(0.025, rejected, runs - rejected + 1) if rejected else 0.0
    high = beta.ppf(0.975, rejected + 1, runs - rejected) if rejected < runs else 1.0
    return f"{100 * rejected / runs:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def rejected(test: Callable[[Numbers, Numbers, int], float], arguments: argparse.Namespace) -> list[str]:
    """Cells of one test: for each φ, how often it rejects."""
    cells = []
    for number, phi in enumerate(arguments.phi):
        count = 0
        for run in range(arguments.runs):
            rng = np.random.default_rng((run, number))
            coupling = arguments.coupling * np.sqrt(1 - phi**2)
            count += test(*series(phi, coupling, arguments.n, rng), run) <= LEVEL
        cells.append(share(count, arguments.runs))
    return cells


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=500, help="steps of each series")
    parser.add_argument("--runs", type=int, default=200, help="pairs of series for each φ")
    parser.add_argument("--phi", type=float, nargs="*", default=[0.5, 0.9, 0.99])
    parser.add_argument("--permutations", type=int, default=39)
    parser.add_argument("--coupling", type=float, default=0.0, help="c · √(1 − φ²); 0 for independent series")
    parser.add_argument("--tests", nargs="*", default=["lag_profile", "transfer_entropy"])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", MistworksWarning)

    def by_lags(x: Numbers, y: Numbers, seed: int) -> float:
        return mistworks.lag_profile(x, y, LAGS, permutations=arguments.permutations, rng=seed).p_value

    def by_transfer(x: Numbers, y: Numbers, seed: int) -> float:
        test = mistworks.transfer_entropy(x, y, DELAY, permutations=arguments.permutations, rng=seed)
        return test.p_value

    tests = {"lag_profile": by_lags, "transfer_entropy": by_transfer}
    what = "X drives Y" if arguments.coupling else "independent series"
    print(f"{what}, n = {arguments.n:,}, {arguments.runs} runs: rejected at 5 %, in % with 95 % interval")
    rows = []
    for name in arguments.tests:
        start = time.process_time()
        cells = rejected(tests[name], arguments)
        seconds = (time.process_time() - start) / arguments.runs / len(arguments.phi)
        rows.append([f"`{name}`", *cells, f"{seconds:.2f}"])
    print(table(["test", *(f"φ = {phi:g}" for phi in arguments.phi), "s per test"], rows), flush=True)


if __name__ == "__main__":
    main()
