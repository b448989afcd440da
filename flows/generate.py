"""Flows that generate a store, and that regenerate partitions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flows.declaration import flow
from flows.parameters import (
    ChosenPreset,
    Count,
    Partitions,
    PartitionSize,
    Seed,
    StoreUrl,
    Where,
    parse_ranges,
)
from flows.plans import StorePlan, plan_store, require_room
from flows.progress import progress
from flows.services import dask_cluster
from flows.workspace import Workspace
from flows.writers import one_writer
from mistworks.modality.config import ModalityConfig
from mistworks.modality.fitting import fit_modality
from mistworks.modality.modality import Modality
from mistworks.simulation.splits import SplitName
from storage.datasets.modalities import find_modality, keep_modality
from storage.datasets.opening import create_at, open_at, open_store, to_be_completed
from storage.datasets.statistics import create_summaries
from storage.datasets.store import Store
from storage.datasets.verification import verify
from storage.places.location import Location
from tasks.generation import generate_partitions
from tasks.jobs import Job
from tasks.on_dask import check_cluster, run_on_dask
from tasks.stores import OpenedStore


@dataclass(frozen=True)
class Generated:
    """A complete store.

    Attributes:
        url: its path or URL.
        split: the split it holds.
        datasets: number of datasets.
        content_hash: SHA-256 over all samples and labels.
        made: number of partitions made by this run; the others existed.
        changed: partitions that were marked done before and are different now.
        seconds: time taken.
    """

    url: str
    split: str
    datasets: int
    content_hash: str
    made: int
    changed: tuple[int, ...]
    seconds: float


@flow("generate", "generate-{split}-{preset}")
def generate(
    store: StoreUrl,
    split: SplitName = "train",
    preset: ChosenPreset = "quick",
    count: Count | None = None,
    seed: Seed = 0,
    partition_size: PartitionSize | None = None,
    workspace: Where = None,
) -> Generated:
    """Generate the store of one split, and keep partitions that are done.

    Args:
        store: path or URL.
        split: train, validation, calibration, test-imd or test-oomd.
        preset: name of a preset, or path of a JSON file with one.
        count: number of datasets; the preset's if None.
        seed: root of every random stream.
        partition_size: datasets per partition; the preset's if None.
        workspace: where the Dask cluster is.

    Raises:
        MistworksError: the configuration is invalid, the place holds something else or cannot be written, or
            a partition could not be generated.
    """
    plan = plan_store(Location.parse(store), split, preset, count, seed, partition_size)
    require_room([plan])
    return make_store(plan, workspace or Workspace.of())


def make_store(plan: StorePlan, workspace: Workspace) -> Generated:
    """Generate a store as planned, and keep partitions that are done.

    Raises:
        MistworksError: see `generate`.
    """
    if plan.modality is not None:
        plan = plan.fitted(_fit_beside(plan.place, plan.modality))
    # Before the lock, which would create a file in a place that holds something else.
    store = plan.existing()
    if store is not None and not store.missing():
        return _fill(store, [], None)
    with _alike(workspace, plan.place) as address, one_writer(plan.place):
        target = create_at(plan.place, plan.manifest)
        return _fill(target, target.missing(), address)


generate_planned = flow("generate", "generate-{plan.manifest.split}-{plan.preset}", checked=False)(make_store)
"""Run `make_store` as a separate flow."""


def _fit_beside(store: Location, config: ModalityConfig) -> Modality:
    """Fit a modality and keep it beside a store, unless an earlier step has: it is fitted once for all."""
    if (kept := find_modality(store, config)) is not None:
        return kept
    with progress(f"fit {config.name}", 100) as report:
        return keep_modality(store, fit_modality(config, lambda share: report(100 * share)))


@flow("regenerate", "regenerate-{store}")
def regenerate(store: StoreUrl, partitions: Partitions | None = None, workspace: Where = None) -> Generated:
    """Regenerate partitions of a store: the given ones, or all that are missing or damaged.

    Args:
        store: path or URL.
        partitions: numbers and ranges of partitions, such as ``"3,7-12"``; all missing or damaged ones if
            None.
        workspace: where the Dask cluster is.

    Raises:
        MistworksError: the store or a partition does not exist, or a partition could not be generated.
    """
    return rebuild(OpenedStore(store=open_store(store)), partitions, workspace or Workspace.of())


def rebuild(opened: OpenedStore, partitions: str | None, workspace: Workspace) -> Generated:
    """Regenerate partitions of an open store: the given ones, or all that are missing or damaged.

    Raises:
        MistworksError: see `regenerate`.
    """
    place, number_of_partitions = opened.store.location, opened.store.manifest.partitions
    asked = None if partitions is None else parse_ranges(partitions, number_of_partitions)
    with one_writer(place):
        target = to_be_completed(open_at(place, read_only=False))
        if asked is None:
            with progress(f"verify {target.manifest.split}", target.manifest.partitions) as report:
                asked = verify(target, on_progress=report).faulty
        numbers = sorted({*asked, *target.missing()})
        if not numbers:
            return _fill(target, [], None)
        with _alike(workspace, place) as address:
            return _fill(target, numbers, address)


regenerate_opened = flow("regenerate", "regenerate-{opened.url}", checked=False)(rebuild)
"""Run `rebuild` as a separate flow."""


@contextmanager
def _alike(workspace: Workspace, place: Location) -> Iterator[str]:
    """Return the address of a cluster whose machines all make partitions exactly as this one does."""
    with dask_cluster(workspace.dask_address, workspace.workers, generate_partitions.__module__) as address:
        check_cluster(generate_partitions, address, [place])
        yield address


def _fill(target: Store, numbers: list[int], dask_address: str | None) -> Generated:
    started = time.monotonic()
    before = target.partition_digests()
    # All are unmarked at once, so that any later run resumes an interrupted rebuild.
    for number in numbers:
        if before[number] is not None:
            target.unmark(number)
    if numbers and dask_address is not None:
        if not target.manifest.samples:
            # Before the workers, each of which would otherwise create the arrays of the statistics.
            create_summaries(target)
        url, split = target.url, target.manifest.split
        job = Job(
            target.location,
            numbers,
            lambda number: f"partition {number} of the store {url}",
            target.missing,
            target.is_done,
        )
        with progress(f"generate {split}", len(numbers)) as report:
            run_on_dask(
                generate_partitions, [job], f"generate-{split}", dask_address, report, [target.location]
            )
    after = target.partition_digests()
    return Generated(
        url=target.url,
        split=target.manifest.split,
        datasets=len(target),
        content_hash=target.content_hash(),
        made=len(numbers),
        changed=tuple(n for n in numbers if before[n] is not None and before[n] != after[n]),
        seconds=time.monotonic() - started,
    )


__all__ = [
    "Generated",
    "generate",
    "generate_planned",
    "make_store",
    "rebuild",
    "regenerate",
    "regenerate_opened",
]
