"""What a layer of a network tells about its input and about labels, by the two usual adaptive estimators.

Both are for deterministic activations T = f(X) of distinct inputs. I(X;T) is then infinite for continuous T,
and what is computed is the information of T after binning, or after adding noise that the network never saw.
They describe a layer at its own scale; they do not estimate a mutual information that has a truth, unless the
noise is really there. Needs SciPy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.errors import MistworksError
from mistworks.extras import imported
from mistworks.states import entropy, states

BINS = 30
"""Bins of EBAB in the paper."""

NOISE = 1e-3
"""Variance of the noise of aKDE per unit of the largest activity."""

_CELLS = 2**22

Activations = NDArray[np.float64]
Labels = NDArray[np.int64]


class LayerInformation(NamedTuple):
    """What a layer T tells, in nats.

    Attributes:
        about_input: I(X;T), at most log n.
        about_labels: I(T;Y); None without labels.
    """

    about_input: float
    about_labels: float | None


def ebab(activations: ArrayLike, labels: ArrayLike | None = None, *, bins: int = BINS) -> LayerInformation:
    """Entropy-based adaptive binning: I(X;T) = H(bins of T), I(T;Y) = H(bins) − H(bins | Y).

    Chelombiev, Houghton, O'Donnell, "Adaptive estimators show information compression in deep neural
    networks", ICLR 2019. The edges, common to all units of the layer, hold equal shares of its
    distinct values. Entropies are those of the observed frequencies: with many units every row has bins of
    its own, and I(X;T) is log n whatever the layer does.

    Args:
        activations: n inputs by d units, shape (n, d) or (n,).
        labels: of the inputs, shape (n,): numbers or strings.
        bins: number of bins.

    Raises:
        MistworksError: activations are not finite numbers of such a shape, there are not as many labels, or
            there are fewer than 2 bins.
    """
    if bins < 2:
        raise MistworksError(f"Expected at least 2 bins, got {bins}. Raise it.")
    layer, classes = _layer(activations), _classes(labels, activations)
    bins_of = states(binned(layer, bins))
    about_input = _entropy(bins_of)
    if classes is None:
        return LayerInformation(about_input, None)
    within = sum(share * _entropy(bins_of[rows]) for share, rows in _by_class(classes))
    return LayerInformation(about_input, about_input - within)


def akde(
    activations: ArrayLike, labels: ArrayLike | None = None, *, noise: float = NOISE
) -> LayerInformation:
    """Adaptive kernel density estimation: T + N(0, v I) with v = noise × the largest |activity| of the layer.

    I(X;T) ≤ −⟨log (1/n) Σⱼ exp(−|tᵢ − tⱼ|² / 2v)⟩, the upper bound of Kolchinsky and Tracey on the entropy
    of a mixture of n Gaussians ("Estimating mixture entropy with pairwise distances", Entropy 2017) less that
    of one; I(T;Y) is the bound over all inputs less its mean within classes. The variance follows the layer
    as in Chelombiev, Houghton, O'Donnell, "Adaptive estimators show information compression in deep neural
    networks", ICLR 2019.

    Args:
        activations: n inputs by d units, shape (n, d) or (n,).
        labels: of the inputs, shape (n,): numbers or strings.
        noise: variance of the noise per unit of the largest activity.

    Raises:
        MistworksError: activations are not finite numbers of such a shape, there are not as many labels, or
            the noise is not above 0.
    """
    if not noise > 0:
        raise MistworksError(f"Expected noise above 0, got {noise}. Raise it.")
    layer, classes = _layer(activations), _classes(labels, activations)
    largest = float(np.abs(layer).max())
    if largest == 0:
        return LayerInformation(0.0, None if classes is None else 0.0)
    about_input = mixture_bound(layer, noise * largest)
    if classes is None:
        return LayerInformation(about_input, None)
    within = sum(share * mixture_bound(layer[rows], noise * largest) for share, rows in _by_class(classes))
    return LayerInformation(about_input, about_input - within)


def binned(layer: Activations, bins: int) -> Labels:
    """Number of the bin of each value, shape (n, d); up to ``bins`` distinct values are bins each."""
    distinct, places = np.unique(layer, return_inverse=True)
    if len(distinct) <= bins:
        return np.asarray(places.reshape(layer.shape))
    edges = np.quantile(distinct, np.arange(1, bins) / bins)
    return np.asarray(np.searchsorted(edges, layer, side="right"))


def mixture_bound(layer: Activations, variance: float) -> float:
    """−⟨log (1/n) Σⱼ exp(−|tᵢ − tⱼ|² / 2v)⟩ in nats, between 0 and log n."""
    cdist = imported("scipy.spatial.distance", "aKDE").cdist
    logsumexp = imported("scipy.special", "aKDE").logsumexp
    n = len(layer)
    rows = max(1, _CELLS // n)
    logs = [
        logsumexp(-cdist(layer[start : start + rows], layer, "sqeuclidean") / (2 * variance), axis=1)
        for start in range(0, n, rows)
    ]
    return float(np.log(n) - np.concatenate(logs).mean())


def _layer(activations: ArrayLike) -> Activations:
    layer = np.asarray(activations, dtype=np.float64)
    if layer.ndim == 1:
        layer = layer[:, None]
    if layer.ndim != 2 or layer.size == 0:
        raise MistworksError(
            f"Expected activations of shape (n, d) or (n,), got {np.shape(activations)}. Flatten it."
        )
    if not np.isfinite(layer).all():
        raise MistworksError("Expected finite activations, got NaN or infinity. Drop such rows.")
    return layer


def _classes(labels: ArrayLike | None, activations: ArrayLike) -> Labels | None:
    if labels is None:
        return None
    given, n = np.asarray(labels), len(np.asarray(activations))
    if given.shape != (n,):
        raise MistworksError(f"Expected one label for each of {n} rows, got shape {given.shape}.")
    return np.asarray(np.unique(given, return_inverse=True)[1])


def _by_class(classes: Labels) -> list[tuple[float, NDArray[np.bool_]]]:
    """The share and the rows of each class."""
    masks = [classes == label for label in range(int(classes.max()) + 1)]
    return [(float(mask.mean()), mask) for mask in masks]


def _entropy(numbers: Labels) -> float:
    return entropy(np.bincount(numbers))


__all__ = ["BINS", "NOISE", "LayerInformation", "akde", "binned", "ebab", "mixture_bound"]
