"""The estimator that comes with the package: what it promises, asked of the files themselves."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import mistworks
from mistworks.distributions import Normal
from mistworks.distributions.dispersion import sparse_matrix
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.estimator import Estimator
from mistworks.evaluation.suites import suite

FOLDER = Path(mistworks.__file__).parent / "weights"
MOST_BYTES = 20 * 2**20


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return mistworks.load(FOLDER)


def test_the_folder_is_small_and_whole() -> None:
    names = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert names == {"model.safetensors", "config.json", "README.md"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES
    card = (FOLDER / "README.md").read_text()
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["weights_sha256"] in card
    for section in ("How it was made", "Results", "Limits", "Where not to trust it"):
        assert f"## {section}" in card


def test_estimate_takes_it_by_default(estimator: Estimator) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 2))
    y = x + rng.standard_normal((100, 2))
    assert mistworks.estimate(x, y) == estimator.estimate(x, y)
    assert estimator.calibration is not None


@given(st.integers(0, 2**32 - 1), st.integers(5, 120), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_no_invariance_changes_an_estimate(seed: int, n: int, dx: int, dy: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dx)), rng.standard_normal((n, dy))
    y[:, 0] += rng.uniform(0, 3) * x[:, 0]
    points = rng.permutation(n)
    signs = rng.choice([-1.0, 1.0], dx)
    moved = (
        (3e5 + 7e3 * y**3)[points][:, rng.permutation(dy)],
        np.sinh(x * signs)[points][:, rng.permutation(dx)],
    )
    first, second = mistworks.estimate(x, y), mistworks.estimate(*moved)
    assert first.quantiles is not None
    assert second.quantiles is not None
    assert np.allclose(first.quantiles, second.quantiles, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("n", "dx", "dy"),
    [(5, 1, 1), (5, 64, 64), (20, 1, 64), (1_000, 64, 3), (1_000_000, 1, 1), (30_000, 3, 2)],
)
def test_any_shape_has_a_finite_estimate(n: int, dx: int, dy: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n, dx))
    y = rng.standard_normal((n, dy)) + x[:, :1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistworksWarning)
        found = mistworks.estimate(x, y)
    assert np.isfinite(found.mi)
    assert found.mi >= 0
    assert found.quantiles is not None
    assert (np.diff(found.quantiles) >= 0).all()


def test_many_more_dimensions_than_it_was_trained_on_are_warned_of() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(100)
    with pytest.warns(MistworksWarning, match=r"has 140 columns in x, and the estimator was trained on 1 to"):
        assert np.isfinite(mistworks.estimate(rng.standard_normal((100, 140)), y).mi)
    with pytest.raises(MistworksError, match=r"up to 512 columns"):
        mistworks.estimate(rng.standard_normal((100, 513)), y)


def test_copies_and_sums_of_columns_count_for_nothing() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 60))
    y = x[:, 0] + rng.standard_normal(200)
    wide = np.c_[x, x[:, :5] + x[:, 5:10], -3 * x]
    assert mistworks.estimate(wide, y).median == pytest.approx(mistworks.estimate(x, y).median, abs=0.1)


def test_it_warns_far_outside_in_one_sentence_and_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mistworks.estimate(x, np.sign(x) * rng.integers(0, 3, 200))
        mistworks.estimate(["a", "b", "c", "d"] * 50, rng.integers(0, 100, 200))
        many = rng.standard_normal(50_000)
        mistworks.estimate(many, many + rng.standard_normal(50_000))
    wide = rng.standard_normal((200, 150))
    with pytest.warns(
        MistworksWarning, match="has 150 columns in x, and the estimator was trained on"
    ) as told:
        mistworks.estimate(wide, x)
    assert len(told) == 1


def test_it_warns_of_a_bootstrap_resample() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    y = x + rng.standard_normal((200, 2))
    again = rng.integers(0, 200, 200)
    with pytest.warns(MistworksWarning, match=r"\d+ of 200 points are exact copies .* counted once"):
        mistworks.estimate(x[again], y[again])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mistworks.estimate(x, y[again])
        dropped = rng.random((200, 1)) < 0.4
        mistworks.estimate(np.where(dropped, 0.0, x), np.where(dropped, 0.0, y))


def test_ties_constants_and_scales_have_sensible_answers() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 300)
    x = label + 0.05 * rng.standard_normal(300)
    assert mistworks.estimate(x, label).mi == pytest.approx(np.log(3), abs=0.25)
    assert mistworks.estimate(np.ones(300), label).interval(0.9) == (0.0, 0.0)
    scaled = mistworks.estimate(1e30 * x, 1e-30 * label)
    assert scaled.mi == pytest.approx(mistworks.estimate(x, label).mi, abs=1e-4)
    doubled = mistworks.estimate(np.repeat(x, 2), np.repeat(label, 2))
    assert np.isfinite(doubled.mi)


@pytest.mark.parametrize("n", [100, 500])
def test_intervals_hold_the_truth_of_pairs(estimator: Estimator, n: int) -> None:
    """Two of five pairs of correlation 0.8, 120 samples: false alarm rate below 1e-4 at 90 %."""
    joint = Normal(sparse_matrix(5, 5, 2, 2.0), 5)
    rng = np.random.default_rng(n)
    found = estimator.estimate_many([joint.sample(n, rng) for _ in range(120)])
    covered = sum(low <= joint.mutual_information <= high for low, high in (one.interval() for one in found))
    assert stats.binomtest(covered, 120, 0.9, alternative="less").pvalue > 1e-4
    bias = np.mean([one.mi for one in found]) - joint.mutual_information
    assert abs(bias) < 0.15


def test_errors_on_the_published_test_are_what_the_documents_say(estimator: Estimator) -> None:
    """Every 13th dataset of m-test; the bound is four times the error over all of them, 0.027 nats²."""
    chosen = suite("m-test")
    positions = range(0, len(chosen), 13)
    cases = [chosen.case(position) for position in positions]
    estimates = estimator.estimate_many(chosen.sample(position) for position in positions)
    large = [case.n >= 100 for case in cases]
    square = np.array([(one.mi - case.mi) ** 2 for one, case in zip(estimates, cases, strict=True)])
    assert square[large].mean() < 0.12
    held = [
        one.quantile(0.05) <= case.mi <= one.quantile(0.95)
        for one, case in zip(estimates, cases, strict=True)
    ]
    assert 0.8 < np.mean(held) < 0.97


def test_independent_samples_raise_few_alarms(estimator: Estimator) -> None:
    """At most 5 % of lower 95 % bounds above 0: 200 samples, false alarm rate below 1e-4."""
    rng = np.random.default_rng(3)
    found = estimator.estimate_many(
        [(rng.standard_normal((500, 3)), rng.standard_normal((500, 2))) for _ in range(200)]
    )
    alarms = sum(one.quantile(0.05) > 0 for one in found)
    assert stats.binomtest(alarms, 200, 0.05, alternative="greater").pvalue > 1e-4
    assert np.mean([one.mi for one in found]) < 0.03


def test_a_csv_file_has_an_interval_in_one_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(200)
    table = np.column_stack([x, x + rng.standard_normal(200)])
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="a,b", comments="")
    arguments = ["mistworks", "estimate", str(tmp_path / "t.csv"), "--x", "a", "--y", "b"]
    code = f"import sys; sys.argv = {arguments!r}; from flows.entry import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "I(X;Y)" in done.stdout
    assert "90% interval" in done.stdout
