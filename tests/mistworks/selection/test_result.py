"""A selection as people and programs read it."""

import pickle
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from mistworks.estimation.estimate import LEVELS, Estimate
from mistworks.selection import SelectedColumn, Selection

mpl.use("Agg")


def estimate(mi: float, *, infinite: bool = False) -> Estimate:
    quantiles = np.array([mi * (0.5 + level) for level in LEVELS])
    if infinite:
        quantiles[len(LEVELS) // 2 + 1 :] = np.inf
    return Estimate(mi, tuple(quantiles.tolist()), n_used=120)


COLUMNS = (
    SelectedColumn("age", 3, estimate(0.4), estimate(0.4), 0.04, 24, False),
    SelectedColumn("<b>", 1, estimate(0.2), estimate(0.6), 0.01, 99, True),
    SelectedColumn(("x", 2), 7, estimate(2.0, infinite=True), estimate(2.6), 0.01, 99, True),
)
SELECTION = Selection(COLUMNS, "5 columns were asked for", 9, 120, 0.05, 0.8)
EMPTY = Selection((), "no other column or pair of columns is significant at 0.05", 9, 120, 0.05, 0.8)


def test_names_positions_gains_and_total() -> None:
    assert list(SELECTION) == ["age", "<b>", ("x", 2)]
    assert (SELECTION.positions, len(SELECTION)) == ((3, 1, 7), 3)
    assert [gain.mi for gain in SELECTION.gains] == [0.4, 0.2, 2.0]
    assert SELECTION.p_values == (0.04, 0.01, 0.01)
    assert (SELECTION.total.mi, EMPTY.total.mi) == (2.6, 0.0)


def test_the_frame_has_a_row_for_each_column() -> None:
    frame = SELECTION.to_frame()
    assert list(frame.index) == list(SELECTION)
    assert list(frame) == ["position", "gain", "lower", "upper", "total", "p_value", "in_pair"]
    assert frame.iloc[0]["lower"] == pytest.approx(0.4 * 0.6)
    assert frame.iloc[0]["upper"] == pytest.approx(0.4 * 1.4)
    assert list(EMPTY.to_frame()) == list(frame)


def test_its_text_is_a_table() -> None:
    lines = repr(SELECTION).splitlines()
    assert lines[0] == "Selection: 3 of 9 columns, n = 120"
    assert re.search(r"^age +0\.400 +\[0\.240, 0\.560\] +0\.400 +0\.04$", lines[2])
    assert lines[3].endswith("0.01, in a pair")
    assert "[1.200, inf]" in lines[4]
    assert lines[5] == "Stopped: 5 columns were asked for."
    assert repr(EMPTY) == f"Selection: 0 of 9 columns, n = 120; {EMPTY.stopped}"


def test_its_html_escapes_names() -> None:
    page = SELECTION._repr_html_()
    assert "&lt;b&gt;" in page
    assert page.count("<tr>") == 4


def test_the_plot_takes_and_returns_axes() -> None:
    figure, ax = plt.subplots()
    assert SELECTION.plot(ax) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["age", "<b>", "('x', 2)"]
    assert ax.get_xlabel() == "gain in nats, 80 % interval"
    assert ax.get_ylim() == (2.5, -0.5)
    assert ax.get_xlim()[0] == 0
    figure.canvas.draw()
    plt.close(figure)
    assert EMPTY.plot() is plt.gca()
    plt.close()


def test_it_is_pickled() -> None:
    assert pickle.loads(pickle.dumps(SELECTION)).names == SELECTION.names
