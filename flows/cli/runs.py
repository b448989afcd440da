"""Commands about whole runs of the pipeline."""

from typing import Annotated

import typer

from flows.cli.app import app
from flows.cli.options import (
    AddressOption,
    CheckpointsOption,
    JsonOption,
    PresetOption,
    ResultsOption,
    RootOption,
    StoresOption,
    TrackingOption,
    WorkersOption,
    dated_seed,
    workspace_of,
)


@app.command()
def pipeline(
    preset: PresetOption = "quick",
    seed: Annotated[
        str | None,
        typer.Option(help="Root of every random stream, of the weights too; date: this day, as 20261231."),
    ] = None,
    stores: StoresOption = None,
    checkpoints: CheckpointsOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Generate, train, evaluate and register; run again to resume."""
    from flows.plans import plan_pipeline, require_room
    from flows.services import announce, services

    number = dated_seed(seed)
    announce(root, preset)
    workspace = workspace_of(
        root,
        stores=stores,
        checkpoints=checkpoints,
        results=results,
        tracking_uri=tracking_uri,
        dask_address=dask_address,
        workers=workers,
    )
    plan = plan_pipeline(preset, number, workspace)
    require_room(plan.stores.values())
    with services(root):
        from flows.pipeline import pipeline_planned

        produced = pipeline_planned(plan, workspace)
    from flows.cli.console import print_json, print_produced

    print_json(produced.registered.as_dict()) if as_json else print_produced(produced, root, workspace)


@app.command()
def presets(name: Annotated[str, typer.Argument(help="Name of a preset.")]) -> None:
    """Print a preset as JSON, to be edited and passed to --preset."""
    from flows.cli.console import print_json
    from mistworks.presets import load_preset

    print_json(load_preset(name).model_dump(mode="json"))


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check every service the environment names.

    In seconds, before work starts; exits with 1 if a check fails.
    """
    from flows.cli.console import print_json
    from flows.doctor import examine, lines

    checks = examine()
    print_json([check.as_dict() for check in checks]) if as_json else typer.echo(lines(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(1)
