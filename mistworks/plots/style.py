"""What all plots of samples share: colours, text and the axes they are drawn on."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mistworks.errors import MistworksError
from mistworks.extras import how_to_install

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# Okabe and Ito, "Color universal design" (2008), as in the report.
BLUE, VERMILION = "#0072b2", "#d55e00"
INK, SOFT, FAINT = "#1d2126", "#6b6f76", "#e4e5e1"
SMALL, TEXT = 8.5, 9.5

_MOST_LETTERS = 22


def new_axes(ax: "Axes | None") -> "Axes":
    """Return the axes, or new ones in a figure of pyplot, without the lines that say nothing.

    Raises:
        MistworksError: matplotlib is not installed.
    """
    if ax is None:
        ax = require("matplotlib.pyplot").subplots(figsize=(4.6, 4.2), layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(SOFT)
    ax.tick_params(labelsize=SMALL, color=SOFT, labelcolor=INK)
    return ax


def require(module: str) -> Any:
    """Import a module of the extra ``tables``.

    Raises:
        MistworksError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MistworksError(
            f"Expected {error.name} to plot, which is not installed. {how_to_install('tables')}."
        ) from None


def density_colours() -> "Colormap":
    """From a blue that is seen on white, for one point, to a dark one."""
    colours: Colormap = require("matplotlib.colors").LinearSegmentedColormap.from_list(
        "density", ["#b9d9ec", "#56a3d0", BLUE, "#003c66", "#00182b"]
    )
    return colours


def short(text: str, most: int = _MOST_LETTERS) -> str:
    """Return a text, of a long one its beginning and end."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1].rstrip()}…{text[-end:].lstrip()}"


__all__ = [
    "BLUE",
    "FAINT",
    "INK",
    "SMALL",
    "SOFT",
    "TEXT",
    "VERMILION",
    "density_colours",
    "new_axes",
    "require",
    "short",
]
