import numpy as np
import pytest

from mistworks.conditional.law import Array
from mistworks.conditional.reduction import reduce
from mistworks.conditional.residuals import Regression
from mistworks.conditional.varying import Varying, varying_dependence
from mistworks.preparation.reading import read_sides


def dependence(x: Array, y: Array, z: Array) -> Varying:
    sample = reduce(*read_sides([("x", x), ("y", y), ("z", z)]))
    regression = Regression(sample.z)
    return varying_dependence(regression, *(regression.residuals(part) for part in (sample.x, sample.y)))


def normal_pair(rho: Array, z: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    a, b = rng.standard_normal((2, len(z)))
    return a + 0.5 * z, rho * a + np.sqrt(1 - rho**2) * b - z


@pytest.mark.parametrize("rho", [0.0, 0.3, -0.9])
def test_a_steady_correlation_has_its_information_and_no_strata(rho: float) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal(4_000)
    found = dependence(*normal_pair(np.full(4_000, rho), z, rng), z)
    truth = -0.5 * np.log(1 - rho**2)
    assert found.information == pytest.approx(truth, abs=0.05)
    assert found.score == pytest.approx(truth, abs=0.05)
    assert found.gain == found.clear == found.explained == 0.0
    assert found.strata is None


def test_a_correlation_that_changes_its_sign_is_seen_and_split_by() -> None:
    rng = np.random.default_rng(1)
    z = rng.standard_normal(4_000)
    rho = 0.7 * np.sin(1.2 * z)
    found = dependence(*normal_pair(rho, z, rng), z)
    truth = float((-0.5 * np.log(1 - rho**2)).mean())
    assert found.information == pytest.approx(truth, abs=0.06)
    assert found.score == pytest.approx(truth, abs=0.06)
    assert found.clear > 5
    assert found.strata is not None
    means = [rho[found.strata == number].mean() for number in range(4)]
    assert np.ptp(means) > 0.9
    assert np.bincount(found.strata).tolist() == [1_000] * 4


def test_dependence_beyond_correlations_is_clear_and_none_is_not() -> None:
    rng = np.random.default_rng(2)
    z, a, b = rng.standard_normal((3, 2_000))
    normal = dependence(a, 0.8 * a + 0.6 * b, z)
    assert abs(normal.squares_clear) < 6
    assert abs(normal.bent_clear) < 6
    signs = np.where(rng.random(2_000) < 0.5, -1.0, 1.0)
    assert dependence(a, signs * (np.abs(a) + 0.3 * b), z).squares_clear > 20
    assert dependence(a, a**2 + 0.5 * b, z).bent_clear > 20


def test_class_labels_have_no_products() -> None:
    rng = np.random.default_rng(3)
    labels = np.array(list("abc"))[rng.integers(0, 3, size=300)]
    found = dependence(labels, rng.standard_normal(300), rng.standard_normal(300))
    assert vars(found) == vars(Varying())
