"""Commands about a user's own table. They need ``mistworks[tables]``, nothing of the pipeline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app
from flows.cli.options import (
    ClassesOption,
    DecimalOption,
    IntervalOption,
    JsonOption,
    MissingOption,
    ModelOption,
    PlotOption,
    RootOption,
    SeparatorOption,
    TableArgument,
    TrackingOption,
    Unit,
    names,
    tracking_uri_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pandas import DataFrame

    from mistworks.estimation.estimator import Estimator
    from storage.tables.opening import TableFile


@app.command()
def estimate(
    file: TableArgument,
    x: Annotated[str, typer.Option(help="Columns of X, such as a,b or 'sensor_*'.")],
    y: Annotated[str, typer.Option(help="Columns of Y, such as c.")],
    given: Annotated[
        str | None, typer.Option(help="Columns Z to condition on, for I(X;Y|Z).", show_default=False)
    ] = None,
    missing: MissingOption = "raise",
    classes: ClassesOption = None,
    unit: Annotated[Unit, typer.Option(help="Unit of what is printed.")] = "nats",
    level: IntervalOption = 0.9,
    plot: PlotOption = None,
    model: ModelOption = None,
    separator: SeparatorOption = None,
    decimal: DecimalOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the mutual information of columns of a table, with an interval."""
    import mistworks
    from flows.cli.findings import Question, for_people, print_estimate
    from flows.cli.pictures import require_format, save_plot
    from storage.tables.opening import open_table

    if plot is not None:
        require_format(plot)
    table = open_table(file, separator=separator, decimal=decimal)
    wanted = {"x": names(x, table.columns), "y": names(y, table.columns)}
    if given is not None:
        wanted["given"] = names(given, table.columns)
    estimator = _estimator(model, root, tracking_uri)
    with for_people():
        frame, columns, labels = _read(table, wanted, classes)
        sides = {option: frame[chosen] for option, chosen in columns.items()}
        options: dict[str, Any] = {"missing": missing, "classes": labels}
        if given is not None:
            options["given"] = sides["given"]
        result = mistworks.estimate(sides["x"], sides["y"], estimator, **options)
        if plot is not None:
            save_plot(plot, sides["x"], sides["y"], estimator, level=level, unit=unit, **options)
    print_estimate(result, Question(columns, len(frame), plot), level, unit, as_json=as_json)


def _estimator(model: str | None, root: Path | None, tracking_uri: str | None) -> "Estimator | None":
    """The estimator of an option; a folder is read without the registry, which needs the pipeline."""
    if model is None:
        return None
    if Path(model).is_dir():
        import mistworks

        return mistworks.load(Path(model))
    from storage.registry.models import load_model

    return load_model(model, tracking_uri_of(root, tracking_uri))


def _read(
    table: "TableFile", wanted: "Mapping[str, Sequence[str]]", classes: str | None
) -> "tuple[DataFrame, dict[str, list[str]], list[str]]":
    """Read the columns that options mean; return them with their names by option and those of classes."""
    from storage.tables.columns import choose_columns
    from storage.tables.opening import warn_of_numbers_among_labels

    name = table.source.name
    columns = choose_columns(table.columns, wanted, name)
    used = [column for chosen in columns.values() for column in chosen]
    labels: list[str] = []
    if classes is not None:
        asked = {"classes": names(classes, used)}
        labels = choose_columns(used, asked, f"{name} that are used")["classes"]
    frame = table.read(used)
    warn_of_numbers_among_labels(frame, labels)
    return frame, columns, labels


@app.command()
def matrix(
    file: TableArgument,
    columns: Annotated[
        str | None, typer.Option(help="Columns to compare, such as 'sensor_*,colour'; all if left out.")
    ] = None,
    missing: MissingOption = "raise",
    classes: ClassesOption = None,
    fdr: Annotated[float, typer.Option(help="False discovery rate of the pairs called dependent.")] = 0.05,
    level: IntervalOption = 0.9,
    html: Annotated[
        Path | None, typer.Option(help="Write a page to this file, sortable.", show_default=False)
    ] = None,
    plot: PlotOption = None,
    model: ModelOption = None,
    separator: SeparatorOption = None,
    decimal: DecimalOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the mutual information of every pair of columns of a table, in nats."""
    import mistworks
    from flows.cli.findings import for_people, print_matrix
    from flows.cli.pictures import require_format, save_matrix, writing
    from storage.tables.opening import open_table

    if plot is not None:
        require_format(plot)
    table = open_table(file, separator=separator, decimal=decimal)
    wanted = {"columns": ["*"] if columns is None else names(columns, table.columns)}
    estimator = _estimator(model, root, tracking_uri)
    with for_people():
        frame, _, labels = _read(table, wanted, classes)
        result = mistworks.matrix(frame, model=estimator, missing=missing, classes=labels, level=level)
        result.significant(fdr)
        if plot is not None:
            save_matrix(result, plot)
        if html is not None:
            with writing(html):
                result.to_html(html)
    print_matrix(result, len(frame), fdr, [path for path in (html, plot) if path], as_json=as_json)


@app.command()
def select(
    file: TableArgument,
    target: Annotated[str, typer.Option(help="Column to know about, such as c.")],
    columns: Annotated[
        str | None,
        typer.Option(help="Columns to select among, such as 'sensor_*'; all others if left out."),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(min=1, help="How many columns to select; those with a significant gain if left out."),
    ] = None,
    missing: MissingOption = "raise",
    classes: ClassesOption = None,
    alpha: Annotated[float, typer.Option(help="Level of the tests of gains.")] = 0.05,
    level: IntervalOption = 0.9,
    plot: PlotOption = None,
    model: ModelOption = None,
    separator: SeparatorOption = None,
    decimal: DecimalOption = None,
    root: RootOption = None,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Select the columns of a table that tell about a target and do not repeat one another."""
    import mistworks
    from flows.cli.findings import for_people, print_selection
    from flows.cli.pictures import require_format, save_selection
    from storage.tables.opening import open_table

    if plot is not None:
        require_format(plot)
    table = open_table(file, separator=separator, decimal=decimal)
    wanted = {
        "target": names(target, table.columns),
        "columns": ["*"] if columns is None else names(columns, table.columns),
    }
    estimator = _estimator(model, root, tracking_uri)
    with for_people():
        frame, chosen, labels = _read(table, wanted, classes)
        result = mistworks.select(
            frame[chosen["columns"]],
            frame[chosen["target"]],
            k,
            model=estimator,
            missing=missing,
            classes=labels,
            alpha=alpha,
            level=level,
            progress=True,
        )
        if plot is not None:
            save_selection(result, plot)
    print_selection(result, chosen["target"], len(frame), [plot] if plot else [], as_json=as_json)
