"""Principal components: what they keep, and that they invent nothing."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import mistworks
from mistworks.errors import MistworksError
from mistworks.preparation.reading import read_side
from mistworks.preparation.reduction import reduced

RNG = np.random.default_rng(0)
LATENT = RNG.standard_normal((400, 3))
WIDE = LATENT @ RNG.standard_normal((3, 700)) + 0.1 * RNG.standard_normal((400, 700))


def test_components_span_what_varies() -> None:
    side = reduced(read_side(WIDE, "x", None), "x", "pca")
    assert side.shape[0] == 400
    assert side.labels[0] == "component 1"
    # Least squares: the latent variables are linear in the components.
    residual = np.linalg.lstsq(np.asarray(side), LATENT - LATENT.mean(axis=0))[1] / 400
    assert (residual < 0.05).all()


def test_they_are_those_of_normal_scores() -> None:
    columns = RNG.standard_normal((60, 70))
    scores = scipy.stats.norm.ppf(scipy.stats.rankdata(columns, axis=0) / 61)
    scores -= scores.mean(axis=0)
    u, s, _ = np.linalg.svd(scores, full_matrices=False)
    values = reduced(read_side(columns, "x"), "x", "pca").values
    assert len(values) == 6
    np.testing.assert_allclose(np.abs(values), np.abs((u * s).T[:6]), atol=1e-9)
    tall = np.repeat(columns, 3, axis=0) + 1e-6 * RNG.standard_normal((180, 70))
    assert len(reduced(read_side(tall, "x"), "x", "pca").values) == 18


def test_few_columns_and_class_labels_stay() -> None:
    narrow = read_side(WIDE[:, :64], "x")
    assert reduced(narrow, "x", "pca") is narrow
    frame = pd.DataFrame(WIDE[:, :100]).assign(colour=["red", "blue"] * 200)
    side = reduced(read_side(frame, "x"), "x", "pca")
    assert side.labels[-1] == "colour"
    assert side.nominal.tolist() == [False] * (side.shape[1] - 1) + [True]
    labels = pd.DataFrame({str(number): ["a", "b"] * 200 for number in range(70)})
    with pytest.raises(MistworksError, match=r"Expected up to 32 columns of class labels in x .* got 70"):
        reduced(read_side(labels, "x"), "x", "pca")
    with pytest.raises(MistworksError, match="Expected reduce to be 'pca' or None, got 'ica'"):
        mistworks.estimate(WIDE, LATENT, reduce="ica")  # type: ignore[arg-type]


def test_more_columns_than_are_read_are_an_error_that_names_the_choice() -> None:
    with pytest.raises(MistworksError, match=r"up to 512 columns, got 700\. .* reduce='pca'"):
        mistworks.estimate(WIDE, LATENT)
    assert mistworks.estimate(WIDE, LATENT[:, 0], reduce="pca").mi > 1.0


def test_independent_sides_stay_independent() -> None:
    # 60 samples: with a rate of 6 %, more than 9 lower ends above 0 are a false alarm of 1 %.
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((150, 2)) @ rng.standard_normal((2, 100)) + rng.standard_normal((150, 100))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimate = mistworks.estimate(x, rng.standard_normal((150, 2)), reduce="pca")
        alarms += estimate.interval(0.9)[0] > 0
    assert alarms <= 9
