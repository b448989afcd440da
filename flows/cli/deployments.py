"""Commands about what a Prefect server runs by itself."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from flows.cli.app import app
from flows.cli.options import (
    AddressOption,
    JsonOption,
    ResultsOption,
    RootOption,
    TrackingOption,
    WorkersOption,
    shares,
    workspace_of,
)

if TYPE_CHECKING:
    from flows.score import Scored

FileOption = Annotated[
    Path | None,
    typer.Option(help="File of deployments.", show_default="prefect.yaml, here or beside the package"),
]


@app.command()
def deploy(file: FileOption = None, as_json: JsonOption = False) -> None:
    """Register deployments for workers.

    Makes the work pool, schedules and automations of prefect.yaml; run again to update.
    """
    from dataclasses import asdict

    from flows.cli.console import print_changes, print_json
    from flows.services import quieten, require_server

    require_server()
    quieten()
    from flows.deployments import deploy as run
    from flows.deployments import project_file

    changes = run(project_file(file))
    print_json([asdict(change) for change in changes]) if as_json else print_changes(changes)


@app.command()
def serve(file: FileOption = None, root: RootOption = None) -> None:
    """Run schedules from this process.

    The deployments of prefect.yaml without a pool, until Ctrl-C or SIGTERM.
    """
    from flows.cli.console import print_changes
    from flows.root import ROOT_VARIABLE, local_root
    from flows.services import configure, require_server

    require_server()
    configure(local_root(root))
    # Each run is a process in a folder of its own, where a relative root would be lost.
    os.environ[ROOT_VARIABLE] = str(local_root(root))
    from flows.deployments import project_file
    from flows.deployments import serve as run

    run(project_file(file), print_changes)


@app.command()
def score(
    source: Annotated[
        str,
        typer.Argument(
            envvar="MISTWORKS_SCORE_SOURCE",
            help="Path or URL of Parquet, a file or a folder, with columns x and y: lists of points.",
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            envvar="MISTWORKS_SCORE_TARGET", help="Path or URL of a folder; in results if left out."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A registered version such as mist/3, or a folder of an estimator.")
    ] = "mist@champion",
    levels: Annotated[str, typer.Option(help="Levels of the intervals, such as 0.5,0.9.")] = "0.9",
    results: ResultsOption = None,
    workers: WorkersOption = None,
    dask_address: AddressOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate pairs of samples in Parquet.

    Run again to resume, or to score what is new.
    """
    from flows.services import announce, dask_cluster, services
    from storage.tables.pairs import find_pairs

    announce(root)
    workspace = workspace_of(
        root, results=results, tracking_uri=tracking_uri, dask_address=dask_address, workers=workers
    )
    find_pairs(source)
    asked = shares(levels, "--levels")
    with services(root, dask_cluster(dask_address, workers, "tasks.scoring")) as address:
        from flows.score import score as run

        scored = cast("Scored", run(source, target, model, asked, workspace.on(address)))
    from flows.cli.console import print_json, print_scored

    print_json(scored) if as_json else print_scored(scored)
