"""Commands about registered estimators, and the one that uses an estimator."""

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import app
from flows.cli.options import (
    AddressOption,
    JsonOption,
    ResultsOption,
    RootOption,
    StoresOption,
    TrackingOption,
    WorkersOption,
    names,
    tracking_uri_of,
    workspace_of,
)


@app.command()
def register(
    model: Annotated[
        str | None, typer.Option(help="Path or URL of the folder of the estimator.", show_default=False)
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="MLflow run of its training.", show_default=False)
    ] = None,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Register the estimator that comes with the package instead.")
    ] = False,
    validation_store: Annotated[
        str | None,
        typer.Option(
            help="With --shipped: path or URL of the store it is measured on. The champion's validation data "
            "if left out, or else the first thousand of preset shipped, which are generated."
        ),
    ] = None,
    results: ResultsOption = None,
    stores: StoresOption = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a trained estimator; it becomes champion if it passes the gate."""
    if shipped == (model is not None or run_id is not None) or (model is None) != (run_id is None):
        raise typer.BadParameter("Expected --model with --run-id, or --shipped. Give one of the two.")
    from flows.services import announce, services

    announce(root)
    workspace = workspace_of(
        root,
        stores=stores,
        results=results,
        tracking_uri=tracking_uri,
        dask_address=dask_address,
        workers=workers,
    )
    with services(root):
        from flows.register import register as run
        from flows.register import register_shipped

        registered = (
            register_shipped(validation_store, workspace)
            if model is None or run_id is None
            else run(model, run_id, workspace)
        )
    from flows.cli.console import print_json, print_version

    print_json(registered.as_dict()) if as_json else print_version(registered)


@app.command()
def models(root: RootOption = None, tracking_uri: TrackingOption = None, as_json: JsonOption = False) -> None:
    """List the registered versions with their metrics."""
    from flows.cli.console import print_json, print_versions
    from storage.registry.versions import versions

    registered = versions(tracking_uri_of(root, tracking_uri))
    print_json([version.as_dict() for version in registered]) if as_json else print_versions(registered)


@app.command()
def lookup(
    model: Annotated[str, typer.Argument(help="A registered version, such as mist@champion or mist/3.")],
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print where a registered version came from: data, run, code, metrics."""
    from flows.cli.console import print_json, print_version
    from storage.registry.versions import lookup as find

    version = find(model, tracking_uri_of(root, tracking_uri))
    print_json(version.as_dict()) if as_json else print_version(version)


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="A registered version, such as mist/4.")],
    force: Annotated[bool, typer.Option("--force", help="Whatever the gate finds; it is recorded.")] = False,
    stores: StoresOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version champion if it is better, calibrated and keeps its invariants."""
    from flows.services import announce, services

    announce(root)
    workspace = workspace_of(root, stores=stores, tracking_uri=tracking_uri)
    with services(root):
        from flows.promote import promote as run

        promoted = run(model, force, workspace)
    from flows.cli.console import print_json, print_version

    print_json(promoted.as_dict()) if as_json else print_version(promoted)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The registered model.")] = "mist",
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the previous champion champion again."""
    from flows.cli.console import print_json, print_version
    from storage.registry.promotion import rollback as run

    restored = run(tracking_uri_of(root, tracking_uri), name)
    print_json(restored.as_dict()) if as_json else print_version(restored)


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
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the mutual information of columns of a CSV file, in nats."""
    import mistworks
    from flows.cli.console import print_estimate
    from storage.registry.models import load_model
    from storage.tables.columns import read_columns

    table = read_columns(file, {"x": names(x), "y": names(y)})
    estimator = None if model is None else load_model(model, tracking_uri_of(root, tracking_uri))
    with warnings.catch_warnings(record=True) as caught:
        result = mistworks.estimate(table["x"], table["y"], estimator)
    for warning in caught:
        sys.stderr.write(f"warning: {warning.message}\n")
    print_estimate(result, level, as_json=as_json)
