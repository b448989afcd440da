"""Options that commands share, and how their texts are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mistworks.errors import MistworksError

if TYPE_CHECKING:
    from flows.workspace import Workspace


Split = Literal["train", "validation", "calibration", "test-imd", "test-oomd"]
Missing = Literal["raise", "drop", "category"]
Unit = Literal["nats", "bits"]

PresetOption = Annotated[
    str,
    typer.Option(
        help="tiny, quick, shipped, digits, paper, or the path of a JSON file. Stores of paper take 22 GB."
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        envvar="MISTWORKS_ROOT",
        help="Local directory for whatever is kept nowhere else.",
        show_default="mistworks-data",
    ),
]
StoreOption = Annotated[str, typer.Option(help="Path or URL of the store, such as s3://bucket/train.zarr.")]
StoreArgument = Annotated[str, typer.Argument(help="Path or URL of the store.")]
StoresOption = Annotated[
    str | None,
    typer.Option(
        envvar="MISTWORKS_STORES", help="Path or URL below which stores are kept; in --root if left out."
    ),
]
CheckpointsOption = Annotated[
    str | None,
    typer.Option(
        envvar="MISTWORKS_CHECKPOINTS",
        help="Path or URL below which trainings and estimators are kept; in --root if left out.",
    ),
]
ResultsOption = Annotated[
    str | None,
    typer.Option(
        envvar="MISTWORKS_RESULTS", help="Path or URL below which results are kept; in --root if left out."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
TrackingOption = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_TRACKING_URI", help="MLflow database or server; the one in --root if left out."
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1, envvar="MISTWORKS_WORKERS", help="Processes of the local Dask cluster; one per core."
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(envvar="MISTWORKS_DASK_ADDRESS", help="Address of a Dask scheduler to use instead."),
]
TableArgument = Annotated[
    Path, typer.Argument(help="Table in CSV (also compressed), Parquet or Feather; - for standard input.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        help="Folder of an estimator, or a registered one such as mist@champion; the one that comes with "
        "the package if left out."
    ),
]
MissingOption = Annotated[
    Missing,
    typer.Option(
        help="What to do about missing values: raise is an error, drop leaves out rows that have one, "
        "category makes a missing class label a class of its own."
    ),
]
ClassesOption = Annotated[
    str | None,
    typer.Option(help="Columns of numbers that are class labels, such as zip,code.", show_default=False),
]
IntervalOption = Annotated[float, typer.Option(help="Level of the interval, between 0 and 1.")]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        help="Draw a picture to this file, such as out.png, out.svg or out.pdf.", show_default=False
    ),
]
SeparatorOption = Annotated[
    str | None,
    typer.Option(
        help="Between the fields of a CSV table: a character, tab or space; found in the file if left out.",
        show_default=False,
    ),
]
DecimalOption = Annotated[
    str | None,
    typer.Option(
        help="Of the numbers of a CSV table: . or a comma; found in the file if left out.",
        show_default=False,
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Root of every random stream.")]


def names(text: str, known: Sequence[str] = ()) -> list[str]:
    """The names in a text such as ``"a, b"``, or the text if it is the name of a known column."""
    return [text] if text in known else [name.strip() for name in text.split(",")]


def numbers(text: str, option: str) -> list[int]:
    """The numbers in a text such as ``"3,7"``.

    Raises:
        MistworksError: it holds something else.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise MistworksError(f"Expected numbers such as 3,7 as {option}, got {text!r}.") from None


def shares(text: str, option: str) -> list[float]:
    """The numbers between 0 and 1 in a text such as ``"0.5,0.9"``.

    Raises:
        MistworksError: it holds something else.
    """
    try:
        levels = [float(part) for part in text.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(0 < each < 1 for each in levels):
        raise MistworksError(f"Expected numbers between 0 and 1 such as 0.5,0.9 as {option}, got {text!r}.")
    return levels


def dated_seed(text: str | None) -> int | None:
    """The seed that an option such as ``"7"`` or ``"date"`` stands for, which is this day in UTC.

    Raises:
        MistworksError: it is neither a number of at least 0 nor ``"date"``.
    """
    from flows.parameters import seed_of

    if text is not None and text != "date" and not text.isdecimal():
        raise MistworksError(f"Expected a number of at least 0 or date as --seed, got {text!r}.")
    return seed_of(text)


def tracking_uri_of(root: Path | None, tracking_uri: str | None) -> str:
    """The registry that a command reads: the one given, else the database in the root."""
    from flows.root import local_root
    from storage.registry.tracking import local_tracking_uri

    return tracking_uri or local_tracking_uri(local_root(root))


def workspace_of(root: Path | None, **given: str | int | None) -> "Workspace":
    """The workspace of a command's options; see `flows.workspace.Workspace.of`."""
    from flows.workspace import Workspace

    return Workspace.of(root, **given)


__all__ = [
    "AddressOption",
    "CheckpointsOption",
    "ClassesOption",
    "DecimalOption",
    "IntervalOption",
    "JsonOption",
    "Missing",
    "MissingOption",
    "ModelOption",
    "PlotOption",
    "PresetOption",
    "ResultsOption",
    "RootOption",
    "SeedOption",
    "SeparatorOption",
    "Split",
    "StoreArgument",
    "StoreOption",
    "StoresOption",
    "TableArgument",
    "TrackingOption",
    "Unit",
    "WorkersOption",
    "dated_seed",
    "names",
    "numbers",
    "shares",
    "tracking_uri_of",
    "workspace_of",
]
