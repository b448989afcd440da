"""The command line. Heavy libraries are imported by the commands that need them, so that help is instant."""

import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from mistworks.errors import MistworksError

app = typer.Typer(
    name="mistworks",
    help="Mutual information from samples: meta-datasets, estimators, registry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Split(StrEnum):
    """The splits of a preset."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST_IMD = "test-imd"
    TEST_OOMD = "test-oomd"


PresetOption = Annotated[str, typer.Option(help="tiny, quick or paper, or the path of a preset in JSON.")]
RootOption = Annotated[
    Path, typer.Option(envvar="MISTWORKS_ROOT", help="Directory for stores, runs and the servers' databases.")
]
StoreOption = Annotated[str, typer.Option(help="Path or URL of the store, such as s3://bucket/train.zarr.")]
StoreArgument = Annotated[str, typer.Argument(help="Path or URL of the store.")]
WorkersOption = Annotated[int | None, typer.Option(min=1, help="Processes of the local Dask cluster; one a core.")]
AddressOption = Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Root of every random stream.")]
DEFAULT_ROOT = Path("mistworks-data")


@app.command()
def generate(
    store: StoreOption,
    preset: PresetOption = "quick",
    split: Annotated[Split, typer.Option(help="Which split to make.")] = Split.TRAIN,
    count: Annotated[int | None, typer.Option(min=1, help="Number of datasets; the preset's if left out.")] = None,
    seed: SeedOption = 0,
    partition_size: Annotated[int | None, typer.Option(min=1, help="Datasets in a partition.")] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Make the store of one split; run again to resume."""
    from flows.services import configure, prefect_server

    configure(root)
    with prefect_server(root):
        from flows.generate import generate as run

        made = run(store, split.value, preset, count, seed, partition_size, workers, dask_address)
    from flows.console import print_generated

    print_generated(made)


@app.command()
def regenerate(
    store: StoreArgument,
    partitions: Annotated[
        str | None, typer.Option(help="Numbers to rebuild, such as 3,7; all missing or damaged if left out.")
    ] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Rebuild partitions of a store that are missing, damaged or asked for."""
    from flows.services import configure, prefect_server

    numbers = None if partitions is None else _numbers(partitions)
    configure(root)
    with prefect_server(root):
        from flows.generate import regenerate as run

        made = run(store, numbers, workers, dask_address)
    from flows.console import print_generated

    print_generated(made)


@app.command()
def verify(store: StoreArgument) -> None:
    """Prove that a store is complete and undamaged; print its content hash."""
    from flows.console import print_verification
    from flows.progress import progress
    from storage.store import open_store
    from storage.verification import verify as check

    opened = open_store(store)
    with progress("verify", opened.manifest.partitions) as report:
        found = check(opened, on_progress=report)
    print_verification(found)
    found.require_sound()


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise MistworksError(f"--partitions takes numbers such as 3,7, and {text!r} came; mend it") from None


def main() -> None:
    """Run the command line: 0 on success, 1 on a failure told in one sentence, 2 on a usage error."""
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except MistworksError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command again to resume\n")
        sys.exit(130)


def _end(number: int, _frame: FrameType | None) -> None:
    # As an exception, so that what was started is stopped on the way out.
    sys.exit(128 + number)
