"""Commands that train estimators and compare them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.app import app
from flows.cli.options import (
    AddressOption,
    CheckpointsOption,
    JsonOption,
    PresetOption,
    ResultsOption,
    RootOption,
    StoreOption,
    TrackingOption,
    WorkersOption,
    names,
    numbers,
    workspace_of,
)


@app.command()
def train(
    store: StoreOption,
    validation_store: Annotated[str, typer.Option(help="Path or URL of the validation store.")],
    calibration_store: Annotated[
        str | None, typer.Option(help="Path or URL of the calibration store; not calibrated if left out.")
    ] = None,
    preset: PresetOption = "quick",
    objective: Annotated[
        Literal["pinball", "squared-error"] | None,
        typer.Option(help="What training minimises; the preset's if left out."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of weights and order; the preset's if left out.")
    ] = None,
    checkpoints: CheckpointsOption = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train an estimator on a store; run again to resume."""
    from flows.plans import plan_training
    from flows.services import announce, services
    from tasks.stores import open_data

    announce(root, preset)
    workspace = workspace_of(
        root, checkpoints=checkpoints, tracking_uri=tracking_uri, dask_address=dask_address, workers=workers
    )
    plan = plan_training(preset, objective, seed)
    data = open_data(store, validation_store, calibration_store)
    with services(root):
        from flows.train import train_planned

        trained = train_planned(data, plan, workspace)
    from flows.cli.console import print_json, print_trained

    print_json(trained.as_dict()) if as_json else print_trained(trained)


@app.command()
def evaluate(
    models: Annotated[
        str,
        typer.Option(
            help="What to compare, such as mist@champion,ksg-3,classical: registered versions, folders of "
            "estimators, baselines and groups of them (classical, neural, comparators, "
            "dependence), any with +bootstrap or +pca-4."
        ),
    ],
    suites: Annotated[str, typer.Option(help="On what, such as m-test,bmi-40, or paths and URLs of stores.")],
    sizes: Annotated[
        str | None, typer.Option(help="Sample sizes n, such as 500,1000; the suites' own if left out.")
    ] = None,
    slow_limit: Annotated[
        int, typer.Option(min=1, help="Datasets of each suite that a slow estimator is evaluated on.")
    ] = 120,
    results: ResultsOption = None,
    report: Annotated[Path | None, typer.Option(help="HTML file to write a report to.")] = None,
    costs: Annotated[
        bool, typer.Option("--costs", help="Measure time and memory of each estimator alone, for the report.")
    ] = False,
    run_id: Annotated[str | None, typer.Option(help="MLflow run to log the result on.")] = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare estimators on suites of datasets with known mutual information; run again to resume."""
    from flows.root import local_root
    from flows.services import announce, dask_cluster, services

    sample_sizes = None if sizes is None else numbers(sizes, "--sizes")
    announce(root)
    workspace = workspace_of(
        root, results=results, tracking_uri=tracking_uri, dask_address=dask_address, workers=workers
    )
    with services(root, dask_cluster(dask_address, workers, "tasks.evaluation")) as address:
        from flows.evaluate import evaluate as run

        evaluated = run(names(models), names(suites), sample_sizes, slow_limit, run_id, workspace.on(address))
    if report is not None:
        from flows.report import report_on

        report_on(
            evaluated, report, local_root(root) / "costs", workspace.tracking_uri, run_id=run_id, costs=costs
        )
    from flows.cli.console import print_evaluated, print_json

    if as_json:
        print_json([asdict(row) for row in evaluated.summary()])
    else:
        print_evaluated(evaluated, workspace.results.url, report)
