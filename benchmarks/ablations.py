"""Measure what each group of statistics contributes, and what the set transformer reaches with equal compute.

Trains on the stores of a pipeline run: the full network over statistics, the same without each group, and
with the Gaussian statistics only, all for the same number of epochs. Then, for equal minutes of all cores,
the network over statistics, including the time for its statistics, and the set transformer of the preset
``quick``.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from mistworks.dataset import Dataset, FloatArray
from mistworks.estimation.estimator import Estimator
from mistworks.evaluation.suites import Suite, labelled, suite
from mistworks.networks import SummaryNetworkConfig
from mistworks.preparation.prepare import Prepared, prepare
from mistworks.presets import PRESETS
from mistworks.statistics import GROUPS, summarise_many
from mistworks.statistics.table import SummarySource, summarise_block
from mistworks.training import Progress, TrainingConfig, train
from storage.datasets.opening import open_store
from storage.datasets.statistics import open_summaries
from storage.datasets.store import Store

SUITES = ("m-test", "bmi-40", "beyond", "ordinary", "strong")
_EPOCHS_AT_EQUAL_COMPUTE = 8


@dataclass(frozen=True)
class Measured:
    """A suite with its statistics, which are computed once for all variants.

    Attributes:
        suite: the suite.
        positions: positions of N of its datasets.
        statistics: shape (N, S).
        n: number of points, shape (N,).
        mi: true mutual information in nats, shape (N,).
    """

    suite: Suite
    positions: tuple[int, ...]
    statistics: FloatArray
    n: NDArray[np.int64]
    mi: NDArray[np.float64]

    @classmethod
    def of(cls, name: str) -> "Measured":
        """Summarise every dataset of a suite in which neither side is constant."""
        chosen = suite(name)
        prepared = [_prepared(chosen, position) for position in range(len(chosen))]
        rows = [position for position, sample in enumerate(prepared) if not sample.constant]
        cases = [chosen.case(row) for row in rows]
        return cls(
            chosen,
            tuple(rows),
            summarise_many([prepared[row].ranked for row in rows], os.cpu_count() or 1),
            np.array([case.n for case in cases]),
            np.array([case.mi for case in cases]),
        )


def _prepared(chosen: Suite, position: int) -> Prepared:
    case = chosen.case(position)
    sides = zip(chosen.sample(position), (case.x_classes, case.y_classes), strict=True)
    return prepare(*(labelled(values, classes) if classes else values for values, classes in sides))


def main() -> None:
    """Train and measure every variant, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("mistworks-data"))
    parser.add_argument(
        "--stores", type=Path, help="folder of the stores; that of `shipped` in --root if left out"
    )
    parser.add_argument("--datasets", type=int, default=200_000, help="of the training split, without groups")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=8.0, help="of the comparison at equal compute")
    parser.add_argument("--output", type=Path, default=Path("docs/ablations.md"))
    arguments = parser.parse_args()
    stores = arguments.stores or arguments.root / "stores" / "shipped-seed-0"
    suites = [Measured.of(name) for name in SUITES]
    # In a new folder, since a finished training would take no time.
    with TemporaryDirectory(dir=arguments.root) as folder:
        source = _FirstSummaries(open_summaries(open_store(str(stores / "train.zarr"))), arguments.datasets)
        rows, seconds = _without_groups(suites, source, stores, Path(folder), arguments.epochs)
        step = seconds / (arguments.epochs * len(source))
        rows += _at_equal_compute(suites, stores, Path(folder), 60.0 * arguments.minutes, step)
        command = (
            f"--datasets {arguments.datasets} --epochs {arguments.epochs} --minutes {arguments.minutes:g}"
        )
        training = f"{seconds:.0f} s of training each on {len(source):,} datasets"
    arguments.output.write_text(_document(rows, command, training), encoding="utf-8")


def _without_groups(
    suites: list[Measured], source: SummarySource, stores: Path, folder: Path, epochs: int
) -> tuple[list[list[str]], float]:
    """Return a row per choice of statistics, and the mean seconds of a training."""
    rows, seconds = [], 0.0
    variants = list(_variants())
    for name, groups in variants:
        estimator, seconds_taken, loss = _summary(groups, source, stores, folder, epochs)
        seconds += seconds_taken
        rows.append([name, _number(loss), *_figures(suites, _from_statistics(estimator))])
    return rows, seconds / len(variants)


def _at_equal_compute(
    suites: list[Measured], stores: Path, folder: Path, budget: float, step: float
) -> list[list[str]]:
    """Return a row of the network over statistics and one of the set transformer, for this many seconds each.
    ``step`` is the time in seconds per dataset of training on statistics.
    """
    url = str(stores / "train.zarr")
    summarising = _seconds_to_summarise(open_store(url))
    datasets = int(budget / (summarising + _EPOCHS_AT_EQUAL_COMPUTE * step))
    part = _FirstSummaries(open_summaries(open_store(url)), datasets)
    estimator, seconds, loss = _summary(tuple(GROUPS), part, stores, folder, _EPOCHS_AT_EQUAL_COMPUTE)
    took = f"{(seconds + summarising * len(part)) / 60:.1f} min"
    name = f"{took}: statistics of {len(part):,} samples, {_EPOCHS_AT_EQUAL_COMPUTE} epochs"
    rows = [[name, _number(loss), *_figures(suites, _from_statistics(estimator))]]
    estimator, seconds, datasets = _set_transformer(stores, folder, budget)
    name = f"{seconds / 60:.1f} min: set transformer on {datasets:,} samples"
    # Validation uses only a part of the split, since it would take longer than the training.
    return [*rows, [name, "—", *_figures(suites, _from_samples(estimator))]]


