"""Pictures that commands write to files, drawn without a screen."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistworks.errors import MistworksError, MistworksWarning

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from mistworks.selection import Selection
    from mistworks.tables.result import Matrix

_DOTS_PER_INCH, _MOST_INCHES = 150, 30.0


def save_plot(path: Path, x: "DataFrame", y: "DataFrame", model: Any, **options: Any) -> None:
    """Draw `mistworks.plot` of a sample to a file, without warnings: the estimate has shown them.

    Raises:
        MistworksError: the file cannot be written, or its ending is that of no format of pictures.
    """
    from matplotlib.figure import Figure

    import mistworks
    from mistworks.plots.composition import SIZE, arranged

    figure = Figure(figsize=SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistworksWarning)
        mistworks.plot(x, y, model=model, ax=arranged(figure), **options)
    save(figure, path)


def save_matrix(matrix: "Matrix", path: Path) -> None:
    """Draw the heat map of a matrix to a file.

    Raises:
        MistworksError: it cannot be written.
    """
    from matplotlib.figure import Figure

    side = min(max(4.0, 2.0 + 0.35 * len(matrix.names)), _MOST_INCHES)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    matrix.plot(figure.subplots())
    save(figure, path)


def save_selection(selection: "Selection", path: Path) -> None:
    """Draw the gains of a selection to a file.

    Raises:
        MistworksError: it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, min(1.6 + 0.35 * len(selection), _MOST_INCHES)), layout="constrained")
    selection.plot(figure.subplots())
    save(figure, path)


def require_format(path: Path) -> None:
    """Check that the name of a file ends in that of a format of pictures.

    Raises:
        MistworksError: it does not.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise MistworksError(
            f"Expected a file of a picture, such as out.png, out.svg or out.pdf, got {path}. Name it so."
        )


def save(figure: "Figure", path: Path) -> None:
    """Write a figure to a file.

    Raises:
        MistworksError: it cannot be written.
    """
    with writing(path):
        figure.savefig(path, dpi=_DOTS_PER_INCH)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong when a file is written into one sentence.

    Raises:
        MistworksError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise MistworksError(
            f"Expected to write {path}, got: {error.strerror or error}. Correct the path."
        ) from None


__all__ = ["require_format", "save", "save_matrix", "save_plot", "save_selection", "writing"]
