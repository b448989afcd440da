"""The clouds family: what overlapping classes tell, against SciPy's densities, quadrature and closed forms.

Seeds are fixed. With a fresh seed each z-test would fail a correct implementation with probability about 1e-6
(|z| > 4.9).
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats
from scipy.integrate import quad
from scipy.special import entr, logsumexp

from mistworks.distributions import AnyFamily, CloudsFamily
from mistworks.distributions.base import Array
from mistworks.distributions.clouds import Cloud, cloud_label, draw_cloud

Z_LIMIT = 4.9


def pointwise(cloud: Cloud, confusion: Array, n: int, rng: np.random.Generator) -> Array:
    """log P(l | v) / P(l) at n pairs (v, l) of the distribution, with densities by SciPy."""
    count = rng.multinomial(n, cloud.shares)
    points, classes = [], []
    normals = []
    for number, mean in enumerate(cloud.means):
        within = np.diag(np.broadcast_to(cloud.scales, cloud.means.shape)[number] ** 2)
        if cloud.loadings is not None:
            within = within + np.outer(cloud.loadings[number], cloud.loadings[number])
        matrix = cloud.matrix
        normals.append(stats.multivariate_normal(matrix @ mean, matrix @ within @ matrix.T))
        points.append(normals[-1].rvs(count[number], random_state=rng).reshape(-1, cloud.size))
        classes.append(np.full(count[number], number))
    v, k = np.vstack(points), np.concatenate(classes)
    label = (confusion[k].cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    log_joint = np.column_stack([normal.logpdf(v) for normal in normals]) + np.log(cloud.shares)
    posterior = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True)) @ confusion
    return np.asarray(np.log(posterior[np.arange(n), label] / (cloud.shares @ confusion)[label]))


@pytest.mark.parametrize("seed", range(24))
def test_information_is_the_mean_of_pointwise_information(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = CloudsFamily(independent=0.0, most=12).draw(int(rng.integers(1, 9)), 3, rng)
    values = pointwise(drawn.cloud, drawn.confusion, 20_000, rng)
    error = math.hypot(values.std() / math.sqrt(len(values)), drawn.standard_error)
    assert abs(values.mean() - drawn.mutual_information) < Z_LIMIT * error + 1e-4


@pytest.mark.parametrize("rare", [0.002, 0.05, 0.5])
@pytest.mark.parametrize("shift", [0.2, 1.0, 4.0, 15.0])
def test_two_shifted_classes_tell_their_integral(shift: float, rare: float) -> None:
    def integrand(v: float) -> float:
        one, two = rare * stats.norm.pdf(v - shift), (1 - rare) * stats.norm.pdf(v)
        total = one + two
        return float(total * (entr(one / total) + entr(two / total))) if total > 0 else 0.0

    entropy = float(entr([rare, 1 - rare]).sum())
    expected = entropy - quad(integrand, -10, shift + 10, points=[0, shift / 2, shift], limit=500)[0]
    # All columns shifted alike, as seen along their sum.
    cloud = Cloud(
        np.array([1 - rare, rare]),
        np.outer([0.0, 1.0], np.full(9, shift / 3)),
        np.ones((1, 9)),
        None,
        np.eye(9),
    )
    label = cloud_label(cloud, np.eye(2), np.random.default_rng(1))
    assert label.standard_error < 0.01
    assert abs(label.mutual_information - expected) < Z_LIMIT * label.standard_error + 1e-5


def test_classes_far_apart_tell_the_entropy_of_their_label() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    cloud = Cloud(shares, 50.0 * np.eye(3), np.ones((1, 3)), None, np.eye(3))
    for confusion in (np.eye(3), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])):
        label = cloud_label(cloud, confusion, np.random.default_rng(2))
        assert label.mutual_information == pytest.approx(float(entr(shares @ confusion).sum()), abs=1e-6)
        assert label.standard_error < 1e-6
    noisy = 0.9 * np.eye(3) + 0.1 / 3
    expected = float(entr(shares @ noisy).sum() - shares @ entr(noisy).sum(axis=1))
    label = cloud_label(cloud, noisy, np.random.default_rng(3))
    assert abs(label.mutual_information - expected) < Z_LIMIT * label.standard_error + 1e-6
    assert cloud_label(cloud, np.tile([0.4, 0.6], (3, 1)), np.random.default_rng(4)).mutual_information == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_fewer_columns_tell_as_much(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = draw_cloud(np.full(3, 1 / 3), 12, rng)
    cloud = replace(cloud, scales=np.full((1, 12), 0.7), loadings=None)
    small = cloud.reduced()
    assert small.size == 2
    distances, wanted = (
        np.square(side[:, None] - side[None]).sum(axis=2) for side in (small.means, cloud.means / 0.7)
    )
    np.testing.assert_allclose(distances, wanted, atol=1e-6 * wanted.max() + 1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_samples_are_those_of_the_cloud_and_its_label(seed: int) -> None:
    """Points have the posterior of their label: the mean of P(l | v) − 1[label = l] is 0 for each l."""
    rng = np.random.default_rng(seed)
    drawn = CloudsFamily(most=6).draw(4, 2, rng)
    drawn = replace(drawn, swapped=False)
    x, y = drawn.sample(20_000, rng)
    v = x[:, drawn.cloud_order[: drawn.cloud.size]] @ np.linalg.inv(drawn.cloud.matrix).T.astype(np.float32)
    given = drawn.cloud.posterior(np.asarray(v, dtype=np.float32)).T @ drawn.confusion
    codes = y[:, drawn.label_order[: drawn.encoder.size]]
    levels = np.array([drawn.encoder(np.full(1, label), rng)[0] for label in range(given.shape[1])])
    label = np.square(codes[:, None] - levels).sum(axis=2).argmin(axis=1)
    if not np.array_equal(levels[label], codes):
        return  # Scattered within their levels, which the tests of encoders cover.
    residual = given - (label[:, None] == np.arange(given.shape[1]))
    error = residual.std(axis=0) / math.sqrt(len(x))
    assert (np.abs(residual.mean(axis=0)) < Z_LIMIT * error + 1e-4).all()
    weighted = residual * v[:, :1]
    error = weighted.std(axis=0) / math.sqrt(len(x))
    assert (np.abs(weighted.mean(axis=0)) < Z_LIMIT * error + 1e-3).all()


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 5), (64, 1), (64, 64)])
def test_draws_are_finite_precise_and_reproducible(dx: int, dy: int) -> None:
    shares = []
    for seed in range(80):
        drawn, again = (CloudsFamily().draw(dx, dy, np.random.default_rng(seed)) for _ in range(2))
        x, y = drawn.sample(50, np.random.default_rng(1))
        assert (x.shape, y.shape) == ((50, dx), (50, dy)) == ((50, drawn.dx), (50, drawn.dy))
        for side in (x, y):
            assert side.dtype == np.float32
            assert side.flags.c_contiguous
            assert side.flags.owndata
            assert np.isfinite(side).all()
        assert np.array_equal(x, again.sample(50, np.random.default_rng(1))[0])
        assert drawn.mutual_information == again.mutual_information
        assert 0 <= drawn.standard_error < 0.01
        entropy = float(entr(drawn.cloud.shares @ drawn.confusion).sum())
        assert 0 <= drawn.mutual_information <= entropy + 1e-9
        shares.append(drawn.mutual_information / entropy)
    # From independent to completely separate.
    for low, high in ((-1.0, 0.001), (0.001, 0.3), (0.3, 0.8), (0.8, 1.1)):
        assert ((np.array(shares) > low) & (np.array(shares) <= high)).mean() > 0.04


def test_the_family_is_configuration() -> None:
    family = CloudsFamily(independent=0.5, most=5)
    adapter: TypeAdapter[AnyFamily] = TypeAdapter(AnyFamily)
    assert adapter.validate_json(family.canonical_json()) == family
