"""The command line. Heavy libraries are imported by the commands that need them, so that help is instant."""

import logging
import os
import signal
import sys
import warnings
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from flows.entry import not_installed
from mistworks.errors import MistworksError

app = typer.Typer(
    name="mistworks",
    help="Mutual information from samples: meta-datasets, estimators, registry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Objective(StrEnum):
    """What training minimises."""

    PINBALL = "pinball"
    SQUARED_ERROR = "squared-error"


class Split(StrEnum):
    """The splits of a preset."""

    TRAIN = "train"
    VALIDATION = "validation"
    CALIBRATION = "calibration"
    TEST_IMD = "test-imd"
    TEST_OOMD = "test-oomd"


PresetOption = Annotated[
    str, typer.Option(help="tiny, quick, shipped or paper, or the path of a preset in JSON.")
]
RootOption = Annotated[
    Path, typer.Option(envvar="MISTWORKS_ROOT", help="Directory for stores, runs and the servers' databases.")
]
StoreOption = Annotated[str, typer.Option(help="Path or URL of the store, such as s3://bucket/train.zarr.")]
StoreArgument = Annotated[str, typer.Argument(help="Path or URL of the store.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
TrackingOption = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_TRACKING_URI", help="MLflow database or server; the one in --root if left out."
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes of the local Dask cluster; one a core.")
]
AddressOption = Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")]
ModelOption = Annotated[
    str, typer.Option(help="Folder of an estimator, or a registered one such as mist@champion.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Root of every random stream.")]
DEFAULT_ROOT = Path("mistworks-data")
INTERRUPTED = 128 + signal.SIGINT


@app.command()
def generate(
    store: StoreOption,
    preset: PresetOption = "quick",
    split: Annotated[Split, typer.Option(help="Which split to make.")] = Split.TRAIN,
    count: Annotated[
        int | None, typer.Option(min=1, help="Number of datasets; the preset's if left out.")
    ] = None,
    seed: SeedOption = 0,
    partition_size: Annotated[int | None, typer.Option(min=1, help="Datasets in a partition.")] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Make the store of one split; run again to resume."""
    from flows.services import dask_cluster, services

    with services(root, dask_cluster(dask_address, workers, "flows.generate")) as address:
        from flows.generate import generate as run

        made = run(store, split.value, preset, count, seed, partition_size, workers, address)
    from flows.console import print_generated, print_json

    print_json(made) if as_json else print_generated(made)


@app.command()
def regenerate(
    store: StoreArgument,
    partitions: Annotated[
        str | None, typer.Option(help="Numbers to rebuild, such as 3,7; all missing or damaged if left out.")
    ] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Rebuild partitions of a store that are missing, damaged or asked for."""
    from flows.services import dask_cluster, services

    numbers = None if partitions is None else _numbers(partitions, "--partitions")
    with services(root, dask_cluster(dask_address, workers, "flows.generate")) as address:
        from flows.generate import regenerate as run

        made = run(store, numbers, workers, address)
    from flows.console import print_generated, print_json

    print_json(made) if as_json else print_generated(made)


@app.command()
def verify(store: StoreArgument, as_json: JsonOption = False) -> None:
    """Prove that a store is complete and undamaged; print its content hash."""
    from flows.console import print_json, print_verification
    from flows.progress import progress
    from storage.store import open_store
    from storage.verification import verify as check

    opened = open_store(store)
    with progress("verify", opened.manifest.partitions) as report:
        found = check(opened, on_progress=report)
    print_json(found) if as_json else print_verification(found)
    found.require_sound()


@app.command()
def summarise(
    store: StoreArgument,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Compute the statistics of a store's datasets, which some networks read; run again to resume."""
    from flows.services import dask_cluster, services

    with services(root, dask_cluster(dask_address, workers, "tasks.statistics")) as address:
        from flows.summarise import summarise as run

        made = run(store, workers, address)
    from flows.console import print_json, print_summarised

    print_json(made) if as_json else print_summarised(made)


@app.command()
def train(
    store: StoreOption,
    validation_store: Annotated[str, typer.Option(help="Path or URL of the validation store.")],
    calibration_store: Annotated[
        str | None, typer.Option(help="Path or URL of the calibration store; not calibrated if left out.")
    ] = None,
    preset: PresetOption = "quick",
    objective: Annotated[Objective | None, typer.Option(help="The preset's if left out.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of weights and order; the preset's if left out.")
    ] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train an estimator on a store; run again to resume."""
    from flows.services import services

    with services(root):
        from flows.train import train as run

        trained = run(
            store,
            validation_store,
            preset,
            root=root,
            tracking_uri=tracking_uri or _tracking_uri(root),
            objective=objective.value if objective else None,
            seed=seed,
            calibration_store=calibration_store,
            workers=workers,
            dask_address=dask_address,
        )
    from flows.console import print_json, print_trained

    print_json(trained) if as_json else print_trained(trained)


@app.command()
def evaluate(
    models: Annotated[
        str,
        typer.Option(
            help="What to compare, such as mist@champion,ksg-3,classical: registered versions, folders of "
            "estimators, baselines and groups of them (classical, neural), any with +bootstrap."
        ),
    ],
    suites: Annotated[str, typer.Option(help="On what, such as m-test,bmi-40, or paths and URLs of stores.")],
    sizes: Annotated[
        str | None, typer.Option(help="Sample sizes n, such as 500,1000; the suites' own if left out.")
    ] = None,
    slow_limit: Annotated[
        int, typer.Option(min=1, help="Datasets of each suite that a slow estimator is evaluated on.")
    ] = 120,
    results: Annotated[
        str | None, typer.Option(help="Path or URL where results are kept; in --root if left out.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="HTML file to write a report to.")] = None,
    costs: Annotated[
        bool, typer.Option("--costs", help="Measure time and memory of each estimator alone, for the report.")
    ] = False,
    run_id: Annotated[str | None, typer.Option(help="MLflow run to log the result on.")] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare estimators on suites of datasets with known mutual information; run again to resume."""
    from flows.services import dask_cluster, services

    uri = tracking_uri or _tracking_uri(root)
    numbers = None if sizes is None else _numbers(sizes, "--sizes")
    with services(root, dask_cluster(dask_address, workers, "tasks.evaluation")) as address:
        from flows.evaluate import evaluate as run

        evaluated = run(
            _names(models),
            _names(suites),
            root,
            uri,
            sizes=numbers,
            slow_limit=slow_limit,
            results=results,
            dask_address=address,
            run_id=run_id,
        )
    if report is not None:
        from flows.report import report_on

        report_on(evaluated, report, root, uri, run_id=run_id, costs=costs)
    from flows.console import print_evaluated, print_json

    print_json([asdict(row) for row in evaluated.summary()]) if as_json else print_evaluated(evaluated)


@app.command()
def register(
    model: Annotated[Path, typer.Option(help="Folder of the estimator.")],
    run_id: Annotated[str, typer.Option(help="MLflow run of its training.")],
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a trained estimator; it becomes champion if it passes the gate."""
    from flows.services import services

    with services(root):
        from flows.register import evaluate_and_register as run

        registered = run(model, run_id, root, tracking_uri or _tracking_uri(root))
    from flows.console import print_json, print_version

    print_json(registered.as_dict()) if as_json else print_version(registered)


@app.command()
def pipeline(
    preset: PresetOption = "quick",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Root of every random stream, of the weights too.")
    ] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Generate, train, evaluate and register; run again to resume."""
    from flows.services import services

    uri = tracking_uri or _tracking_uri(root)
    with services(root):
        from flows.pipeline import pipeline as run

        produced = run(preset, root.absolute(), uri, seed, workers, dask_address)
    from flows.console import print_json, print_produced

    print_json(produced.registered.as_dict()) if as_json else print_produced(produced, root, uri)


@app.command()
def models(
    root: RootOption = DEFAULT_ROOT, tracking_uri: TrackingOption = None, as_json: JsonOption = False
) -> None:
    """List the registered versions with their metrics."""
    from flows.console import print_json, print_versions
    from storage.registry import versions

    found = versions(tracking_uri or _tracking_uri(root))
    print_json([version.as_dict() for version in found]) if as_json else print_versions(found)


@app.command()
def lookup(
    model: Annotated[str, typer.Argument(help="A registered version, such as mist@champion or mist/3.")],
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print where a registered version came from: data, run, code, metrics."""
    from flows.console import print_json, print_version
    from storage.registry import lookup as find

    found = find(model, tracking_uri or _tracking_uri(root))
    print_json(found.as_dict()) if as_json else print_version(found)


@app.command()
def estimate(
    file: Annotated[Path, typer.Argument(help="Table in CSV with a header.")],
    x: Annotated[str, typer.Option(help="Columns of X, such as a,b.")],
    y: Annotated[str, typer.Option(help="Columns of Y, such as c.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of an estimator, or a registered one such as mist@champion; the one that comes with "
            "the package if left out."
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the interval, between 0 and 1.")] = 0.9,
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the mutual information of columns of a CSV file, in nats."""
    import mistworks
    from flows.console import print_estimate
    from storage.models import load_model
    from storage.tables import read_columns

    table = read_columns(file, {"x": _names(x), "y": _names(y)})
    estimator = None if model is None else load_model(model, tracking_uri or _tracking_uri(root))
    with warnings.catch_warnings(record=True) as told:
        made = mistworks.estimate(table["x"], table["y"], estimator)
    for warning in told:
        sys.stderr.write(f"warning: {warning.message}\n")
    print_estimate(made, level, as_json=as_json)


@app.command()
def presets(name: Annotated[str, typer.Argument(help="Name of a preset.")]) -> None:
    """Print a preset as JSON, to be edited and passed to --preset."""
    from flows.console import print_json
    from mistworks.presets import load_preset

    print_json(load_preset(name).model_dump(mode="json"))


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="A registered version, such as mist/4.")],
    force: Annotated[bool, typer.Option("--force", help="Whatever the gate finds; it is recorded.")] = False,
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version champion if it is better, calibrated and keeps its invariants."""
    from flows.services import services

    with services(root):
        from flows.promote import promote as run

        promoted = run(model, tracking_uri or _tracking_uri(root), force)
    from flows.console import print_json, print_version

    print_json(promoted.as_dict()) if as_json else print_version(promoted)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The registered model.")] = "mist",
    root: RootOption = DEFAULT_ROOT,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the previous champion champion again."""
    from flows.console import print_json, print_version
    from storage.promotion import rollback as run

    restored = run(tracking_uri or _tracking_uri(root), name)
    print_json(restored.as_dict()) if as_json else print_version(restored)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _tracking_uri(root: Path) -> str:
    from storage.tracking import local_tracking_uri

    return local_tracking_uri(root)


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise MistworksError(f"{option} takes numbers such as 3,7, and {text!r} came; mend it") from None


def main() -> None:
    """Run the command line: 0 on success, 1 on a failure told in one sentence, 2 on a usage error."""
    signal.signal(signal.SIGTERM, _end)
    # Where Prefect cannot take a log record, that is not the error to tell.
    logging.raiseExceptions = False
    try:
        app()
    except Exception as error:
        if os.environ.get("MISTWORKS_TRACEBACK"):
            raise
        sys.stderr.write(f"error: {_told(error)}\n")
        sys.exit(1)
    except SystemExit as end:
        # What Typer makes of an interrupt.
        if end.code == INTERRUPTED:
            sys.stderr.write("interrupted; run the same command again to resume\n")
        raise


def _told(error: BaseException) -> str:
    # What fails last may hide what failed first: on a full disk Prefect cannot record a failure either.
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MistworksError):
            return str(cause)
        if isinstance(cause, ModuleNotFoundError):
            return not_installed(cause)
        cause = cause.__cause__ or cause.__context__
    line = next(iter(str(error).splitlines()), "no message")
    return f"unexpected {type(error).__name__}: {line}; set MISTWORKS_TRACEBACK=1 to see where, and report it"


def _end(number: int, _frame: FrameType | None) -> None:
    # As an exception, so that what was started is stopped on the way out.
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
