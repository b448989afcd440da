"""Plots are drawn whatever the figures are."""

import io
import math

import pytest

from mistworks.errors import MistworksError
from mistworks.evaluation import accuracy
from mistworks.report.plots import figures
from tests.support.sources import results_of


@pytest.mark.parametrize("answers", [[1.5, 2.5, 2.9], [1.0, 2.0, 3.0], [math.nan] * 3, [1.5, math.nan, 3.5]])
def test_plots_are_drawn_and_labelled_in_nats_whatever_the_figures(answers: list[float]) -> None:
    families = ["additive/base", "normal-lvm/base", "additive/base"]
    parts = [
        results_of([20, 200, 450], [1.0, 2.0, 3.0], answers, families, suite)
        for suite in ("test-imd", "test-oomd")
    ]
    drawn = figures(parts, [row for part in parts for row in accuracy(part)])
    assert set(drawn) == {"truth", "mse", "bias", "families"}
    for figure in drawn.values():
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        assert picture.getvalue().startswith(b"\x89PNG")
        labels = [text for axis in figure.axes for text in (axis.get_ylabel(), axis.get_xlabel())]
        assert any("nats" in text for text in labels)


def test_plots_of_no_estimator_are_refused() -> None:
    with pytest.raises(MistworksError, match="Expected results of exactly one estimator"):
        figures([], [])
