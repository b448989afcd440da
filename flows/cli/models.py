"""Commands about registered estimators."""

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
    from storage.registry.versions import every_version

    registered = every_version(tracking_uri_of(root, tracking_uri))
    print_json([version.as_dict() for version in registered]) if as_json else print_versions(registered)


@app.command()
def lookup(
    model: Annotated[str, typer.Argument(help="A registered version, such as mist@champion or mist/3.")],
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the origin of a registered version: data, run, code, metrics."""
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
