"""Whether a meta-dataset can be carried to a modality: ``python benchmarks/digits.py``.

The shipped estimator is adapted to images of digits on the datasets of the preset ``digits``: on the pairs
carried by the flow alone, on the pairs by label alone, and on both as the preset does. Each is tested on
images held out: on pairs of real images by their label, and on pairs carried by the flow of these images.
Printed are the mean absolute errors in nats, and how often 90 % intervals hold the truth. What is in the
folder already is used.
"""

import argparse
import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
from tables import table

import mistworks
from mistworks.baselines import baseline
from mistworks.dataset import Dataset, Index
from mistworks.errors import MistworksWarning
from mistworks.estimation.estimator import Estimator
from mistworks.modality import Modality
from mistworks.modality.config import file_of
from mistworks.modality.fitting import fit_modality
from mistworks.presets import PRESETS
from mistworks.simulation.generation import generate_block
from mistworks.simulation.meta_distribution import MetaDistribution
from mistworks.simulation.modality import modality_meta_distribution
from mistworks.simulation.splits import SplitName
from mistworks.statistics.table import summarise_block
from mistworks.training import calibrate, train
from mistworks.training.arrays import ArraySummaries

SEED, TEST_SEED = 0, 1
BLOCK = 100
RIVAL = "ksg-3"
# The share of carried pairs that gives each kind alone.
KINDS: Mapping[str, float] = {"label pairs": 0.0, "flow pairs": 1.0}
ADAPTED: Mapping[str, tuple[str, ...]] = {
    "adapted by flows alone": ("carried",),
    "adapted by labels alone": ("labelled",),
    "adapted by both": ("labelled", "carried"),
}
PRESET = PRESETS["digits"]
LEARNED: tuple[SplitName, ...] = ("train", "validation", "calibration")


def part(
    meta: MetaDistribution, modality: Modality, split: str, bounds: tuple[int, int]
) -> tuple[np.ndarray, Index]:
    """The statistics of some datasets of a split."""
    block = generate_block(meta.on(modality), SEED, split, *bounds)
    return summarise_block(block), block.index


def statistics(
    split: SplitName, count: int, modality: Modality, pool: ProcessPoolExecutor, folder: Path
) -> ArraySummaries:
    """The statistics of a split of the preset, kept in a file."""
    path = folder / f"{split}-{count}.npz"
    if not path.exists():
        meta = PRESET.splits[split].meta_distribution.fitted(modality.fit)
        bounds = [(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
        tables, indices = zip(*pool.map(partial(part, meta, modality, split), bounds), strict=True)
        columns = [[getattr(index, field.name) for index in indices] for field in fields(Index)]
        index = Index(*(np.concatenate(column) for column in columns))
        ArraySummaries(np.concatenate(tables), index).save(path)
    return ArraySummaries.load(path)


def adapted(families: tuple[str, ...], splits: Sequence[ArraySummaries], folder: Path) -> Estimator:
    """The shipped estimator, adapted and calibrated as in the preset on the pairs of some families."""
    sources = []
    for split in splits:
        chosen = np.isin(split.index.family, families)
        sources.append(ArraySummaries(split.statistics[chosen], split.index[chosen]))
    content = [source.statistics.tobytes() for source in sources[:2]]
    digest = hashlib.sha256(b"".join([*content, PRESET.canonical_json().encode()])).hexdigest()
    checkpoint = folder / f"checkpoint-{digest[:16]}"
    result = train(*sources[:2], PRESET.network, PRESET.training, checkpoint, digest)
    return calibrate(result.estimator, sources[2], PRESET.training.seed)


def test_of(carried: float, count: int, modality: Modality) -> list[Dataset]:
    """Pairs of one kind from the images held out."""
    config = modality.config.model_copy(update={"carried": carried})
    meta = modality_meta_distribution(config, "held-out").fitted(modality.fit).on(modality)
    return list(generate_block(meta, TEST_SEED, "test-imd", 0, count))


Estimates = Callable[[list[Dataset]], tuple[np.ndarray, np.ndarray | None]]


def of_estimator(estimator: Estimator, datasets: list[Dataset]) -> tuple[np.ndarray, np.ndarray | None]:
    """Estimates, and 90 % intervals of shape (N, 2)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistworksWarning)
        estimates = estimator.estimate_many([(each.x, each.y) for each in datasets])
    return (
        np.array([each.mi for each in estimates]),
        np.array([each.interval(0.9) for each in estimates]),
    )


def of_rival(name: str, datasets: list[Dataset]) -> tuple[np.ndarray, np.ndarray | None]:
    """Estimates of a baseline, at least 0."""
    rival = baseline(name)
    return np.array([max(0.0, rival.estimate(each.x, each.y).mi) for each in datasets]), None


def row(name: str, estimates: Estimates, tests: Mapping[str, list[Dataset]]) -> list[str]:
    """The errors of one estimator with their standard errors, and its coverage."""
    cells, coverage = [name], []
    for datasets in tests.values():
        truth = np.array([each.mi for each in datasets])
        values, intervals = estimates(datasets)
        error = np.abs(values - truth)
        cells.append(f"{error.mean():.3f} ± {error.std() / np.sqrt(len(error)):.3f}")
        if intervals is None:
            coverage.append("—")
        else:
            inside = (intervals[:, 0] <= truth) & (truth <= intervals[:, 1])
            coverage.append(f"{100 * inside.mean():.1f} %")
    return [*cells, *coverage]


def main() -> None:
    """Adapt, test and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/digits"), help="of statistics and weights")
    parser.add_argument("--train", type=int, default=PRESETS["digits"].splits["train"].count)
    parser.add_argument("--test", type=int, default=200, help="datasets of each kind")
    parser.add_argument("--workers", type=int, default=2, help="processes that generate")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    config = PRESET.modality
    assert config is not None
    kept = folder / file_of(config.key)
    modality = Modality.load(kept) if kept.exists() else fit_modality(config)
    modality.save(folder)
    for half, held in modality.halves.items():
        print(
            f"{half}: {len(held.features)} images; loss of the other half {held.loss:.2f} nats by the flow, "
            f"{held.gaussian_loss:.2f} by a normal distribution"
        )
    tests = {kind: test_of(carried, arguments.test, modality) for kind, carried in KINDS.items()}
    rows = [
        row("shipped", partial(of_estimator, mistworks.shipped()), tests),
        row(RIVAL, partial(of_rival, RIVAL), tests),
    ]
    share = arguments.train / PRESET.splits["train"].count
    with ProcessPoolExecutor(arguments.workers) as pool:
        splits = [
            statistics(split, round(share * PRESET.splits[split].count), modality, pool, folder)
            for split in LEARNED
        ]
    for name, families in ADAPTED.items():
        estimator = adapted(families, splits, folder)
        rows.append(row(name, partial(of_estimator, estimator), tests))
    head = ["", *KINDS, *(f"coverage, {kind}" for kind in KINDS)]
    print(f"\nMean absolute error in nats on {arguments.test} datasets of each kind, images held out.\n")
    print(table(head, rows))


if __name__ == "__main__":
    main()