def _seconds_to_summarise(store: Store) -> float:
    """Return the time per dataset for statistics, with all cores at work."""
    block, threads = store.partition(0), torch.get_num_threads()
    torch.set_num_threads(1)
    started = time.perf_counter()
    summarise_block(block)
    seconds = time.perf_counter() - started
    torch.set_num_threads(threads)
    return seconds / len(block) / (os.cpu_count() or 1)


def _variants() -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "all statistics", tuple(GROUPS)
    for left_out in GROUPS:
        if left_out != "sizes":
            yield f"without {left_out}", tuple(group for group in GROUPS if group != left_out)
    yield "sizes and gaussian alone", ("sizes", "gaussian")


def _summary(
    groups: tuple[str, ...], source: SummarySource, stores: Path, folder: Path, epochs: int
) -> tuple[Estimator, float, float]:
    """Train, and return the estimator, the seconds and the validation loss."""
    preset = PRESETS["shipped"]
    network = SummaryNetworkConfig.parse({**dict(preset.network), "groups": groups})
    training = TrainingConfig.parse({**dict(preset.training), "epochs": epochs, "validate_every": 10**6})
    validation = open_summaries(open_store(str(stores / "validation.zarr")))
    place = folder / f"summary-{'-'.join(groups)}-{len(source)}"
    started = time.perf_counter()
    result = train(source, validation, network, training, place, "ablation")
    return result.estimator, time.perf_counter() - started, result.history[-1].validation_loss


class _TimeIsUpError(Exception):
    """The budget of the set transformer is spent."""


def _set_transformer(stores: Path, folder: Path, budget: float) -> tuple[Estimator, float, int]:
    """Train for about this many seconds. Return the estimator, the seconds and the number of datasets. The
    schedule needs the number of steps, so a short first run measures the time of a step.
    """
    preset = PRESETS["quick"]
    source, validation = (open_store(str(stores / f"{split}.zarr")) for split in ("train", "validation"))
    speed = 0.0

    def watch(progress: Progress) -> None:
        nonlocal speed
        speed = progress.datasets_per_second
        if progress.step == 20:
            raise _TimeIsUpError

    changes = {"epochs": 1, "loss_scale": "square-root", "validate_every": 10**6, "checkpoint_every": 10**6}
    training = TrainingConfig.parse({**dict(preset.training), **changes})
    with suppress(_TimeIsUpError):
        train(source, validation, preset.network, training, folder / "set-transformer-speed", "speed", watch)
    datasets = min(len(source), int(speed * budget))
    part = _First(source, datasets)
    started = time.perf_counter()
    result = train(part, validation, preset.network, training, folder / "set-transformer", "ablation")
    seconds = time.perf_counter() - started
    return result.estimator, seconds, len(part)


class _First:
    """The first partitions of a store, with about this many datasets."""

    def __init__(self, store: Store, datasets: int) -> None:
        self.partition_bounds = _first(store.partition_bounds, datasets)
        self.index = store.index[: self.partition_bounds[-1][1]]
        self.partition = store.partition

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Dataset]:
        return chain.from_iterable(map(self.partition, range(len(self.partition_bounds))))


class _FirstSummaries:
    """The same for the statistics of a store."""

    def __init__(self, summaries: SummarySource, datasets: int) -> None:
        self.partition_bounds = _first(summaries.partition_bounds, datasets)
        self.index = summaries.index[: self.partition_bounds[-1][1]]
        self.partition = summaries.partition

    def __len__(self) -> int:
        return len(self.index)


def _first(bounds: list[tuple[int, int]], datasets: int) -> list[tuple[int, int]]:
    return [bound for bound in bounds if bound[0] == 0 or bound[1] <= datasets]


def _from_statistics(estimator: Estimator) -> Callable[[Measured], NDArray[np.float64]]:
    return lambda measured: np.array([one.mi for one in estimator.estimate_statistics(measured.statistics)])


def _from_samples(estimator: Estimator) -> Callable[[Measured], NDArray[np.float64]]:
    def estimates(measured: Measured) -> NDArray[np.float64]:
        pairs = map(measured.suite.sample, measured.positions)
        return np.array([one.mi for one in estimator.estimate_many(pairs)])

    return estimates


def _figures(suites: list[Measured], estimate: Callable[[Measured], NDArray[np.float64]]) -> list[str]:
    errors = [estimate(measured) - measured.mi for measured in suites]
    published, *others = errors
    small = suites[0].n < 100
    return [
        _with_error(np.square(published[small])),
        _with_error(np.square(published[~small])),
        *(_with_error(np.abs(error)) for error in others),
    ]


def _with_error(values: NDArray[np.float64]) -> str:
    return f"{_number(float(values.mean()))} ± {values.std(ddof=1) / np.sqrt(len(values)):.1g}"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _document(rows: list[list[str]], command: str, training: str) -> str:
    head = [
        "variant",
        "validation pinball loss",
        "m-test MSE, n < 100",
        "m-test MSE, n ≥ 100",
        *(f"{name} MAE" for name in SUITES[1:]),
    ]
    table = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    lines = "\n".join(f"| {' | '.join(line)} |" for line in table)
    return (
        f"Written by `python benchmarks/ablations.py {command}`: networks over statistics, {training}. "
        "The last two rows had about as many minutes of all cores: one "
        "with the time of the statistics, the other the set transformer of the preset `quick`, on samples of "
        "the same store. Nats and nats², ± one standard error."
        f"\n\n{lines}\n"
    )


if __name__ == "__main__":
    main()
