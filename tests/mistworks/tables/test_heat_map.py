"""Heat maps: what they show, the order of columns, room for every label, and colours."""

import sys
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mistworks import Matrix, matrix
from mistworks.errors import MistworksError
from mistworks.tables.heat_map import COLOURS, clustered, hex_colours, luminance, shortened
from tests.support.stand_ins import GaussianStandIn

STAND_IN = GaussianStandIn()


def of(columns: int, name: str = "column") -> Matrix:
    """Columns 0, 3, 6, … tell about one another, and so do 1, 4, … and 2, 5, …."""
    rng = np.random.default_rng(columns)
    common = rng.standard_normal((40, 3))
    values = common[:, np.arange(columns) % 3] + 0.5 * rng.standard_normal((40, columns))
    return matrix(pd.DataFrame(values, columns=[f"{name} {i}" for i in range(columns)]), model=STAND_IN)


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(6, 6), layout="constrained").add_subplot()


def names_of(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_it_draws_normalized_values_where_it_is_told_to(ax: Axes) -> None:
    found = of(4)
    assert found.plot(ax, cluster=False) is ax
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    expected = found.normalized.to_numpy(copy=True)
    np.fill_diagonal(expected, np.nan)
    assert np.array_equal(shown, expected, equal_nan=True)
    assert ax.images[0].get_clim() == (0, 1)
    assert names_of(ax) == list(found.names)
    assert [label.get_text() for label in ax.get_xticklabels()] == list(found.names)


def test_cells_of_a_small_one_hold_nats_and_those_of_a_large_one_nothing(ax: Axes) -> None:
    found = of(4)
    found.plot(ax, cluster=False)
    assert len(ax.texts) == 12
    assert ax.texts[0].get_text() == f"{found.mi.iloc[0, 1]:.2f}"
    large = Figure(figsize=(6, 6)).add_subplot()
    of(20).plot(large)
    assert not large.texts


def test_columns_that_tell_about_one_another_are_neighbours(ax: Axes) -> None:
    of(9).plot(ax)
    kinds = [int(name.split()[1]) % 3 for name in names_of(ax)]
    assert sum(a != b for a, b in pairwise(kinds)) == 2


def test_orders_are_those_of_all_columns_whatever_is_missing() -> None:
    values = np.full((4, 4), np.nan)
    assert sorted(clustered(values)) == [0, 1, 2, 3]
    for count in (1, 2):
        assert clustered(np.ones((count, count))).tolist() == list(range(count))


@pytest.mark.parametrize("columns", [2, 5, 15, 16, 60])
def test_every_label_has_its_room(columns: int) -> None:
    ax = of(columns, "a name that is rather long and goes on").plot()
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    try:
        for labels in (ax.get_yticklabels(), ax.get_xticklabels()):
            boxes = [label.get_window_extent() for label in labels]
            assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
            assert all(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 for box in boxes)
            for one, other in pairwise(boxes):
                wide = min(one.x1, other.x1) - max(one.x0, other.x0)
                high = min(one.y1, other.y1) - max(one.y0, other.y0)
                assert min(wide, high) <= 1
            assert min(label.get_fontsize() for label in labels) >= 5
    finally:
        mpl.pyplot.close(figure)


def test_long_labels_keep_their_beginning_and_their_end() -> None:
    assert shortened("short\nname") == "short name"
    text = shortened("sensor 12, pressure in the boiler 7")
    assert len(text) == 24
    assert text.startswith("sensor 12, p…")
    assert text.endswith("the boiler 7"[1:])
    assert shortened(("a", 1)) == "('a', 1)"


def test_lightness_falls_with_every_value() -> None:
    colours = mpl.colormaps[COLOURS](np.linspace(0, 1, 50))
    assert (np.diff([luminance(colour) for colour in colours.tolist()]) < 0).all()
    # Against white and against black: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance.
    assert luminance((1, 1, 1)) == pytest.approx(1)
    assert luminance((0, 0, 0)) == 0


def test_missing_values_have_a_colour_of_their_own() -> None:
    assert hex_colours(np.array([[0.0, np.nan, 1.0]]), COLOURS) == [["#f7fbff", "#dedede", "#08306b"]]


@pytest.mark.parametrize(
    ("module", "call", "message"),
    [
        ("matplotlib", lambda found: found.plot(cluster=False), "Expected matplotlib for a heat map"),
        ("scipy.cluster", lambda found: found.plot(), "Expected scipy for a clustered heat map"),
    ],
)
def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, call: Any, message: str
) -> None:
    found = of(4)
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MistworksError, match=rf"{message}, which is not installed. Run pip install '.\[tables"
    ):
        call(found)
