"""Compression before an estimator, and the suffixes of names that ask for it."""

import math

import numpy as np
import pytest

from mistworks.baselines import (
    GMMMI,
    GROUPS,
    KSG,
    Bootstrap,
    Compressed,
    DistanceCorrelation,
    GaussianCopula,
    baseline,
    baselines,
)
from mistworks.baselines.compressed import principal_components
from mistworks.errors import MistworksError

SIZE = 12


def blobs(latents: np.ndarray) -> np.ndarray:
    """Images of a Gaussian blob whose centre is the latent: injective, shape (n, 144)."""
    grid = np.linspace(-3.5, 3.5, SIZE)
    horizontal, vertical = np.meshgrid(grid, grid)
    squares = (horizontal.ravel() - latents[:, :1]) ** 2 + (vertical.ravel() - latents[:, 1:]) ** 2
    return np.exp(-squares / 2)


def rectangles(latents: np.ndarray) -> np.ndarray:
    """Images of a rectangle with smooth edges whose width and height are the latents, shape (n, 144)."""
    grid = np.linspace(0, 4, SIZE)
    size = np.exp(0.4 * latents)
    edges = [1 / (1 + np.exp(4 * (grid - size[:, [axis]]))) for axis in (0, 1)]
    return (edges[0][:, :, None] * edges[1][:, None, :]).reshape(len(latents), -1)


def images(n: int, rho: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Blobs and rectangles with correlated latents: I(X;Y) = −log(1 − ρ²)."""
    x, noise = np.random.default_rng(seed).standard_normal((2, n, 2))
    return blobs(x).astype(np.float32), rectangles(rho * x + math.sqrt(1 - rho**2) * noise).astype(np.float32)


class TestCompressed:
    def test_images_of_latents_with_known_information(self) -> None:
        x, y = images(1_500, 0.9)
        truth = -math.log(1 - 0.9**2)
        by_components = [Compressed(KSG(neighbours=3), k).estimate(x, y).mi for k in (1, 2, 4)]
        # Compression loses information, and the estimate never exceeds the truth beyond its error.
        assert max(by_components) < truth + 0.1
        assert by_components[0] < 0.5 * truth
        assert by_components[-1] > 0.65 * truth

    @pytest.mark.slow
    def test_an_autoencoder_of_images(self) -> None:
        x, y = images(1_000, 0.9)
        truth = -math.log(1 - 0.9**2)
        estimator = Compressed(KSG(neighbours=3), 2, "autoencoder")
        assert 0.6 * truth < estimator.estimate(x, y).mi < truth + 0.1

    def test_an_autoencoder_gives_the_same_codes_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mistworks.baselines.autoencoder._STEPS", 30)
        x, y = images(60, 0.9)
        estimator = Compressed(KSG(neighbours=3), 2, "autoencoder")
        assert estimator.slow
        assert estimator.estimate(x, y) == estimator.estimate(x, y)
        assert estimator.estimate(x, y) != Compressed(KSG(neighbours=3), 2, "autoencoder", 1).estimate(x, y)

    def test_independent_images_stay_independent(self) -> None:
        x, _ = images(400, 0.9)
        _, y = images(400, 0.9, seed=1)
        assert abs(Compressed(KSG(neighbours=3), 2).estimate(x, y).mi) < 0.1

    def test_narrow_sides_are_left_as_they_are(self) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(60, 4)).astype(np.float32), rng.normal(size=(60, 2)).astype(np.float32)
        assert Compressed(KSG(), 4).estimate(x, y) == KSG().estimate(x, y)

    def test_components_are_those_of_scikit_learn(self) -> None:
        from sklearn.decomposition import PCA

        rng = np.random.default_rng(0)
        columns = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6))
        columns -= columns.mean(axis=0)
        own, other = principal_components(columns, 3), PCA(3).fit_transform(columns)
        np.testing.assert_allclose(np.abs(own), np.abs(other), atol=1e-9)

    def test_copies_have_one_component(self) -> None:
        x = np.random.default_rng(0).normal(size=(30, 1))
        assert principal_components(np.hstack([x, 2 * x, -x]), 3).shape == (30, 1)

    def test_no_components(self) -> None:
        with pytest.raises(MistworksError, match="at least 1 component, got 0"):
            Compressed(KSG(), 0)

    def test_what_it_is_made_of(self) -> None:
        compressed = Compressed(DistanceCorrelation(), 4)
        assert compressed.unit == "none"
        assert Bootstrap(compressed).unit == "none"
        assert compressed.name == "distance-correlation+pca-4"
        assert len({Compressed(KSG(), 2, m).version for m in ("pca", "autoencoder")}) == 2


class TestSuffixes:
    def test_names_lead_back(self) -> None:
        assert baseline("ksg-5+pca-7") == Compressed(KSG(neighbours=5), 7)
        assert baseline("ksg-5+autoencoder-2") == Compressed(KSG(neighbours=5), 2, "autoencoder")
        both = Bootstrap(Compressed(GaussianCopula(), 4))
        assert baseline("gaussian-copula+pca-4+bootstrap") == both
        assert both.name == "gaussian-copula+pca-4+bootstrap"

    @pytest.mark.parametrize("name", ["ksg-3+pca", "ksg-3+pca-0", "ksg-3+bootstrap+pca-4", "ksg-3+tsne-2"])
    def test_unknown(self, name: str) -> None:
        with pytest.raises(MistworksError, match=r"\+pca-K, \+autoencoder-K or \+bootstrap"):
            baseline(name)

    def test_groups(self) -> None:
        found = [each.name for each in baselines(["comparators+bootstrap", "dependence"])]
        assert found == [*(f"{name}+bootstrap" for name in GROUPS["comparators"]), *GROUPS["dependence"]]

    def test_a_group_with_compressed_members(self) -> None:
        found = [each.name for each in baselines(["comparators+pca-2"])]
        assert found[0] == "plug-in-chao-shen+pca-2"
        assert found[-2:] == ["ksg-3+pca-4", "gaussian-copula+pca-4"]


class TestGMMMI:
    """The package is optional and not installed with the tests: its absence is what they see."""

    def test_absence_is_a_sentence_and_a_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "gmm_mi", None)
        x = np.random.default_rng(0).normal(size=(30, 1)).astype(np.float32)
        with pytest.raises(
            MistworksError, match=r"Expected gmm_mi for the baseline gmm-mi, .*\[comparators\]"
        ):
            GMMMI().estimate(x, x)

    def test_the_version_follows_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mistworks.baselines.gmm_mi.version", lambda name: "0.8.2")
        assert GMMMI().version == "1-0.8.2"
        monkeypatch.undo()
        assert GMMMI().version.startswith("1-")

    def test_one_column_on_each_side(self) -> None:
        x = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
        with pytest.raises(MistworksError, match="Expected one column on each side, got 2 and 1"):
            GMMMI().estimate(x, x[:, :1])
