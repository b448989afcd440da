"""Packages that only some methods need."""

from typing import TYPE_CHECKING, Any

from mistworks.errors import MistworksError
from mistworks.extras import how_to_install

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def imported_pandas() -> Any:
    """Import pandas.

    Raises:
        MistworksError: it is not installed.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError:
        raise MistworksError(
            f"Expected pandas for a DataFrame, which is not installed. {how_to_install('tables')}."
        ) from None
    return pd


def new_axes() -> "Axes":
    """Return axes of a new figure.

    Raises:
        MistworksError: matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        raise MistworksError(
            f"Expected matplotlib for a plot, which is not installed. {how_to_install('tables')}."
        ) from None
    return plt.subplots(layout="constrained")[1]


__all__ = ["imported_pandas", "new_axes"]
