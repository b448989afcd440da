"""How long matrices of all pairs take, and how long it takes to test them.

40 columns of 1,000 rows, 780 pairs: numbers, integers and classes, some of which depend on one another.
Seconds hold for the machine that they are measured on when it does nothing else; processor seconds and the
ratio to scikit-learn's k-nearest-neighbour estimator for the same pairs hold on a busy one as well.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.feature_selection import mutual_info_regression
from tables import table

import mistworks

COLUMNS, ROWS = 40, 1_000
KINDS = {"numbers": (40, 0, 0), "numbers, integers and classes": (20, 10, 10), "classes": (0, 0, 40)}
MUST = 10.0


def frame(kinds: tuple[int, int, int], strength: float, rng: np.random.Generator) -> pd.DataFrame:
    """Columns of numbers, integers and classes; each shares one of ten hidden variables with others."""
    hidden = rng.standard_normal((ROWS, 10))
    columns = {}
    for position, kind in enumerate(np.repeat(["number", "integer", "class"], kinds)):
        values = strength * hidden[:, position % 10] + rng.standard_normal(ROWS)
        if kind == "integer":
            values = np.round(2 * values)
        columns[f"{kind} {position}"] = (
            values if kind != "class" else np.array(list("abcde"))[np.digitize(values, [-1, -0.3, 0.3, 1])]
        )
    return pd.DataFrame(columns)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass, and seconds of the processor."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - used


def by_scikit_learn(data: pd.DataFrame) -> None:
    """The same pairs, classes by their numbers."""
    codes = data.apply(
        lambda column: column if column.dtype.kind in "fi" else column.astype("category").cat.codes
    )
    values = codes.to_numpy(dtype=float)
    discrete = np.array([not name.startswith("number") for name in data.columns])
    for position in range(1, values.shape[1]):
        mutual_info_regression(
            values[:, :position],
            values[:, position],
            discrete_features=discrete[:position],
            random_state=0,
            n_jobs=2,
        )


def estimates() -> str:
    """Table of how long matrices take, beside scikit-learn."""
    rows = []
    for name, kinds in KINDS.items():
        data = frame(kinds, 0.7, np.random.default_rng(0))
        ours, theirs = (
            seconds(lambda data=data: mistworks.matrix(data)),
            seconds(lambda data=data: by_scikit_learn(data)),
        )
        rows.append(
            [name, f"{ours[0]:.1f}", f"{ours[1]:.1f}", f"{theirs[0]:.1f}", f"{ours[0] / theirs[0]:.2f}"]
        )
    head = ["columns", "s", "s of processor", "s of scikit-learn", "ratio"]
    return table(head, rows)


def tests(columns: int) -> str:
    """Table of how long `Matrix.significant` takes, with many dependent pairs, and with one."""
    rows = []
    for name, kinds in KINDS.items():
        few = tuple(kind * columns // COLUMNS for kind in kinds)
        for what, strength in (("many dependent pairs", 0.7), ("one dependent pair", 0.0)):
            data = frame((few[0], few[1], few[2]), strength, np.random.default_rng(0))
            if strength == 0:
                data.iloc[:, 1] = data.iloc[:, 0].where(np.arange(ROWS) < ROWS // 2, data.iloc[:, 1])
            result = mistworks.matrix(data)
            taken = seconds(result.significant)
            count = int(result.table()["significant"].sum())
            rows.append(
                [
                    f"{name}, {what}",
                    str(len(result.table())),
                    f"{taken[0]:.1f}",
                    f"{taken[1]:.1f}",
                    str(count),
                ]
            )
    return table(["columns", "pairs", "s", "s of processor", "significant"], rows)


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tests", type=int, default=COLUMNS, help="how many columns to test; 0 for none")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore", mistworks.MistworksWarning)
    # What is read once is no part of a matrix.
    mistworks.matrix(frame((5, 0, 0), 0.0, np.random.default_rng(0)))
    print(f"{COLUMNS} columns x {ROWS:,} rows, {COLUMNS * (COLUMNS - 1) // 2} pairs; at most {MUST:g} s\n")
    print(estimates())
    if chosen.tests:
        print(f"\n`Matrix.significant(fdr=0.05)`, {chosen.tests} columns\n")
        print(tests(chosen.tests))


if __name__ == "__main__":
    main()
