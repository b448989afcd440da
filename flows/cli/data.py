"""Commands that make and check stores."""

from typing import Annotated

import typer

from flows.cli.app import app
from flows.cli.options import (
    AddressOption,
    JsonOption,
    PresetOption,
    RootOption,
    SeedOption,
    Split,
    StoreArgument,
    StoreOption,
    WorkersOption,
    workspace_of,
)


@app.command()
def generate(
    store: StoreOption,
    preset: PresetOption = "quick",
    split: Annotated[Split, typer.Option(help="Which split to make.")] = "train",
    count: Annotated[
        int | None, typer.Option(min=1, help="Number of datasets; the preset's if left out.")
    ] = None,
    seed: SeedOption = 0,
    partition_size: Annotated[int | None, typer.Option(min=1, help="Datasets per partition.")] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the store of one split; run again to resume. The training split of paper takes 22 GB."""
    from flows.plans import plan_store, require_room
    from flows.services import announce, dask_cluster, services
    from storage.places.location import Location

    announce(root, preset)
    workspace = workspace_of(root, dask_address=dask_address, workers=workers)
    plan = plan_store(Location.parse(store), split, preset, count, seed, partition_size)
    require_room([plan])
    with services(root, dask_cluster(dask_address, workers, "tasks.generation")) as address:
        from flows.generate import generate_planned

        generated = generate_planned(plan, workspace.on(address))
    from flows.cli.console import print_generated, print_json

    print_json(generated) if as_json else print_generated(generated)


@app.command()
def regenerate(
    store: StoreArgument,
    partitions: Annotated[
        str | None,
        typer.Option(
            help="Numbers and ranges to rebuild, such as 3,7-12; all missing or damaged if left out."
        ),
    ] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rebuild partitions of a store that are missing, damaged or asked for."""
    from flows.parameters import parse_ranges
    from flows.services import announce, dask_cluster, services
    from storage.datasets.opening import open_store
    from tasks.stores import OpenedStore

    announce(root)
    workspace = workspace_of(root, dask_address=dask_address, workers=workers)
    opened = OpenedStore(store=open_store(store))
    if partitions is not None:
        parse_ranges(partitions, opened.store.manifest.partitions)
    with services(root, dask_cluster(dask_address, workers, "tasks.generation")) as address:
        from flows.generate import regenerate_opened

        generated = regenerate_opened(opened, partitions, workspace.on(address))
    from flows.cli.console import print_generated, print_json

    print_json(generated) if as_json else print_generated(generated)


@app.command()
def verify(store: StoreArgument, as_json: JsonOption = False) -> None:
    """Prove that a store is complete and undamaged; print its content hash."""
    from flows.cli.console import print_json, print_verification
    from flows.progress import progress
    from storage.datasets.opening import open_store
    from storage.datasets.verification import verify as check

    opened = open_store(store)
    with progress("verify", opened.manifest.partitions) as report:
        verification = check(opened, on_progress=report)
    print_json(verification) if as_json else print_verification(verification)
    verification.require_sound()


@app.command()
def summarise(
    store: StoreArgument,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the statistics of a store's datasets, which some networks read; run again to resume."""
    from flows.services import announce, dask_cluster, services
    from storage.datasets.opening import open_store
    from tasks.stores import OpenedStore

    announce(root)
    workspace = workspace_of(root, dask_address=dask_address, workers=workers)
    opened = OpenedStore(store=open_store(store))
    opened.store.require_complete()
    with services(root, dask_cluster(dask_address, workers, "tasks.statistics")) as address:
        from flows.summarise import summarise_opened

        summarised = summarise_opened(opened, workspace.on(address))
    from flows.cli.console import print_json, print_summarised

    print_json(summarised) if as_json else print_summarised(summarised)
