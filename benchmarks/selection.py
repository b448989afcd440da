"""How often a selection finds the right columns, how long it takes, and what a classifier does with them.

Run ``python benchmarks/selection.py [--runs 20] [--rows 500] [--only copies,noise]``. The rivals know
how many columns are right; `mistworks.select` does not.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.feature_selection import (
    SelectKBest,
    SequentialFeatureSelector,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mistworks

Array = NDArray[np.float64]
Selected = Sequence[int]


class Task(NamedTuple):
    """A table, its target, and which selections are right."""

    X: Array
    y: NDArray[Any]
    is_right: Callable[[Selected], bool]
    k: int


def exactly(*positions: int) -> Callable[[Selected], bool]:
    """Whether just these are selected, in whatever order."""
    return lambda selected: set(selected) == set(positions)


def copies(rng: np.random.Generator, n: int) -> Task:
    """Ten copies of one column, exact, rescaled, monotone and noisy, among 20 columns of noise."""
    signal, noise = rng.standard_normal(n), rng.standard_normal((n, 20))
    exact = [signal, 2 * signal + 1, -signal, np.exp(signal), signal**3]
    noisy = [signal + 1e-3 * rng.standard_normal(n) for _ in range(5)]
    y = signal + 0.7 * rng.standard_normal(n)
    return Task(np.column_stack([*exact, *noisy, noise]), y, lambda s: len(s) == 1 and s[0] < 10, 1)


def xor(rng: np.random.Generator, n: int) -> Task:
    """The exclusive or of two bits among 20 other bits."""
    bits = rng.integers(2, size=(n, 22))
    return Task(bits.astype(float), np.array(["0", "1"])[bits[:, 3] ^ bits[:, 7]], exactly(3, 7), 2)


def signs(rng: np.random.Generator, n: int) -> Task:
    """y = sign(x1 x2) + noise, among 20 columns of noise."""
    x = rng.standard_normal((n, 22))
    return Task(x, np.sign(x[:, 3] * x[:, 7]) + 0.5 * rng.standard_normal(n), exactly(3, 7), 2)


def noise(rng: np.random.Generator, n: int) -> Task:
    """Thirty columns that tell nothing."""
    return Task(rng.standard_normal((n, 30)), rng.standard_normal(n), lambda s: not s, 1)


def additive(rng: np.random.Generator, n: int) -> Task:
    """A sum of four effects of falling size, one by its modulus; right is their order too."""
    x = rng.standard_normal((n, 30))
    y = 3 * x[:, 0] + 1.8 * x[:, 1] + 1.5 * np.abs(x[:, 2]) + 0.6 * x[:, 3] + 0.5 * rng.standard_normal(n)
    return Task(x, y, lambda s: list(s) == [0, 1, 2, 3], 4)


def classes(rng: np.random.Generator, n: int) -> Task:
    """Three classes of a score of two columns, among 28 columns of noise."""
    x = rng.standard_normal((n, 30))
    score = 2 * x[:, 4] + x[:, 9] + 0.5 * rng.standard_normal(n)
    return Task(x, np.array(["low", "mid", "high"])[np.digitize(score, [-1, 1])], exactly(4, 9), 2)


def redundant(rng: np.random.Generator, n: int) -> Task:
    """y = x1 + x2 + noise, and x3 = x1 + a small noise: two of them, not x1 with x3."""
    x = rng.standard_normal((n, 22))
    x[:, 2] = x[:, 0] + 0.05 * rng.standard_normal(n)
    y = x[:, 0] + x[:, 1] + 0.3 * rng.standard_normal(n)
    return Task(x, y, lambda s: sorted(s) in ([0, 1], [1, 2]), 2)


TASKS = (copies, xor, signs, noise, additive, classes, redundant)


def by_mistworks(task: Task) -> list[int]:
    """`mistworks.select`, which finds out how many."""
    return list(mistworks.select(task.X, task.y).positions)


def by_k_best(task: Task) -> list[int]:
    """`SelectKBest` by scikit-learn's mutual information, in the order of the scores."""
    scores = SelectKBest(_information(task), k=task.k).fit(task.X, task.y).scores_
    return list(np.argsort(-scores)[: task.k])


