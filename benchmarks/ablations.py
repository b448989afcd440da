"""What each group of statistics buys, and what the set transformer reaches on the same data.

Trains on the stores of a pipeline run: the network over statistics whole, without each group, and with the
Gaussian statistics alone, all for as many epochs; and the set transformer of the preset ``quick`` on samples
of the same store, for as long as the whole one took or as long as asked for.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mistworks.dataset import Dataset, FloatArray
from mistworks.estimation import Estimator
from mistworks.evaluation.suites import Suite, suite
from mistworks.inputs import ranked_pair
from mistworks.networks import SummaryNetworkConfig
from mistworks.presets import PRESETS
from mistworks.statistics import GROUPS, summarise
from mistworks.training import Progress, TrainingConfig, train
from storage.store import Store, open_store
from storage.summaries import open_summaries

SUITES = ("m-test", "bmi-40", "beyond")


@dataclass(frozen=True)
class Measured:
    """A suite whose statistics were computed once, for all variants.

    Attributes:
        suite: the suite.
        statistics: shape (N, S).
        n: number of points, shape (N,).
        d: dx + dy, shape (N,).
        mi: true mutual information in nats, shape (N,).
    """

    suite: Suite
    statistics: FloatArray
    n: NDArray[np.int64]
    d: NDArray[np.int64]
    mi: NDArray[np.float64]

    @classmethod
    def of(cls, name: str) -> "Measured":
        """Summarise every dataset of a suite."""
        chosen = suite(name)
        cases = list(chosen.cases())
        rows = [
            summarise(*(torch.from_numpy(part) for part in ranked_pair(*chosen.sample(position))))
            for position in range(len(chosen))
        ]
        return cls(
            chosen,
            torch.stack(rows).numpy(),
            np.array([case.n for case in cases]),
            np.array([case.dx + case.dy for case in cases]),
            np.array([case.mi for case in cases]),
        )


def main() -> None:
    """Train and measure every variant, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("mistworks-data"))
    parser.add_argument(
        "--stores", type=Path, help="folder of the stores; that of `shipped` in --root if left out"
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument(
        "--minutes", type=float, help="for the set transformer; as long as the whole if left out"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/ablations.md"))
    arguments = parser.parse_args()
    stores = arguments.stores or arguments.root / "stores" / "shipped-seed-0"
    folder = arguments.root / "ablations"
    suites = [Measured.of(name) for name in SUITES]
    rows, seconds = [], 0.0
    for name, groups in _variants():
        estimator, seconds_taken, loss = _summary(groups, stores, folder, arguments.epochs)
        seconds = seconds or seconds_taken
        rows.append([name, _number(loss), *_figures(suites, _from_statistics(estimator))])
    budget = 60.0 * arguments.minutes if arguments.minutes else seconds
    estimator, loss, datasets = _set_transformer(stores, folder, budget)
    name = f"set transformer on {datasets:,} samples"
    rows.append([name, _number(loss), *_figures(suites, _from_samples(estimator))])
    arguments.output.write_text(_document(rows, arguments.epochs, seconds, budget), encoding="utf-8")


def _variants() -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "all statistics", tuple(GROUPS)
    for left_out in GROUPS:
        if left_out != "sizes":
            yield f"without {left_out}", tuple(group for group in GROUPS if group != left_out)
    yield "sizes and gaussian alone", ("sizes", "gaussian")


def _summary(
    groups: tuple[str, ...], stores: Path, folder: Path, epochs: int
) -> tuple[Estimator, float, float]:
    """The trained estimator, the seconds it took and its validation loss."""
    preset = PRESETS["shipped"]
    network = SummaryNetworkConfig.parse({**dict(preset.network), "groups": groups})
    training = TrainingConfig.parse({**dict(preset.training), "epochs": epochs, "validate_every": 10**6})
    source, validation = (open_summaries(str(stores / f"{split}.zarr")) for split in ("train", "validation"))
    place = folder / f"summary-{'-'.join(groups)}-{epochs}"
    started = time.perf_counter()
    result = train(source, validation, network, training, place, "ablation")
    return result.estimator, time.perf_counter() - started, result.history[-1].validation_loss


class _TimeIsUpError(Exception):
    """The budget of the set transformer is spent."""


def _set_transformer(stores: Path, folder: Path, budget: float) -> tuple[Estimator, float, int]:
    """The estimator after so many seconds, its validation loss, and the datasets that it saw.

    The schedule needs the number of steps: a first run of a few tells how long one takes.
    """
    preset = PRESETS["quick"]
    source, validation = (open_store(str(stores / f"{split}.zarr")) for split in ("train", "validation"))
    speed = 0.0

    def watch(progress: Progress) -> None:
        nonlocal speed
        speed = progress.datasets_per_second
        if progress.step == 60:
            raise _TimeIsUpError

    changes = {"epochs": 1, "loss_scale": "square-root", "validate_every": 10**6, "checkpoint_every": 10**6}
    training = TrainingConfig.parse({**dict(preset.training), **changes})
    with suppress(_TimeIsUpError):
        train(source, validation, preset.network, training, folder / "set-transformer-speed", "speed", watch)
    datasets = min(len(source), int(speed * budget))
    part = _First(source, datasets)
    result = train(part, validation, preset.network, training, folder / f"set-transformer-{datasets}", "part")
    return result.estimator, result.history[-1].validation_loss, len(part)


class _First:
    """The first partitions of a store, with about so many datasets."""

    def __init__(self, store: Store, datasets: int) -> None:
        bounds = store.partition_bounds
        self.partition_bounds = [bound for bound in bounds if bound[0] == 0 or bound[1] <= datasets]
        self.index = store.index[: self.partition_bounds[-1][1]]
        self.partition = store.partition

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Dataset]:
        return chain.from_iterable(map(self.partition, range(len(self.partition_bounds))))


def _from_statistics(estimator: Estimator) -> Callable[[Measured], NDArray[np.float64]]:
    return lambda measured: np.array(
        [one.mi for one in estimator.estimate_statistics(measured.statistics, measured.n, measured.d)]
    )


def _from_samples(estimator: Estimator) -> Callable[[Measured], NDArray[np.float64]]:
    def estimates(measured: Measured) -> NDArray[np.float64]:
        pairs = (measured.suite.sample(position) for position in range(len(measured.suite)))
        return np.array([one.mi for one in estimator.estimate_many(pairs)])

    return estimates


def _figures(suites: list[Measured], estimate: Callable[[Measured], NDArray[np.float64]]) -> list[str]:
    errors = [estimate(measured) - measured.mi for measured in suites]
    published, benchmark, beyond = errors
    small = suites[0].n < 100
    return [
        _with_error(np.square(published[small])),
        _with_error(np.square(published[~small])),
        _with_error(np.abs(benchmark)),
        _with_error(np.abs(beyond)),
    ]


def _with_error(values: NDArray[np.float64]) -> str:
    return f"{_number(float(values.mean()))} ± {values.std(ddof=1) / np.sqrt(len(values)):.1g}"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _document(rows: list[list[str]], epochs: int, seconds: float, budget: float) -> str:
    head = [
        "variant",
        "validation pinball loss",
        "m-test MSE, n < 100",
        "m-test MSE, n ≥ 100",
        "bmi-40 MAE",
        "beyond MAE",
    ]
    table = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    lines = "\n".join(f"| {' | '.join(line)} |" for line in table)
    return (
        f"Written by `python benchmarks/ablations.py --epochs {epochs}`: networks over statistics, "
        f"{seconds:.0f} s each; the set transformer of the preset `quick` for {budget:.0f} s on the samples "
        "of the same store, which is more than they had to learn, and less than their statistics took. Nats "
        "and nats², ± one standard error. `beyond` is shown, not used to choose.\n\n" + lines + "\n"
    )


if __name__ == "__main__":
    main()
