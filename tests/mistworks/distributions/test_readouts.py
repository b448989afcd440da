"""Readouts: labels against integrals and direct sums, what is drawn, and what is refused.

Seeds are fixed; a z-test would fail a correct implementation with probability about 1e-6 for a fresh seed.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

from mistworks.distributions import Readouts, ReadoutsFamily
from mistworks.distributions.monte_carlo import class_entropy
from mistworks.distributions.readouts import Latent, readouts_label
from mistworks.errors import MistworksError

Z_LIMIT = 4.9
Array = NDArray[np.float64]


def log_likelihoods(latent: Latent, y: Array) -> Array:
    """log p(y | k), shape (n, cells), from scipy, a coordinate at a time."""
    return np.asarray(
        sum(
            stats.norm.logpdf(y[:, [column]], latent.means[:, column], scale)
            for column, scale in enumerate(latent.scales)
        )
    )


def ratio(joint: Readouts, n: int, rng: np.random.Generator) -> Array:
    """log p(y | x) − log p(y) at points of a sample, with columns and cells found from their places."""
    read, reads = joint.sample(n, rng)[:: -1 if joint.swapped else 1]
    total, start = np.zeros(n), 0
    for place, latent in zip(joint.read_order, joint.latents, strict=False):
        size, cells = len(latent.scales), len(latent.means)
        value = read[:, place].astype(np.float64)
        cell = np.minimum(value if latent.atomic else np.floor(value * cells), cells - 1).astype(int)
        y = reads[:, joint.reads_order[start : start + size]].astype(np.float64)
        given = log_likelihoods(latent, y)
        total += given[np.arange(n), cell] - logsumexp(given + np.log(latent.probabilities), axis=1)
        start += size
    return total


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (1, 8), (9, 2), (4, 5)])
@pytest.mark.parametrize("atomic", [0.0, 1.0])
def test_information_equals_mean_log_density_ratio(dx: int, dy: int, atomic: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(8):
        joint = ReadoutsFamily(atomic=atomic).draw(dx, dy, rng)
        values = ratio(joint, 8_000, rng)
        error = math.hypot(values.std() / math.sqrt(len(values)), joint.standard_error)
        # The slack is for float32, which rounds some values into the next cell.
        assert abs(values.mean() - joint.mutual_information) < Z_LIMIT * error + 2e-3


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_one_reader_equals_numerical_integral(scale: float) -> None:
    probabilities, means = np.array([0.5, 0.3, 0.2]), np.array([-1.0, 0.5, 2.0])
    y = np.linspace(-40.0, 40.0, 80_001)
    density = probabilities @ stats.norm.pdf(y, means[:, None], scale)
    entropy = -np.trapezoid(density * np.log(density + 1e-300), y)
    latent = Latent(probabilities, means[:, None], np.array([scale]), atomic=True)
    label = readouts_label((latent,), np.random.default_rng(1))
    expected = float(entropy - stats.norm(scale=scale).entropy())
    assert 0 < label.standard_error < 0.01
    assert abs(label.mutual_information - expected) < Z_LIMIT * label.standard_error


@pytest.mark.parametrize("readers", [1, 4, 16])
def test_linear_readers_of_a_normal_latent_have_the_normal_information(readers: int) -> None:
    """½ log(1 + readers / σ²), but for the cells, which take 1e-3 from the variance of the latent."""
    cells, scale = 1_024, 3.0
    t = stats.norm.ppf((np.arange(cells) + 0.5) / cells)
    means = np.repeat(t[:, None], readers, axis=1)
    latent = Latent(np.full(cells, 1 / cells), means, np.full(readers, scale), atomic=False)
    label = readouts_label((latent,), np.random.default_rng(2))
    expected = 0.5 * math.log1p(readers / scale**2)
    assert abs(label.mutual_information - expected) < Z_LIMIT * label.standard_error + 2e-3


def test_latents_add_up() -> None:
    rng = np.random.default_rng(3)
    while len((joint := ReadoutsFamily().draw(5, 12, rng)).latents) < 3:
        pass
    labels = [readouts_label((latent,), rng) for latent in joint.latents]
    error = math.hypot(joint.standard_error, *(label.standard_error for label in labels))
    total = sum(label.mutual_information for label in labels)
    assert abs(total - joint.mutual_information) < Z_LIMIT * error


def test_a_sample_tells_its_information() -> None:
    """A plug-in estimate from counts of classes and halves of y: less than the label, by what halves lose."""
    means = np.array([[-2.0], [2.0]])
    latent = Latent(np.array([0.3, 0.7]), means, np.array([0.25]), atomic=True)
    read, reads = latent.sample(50_000, np.random.default_rng(4))
    counts = np.zeros((2, 2))
    np.add.at(counts, (read.astype(int), (reads[:, 0] > 0).astype(int)), 1 / len(read))
    independent = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0)
    positive = counts > 0
    estimate = float((counts[positive] * np.log(counts[positive] / independent[positive])).sum())
    entropy = -0.3 * math.log(0.3) - 0.7 * math.log(0.7)
    label = readouts_label((latent,), np.random.default_rng(5))
    assert label.mutual_information == pytest.approx(entropy, abs=1e-6)
    assert estimate == pytest.approx(entropy, abs=0.01)


def test_entropy_of_classes_is_that_of_scipy() -> None:
    log_joint = 5.0 * np.random.default_rng(6).standard_normal((50, 7)).astype(np.float32)
    posterior = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
    expected = stats.entropy(posterior, axis=1)
    np.testing.assert_allclose(class_entropy(np.ascontiguousarray(log_joint.T)), expected, atol=1e-6)


def test_the_wider_side_reads_as_often_as_asked() -> None:
    rng = np.random.default_rng(7)
    assert not any(ReadoutsFamily(wider=1.0).draw(1, 9, rng).swapped for _ in range(20))
    assert all(ReadoutsFamily(wider=1.0).draw(9, 1, rng).swapped for _ in range(20))
    assert all(ReadoutsFamily(wider=0.0).draw(1, 9, rng).swapped for _ in range(20))
    readers = [
        sum(len(t.scales) for t in ReadoutsFamily(wider=1.0).draw(2, 9, rng).latents) for _ in range(40)
    ]
    assert max(readers) == 9 > min(readers) >= 1


def test_classes_are_whole_numbers_and_other_latents_uniform() -> None:
    rng = np.random.default_rng(8)
    classes, _ = ReadoutsFamily(atomic=1.0, wider=1.0).draw(1, 5, rng).sample(500, rng)
    assert np.array_equal(classes, np.rint(classes))
    assert 2 <= len(np.unique(classes)) <= 24
    latent, _ = ReadoutsFamily(atomic=0.0, wider=1.0).draw(1, 5, rng).sample(5_000, rng)
    assert stats.kstest(latent[:, 0], stats.uniform.cdf).pvalue > 1e-6


def test_noise_too_narrow_and_empty_blocks_are_refused() -> None:
    with pytest.raises(MistworksError, match=r"Expected noise within \[0\.01, 100\]"):
        ReadoutsFamily.parse({"noise": {"low": 0.001, "high": 1.0}})
    with pytest.raises(MistworksError, match="Expected dimension of readouts ≥ 1, got 0"):
        ReadoutsFamily().draw(0, 1, np.random.default_rng(0))