def by_relevance_less_redundancy(task: Task) -> list[int]:
    """Minimum redundancy, maximum relevance (Peng, Long and Ding, 2005), by the same scores."""
    relevance = _information(task)(task.X, task.y)
    chosen = [int(relevance.argmax())]
    redundancy = np.zeros(len(relevance))
    while len(chosen) < task.k:
        redundancy += mutual_info_regression(task.X, task.X[:, chosen[-1]], random_state=0)
        scores = relevance - redundancy / len(chosen)
        scores[chosen] = -np.inf
        chosen.append(int(scores.argmax()))
    return chosen


def by_steps(task: Task) -> list[int]:
    """`SequentialFeatureSelector` with nearest neighbours, forward."""
    kind = KNeighborsClassifier if task.y.dtype.kind == "U" else KNeighborsRegressor
    selector = SequentialFeatureSelector(kind(10), n_features_to_select=task.k, cv=5)
    return list(np.flatnonzero(selector.fit(task.X, task.y).get_support()))


SELECTORS = {
    "mistworks.select": by_mistworks,
    "SelectKBest": by_k_best,
    "mRMR": by_relevance_less_redundancy,
    "SequentialFeatureSelector": by_steps,
}


def _information(task: Task) -> Callable[..., Array]:
    kind = mutual_info_classif if task.y.dtype.kind == "U" else mutual_info_regression
    return partial(kind, random_state=0)


def print_shares(names: Sequence[str], runs: int, rows: int) -> None:
    """Print in how many runs each selects the right columns, and the mean processor seconds."""
    print(f"Share of {runs} runs with the right columns, {rows:,} rows; processor seconds in brackets")
    print(f"{'':<11}" + "".join(f"{name:>28}" for name in SELECTORS))
    for make in TASKS:
        if make.__name__ not in names:
            continue
        cells = []
        for select in SELECTORS.values():
            start = time.process_time()
            right = 0
            for seed in range(runs):
                task = make(np.random.default_rng(seed), rows)
                right += task.is_right(select(task))
            cells.append(f"{right / runs:>19.0%} ({(time.process_time() - start) / runs:5.2f})")
        print(f"{make.__name__:<11}" + " ".join(f"{cell:>27}" for cell in cells), flush=True)


def print_speed() -> None:
    """Print how long 30 columns of 1,000 rows take, beside the rivals."""
    task = additive(np.random.default_rng(0), 1_000)
    seconds = {}
    for name, select in SELECTORS.items():
        start = time.process_time()
        select(task)
        seconds[name] = time.process_time() - start
    base = seconds["mistworks.select"]
    print("\n30 columns, 1,000 rows, four are selected; seconds of processor time, which two cores share")
    for name, value in seconds.items():
        print(f"{name:<28} {value:7.2f} s, {value / base:6.3f} of mistworks.select")


def print_real_data() -> None:
    """Print which columns are selected, and the accuracy of a logistic regression, selected in each fold."""
    for name, load in (("breast cancer", load_breast_cancer), ("wine", load_wine)):
        data = load(as_frame=True)
        classes = data.target.astype(str)
        selection = mistworks.select(data.data, classes)
        print(f"\n{name}\n{selection}")
        k = len(selection)
        information = partial(mutual_info_classif, random_state=0)
        steps = {
            f"all {data.data.shape[1]} columns": [],
            "MutualInformationSelector": [mistworks.MutualInformationSelector()],
            f"SelectKBest(mutual_info_classif, k={k})": [SelectKBest(information, k=k)],
        }
        for title, selector in steps.items():
            model = make_pipeline(*selector, StandardScaler(), LogisticRegression())
            scores = cross_val_score(model, data.data, classes, cv=5)
            print(f"{title:<44} {scores.mean():.3f} of cases are classified rightly, in five folds")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="samples per task")
    parser.add_argument("--rows", type=int, default=500, help="rows per sample")
    parser.add_argument("--only", default=",".join(task.__name__ for task in TASKS), help="tasks, or none")
    parser.add_argument("--skip-real", action="store_true", help="leave out speed and real data")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print_shares(arguments.only.split(","), arguments.runs, arguments.rows)
    if not arguments.skip_real:
        print_speed()
        print_real_data()


if __name__ == "__main__":
    main()
