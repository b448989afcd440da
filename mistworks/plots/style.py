"""What all plots of samples share: colours, text and the axes they are drawn on."""

from typing import TYPE_CHECKING

from mistworks.extras import imported

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# Okabe and Ito, "Color universal design" (2008), as in the report.
BLUE, VERMILION, GREEN, PURPLE, OCHRE = "#0072b2", "#d55e00", "#009e73", "#b8609a", "#c98500"
INK, SOFT, FAINT = "#1d2126", "#6b6f76", "#e4e5e1"
SMALL, TEXT = 8.5, 9.5

_MOST_LETTERS = 22


def new_axes(ax: "Axes | None") -> "Axes":
    """Return the axes, or new ones in a figure of pyplot, without the lines that say nothing.

    Raises:
        MistworksError: matplotlib is not installed.
    """
    if ax is None:
        ax = imported("matplotlib.pyplot", "a plot").subplots(figsize=(4.6, 4.2), layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(SOFT)
    ax.tick_params(labelsize=SMALL, color=SOFT, labelcolor=INK)
    return ax


def density_colours() -> "Colormap":
    """From a blue that is seen on white, for one point, to a dark one."""
    colours: Colormap = imported("matplotlib.colors", "a plot").LinearSegmentedColormap.from_list(
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
    "GREEN",
    "INK",
    "OCHRE",
    "PURPLE",
    "SMALL",
    "SOFT",
    "TEXT",
    "VERMILION",
    "density_colours",
    "new_axes",
    "short",
]
