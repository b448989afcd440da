"""The clouds family: a class on one side, and one cloud per class on the other; clouds may overlap."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.linalg import solve_triangular
from scipy.special import entr
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, Family
from mistworks.distributions.block_maps import haar, linear
from mistworks.distributions.coordinates import Coordinates, draw_coordinates, place
from mistworks.distributions.dispersion import cholesky_factor, factor_matrix
from mistworks.distributions.labels import (
    Codes,
    Encoder,
    Template,
    draw_encoder,
    draw_shares,
    merged,
    noisy_copy,
)
from mistworks.distributions.monte_carlo import UNKNOWN, Label, Labelled, precise_label
from mistworks.distributions.priors import Probability, log_uniform

_FIRST_POINTS = 256
# Clouds further apart do not overlap, and squared distances would lose digits in single precision.
_FARTHEST = 60.0
_TINY = np.float32(1e-30)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Normal clouds: given the class k, V = A (μₖ + sₖ ∘ z + uₖ ζ), z and ζ standard normal.

    Covariances are A (diag sₖ² + uₖ uₖᵀ) Aᵀ. The invertible A does not change the information about the
    class.

    Attributes:
        shares: P(k), shape (classes,), with sum 1.
        means: μₖ, shape (classes, size).
        scales: sₖ, shape (classes, size), or (1, size) if all classes share it.
        loadings: uₖ, shape (classes, size); None if all are zero.
        matrix: A, invertible, shape (size, size).
    """

    shares: Array
    means: Array
    scales: Array
    loadings: Array | None
    matrix: Array

    @property
    def size(self) -> int:
        """Number of columns."""
        return int(self.means.shape[1])

    def sample(self, classes: Codes, rng: np.random.Generator) -> FloatArray:
        """Draw V of points with these classes, shape (n, size), float32."""
        return self.standard(classes, rng) @ self.matrix.T.astype(np.float32)

    def standard(self, classes: Codes, rng: np.random.Generator) -> FloatArray:
        """Draw V before A, shape (n, size), float32."""
        values = rng.standard_normal((len(classes), self.size), dtype=np.float32)
        scales = self.scales.astype(np.float32)
        values *= scales if len(scales) == 1 else scales[classes]
        values += self.means.astype(np.float32)[classes]
        if self.loadings is not None:
            common = rng.standard_normal((len(classes), 1), dtype=np.float32)
            values += common * self.loadings.astype(np.float32)[classes]
        return values

    def posterior(self, standard: FloatArray) -> FloatArray:
        """Compute P(k | v) for points before A, shape (classes, n), float32.

        With D = diag s², log p(v | k) is, up to a constant, −½ (q − (uᵀD⁻¹(v − μ))² / c + log |D| + log c),
        with q = (v − μ)ᵀ D⁻¹ (v − μ) and c = 1 + uᵀ D⁻¹ u (Sherman and Morrison 1950). Squares are expanded
        into products of two matrices.
        """
        precision = 1.0 / self.scales**2
        weighted = self.means * precision
        constant = (self.means * weighted).sum(axis=1) + 2.0 * np.log(self.scales).sum(axis=1)
        square = -2.0 * weighted.astype(np.float32) @ standard.T
        if len(self.scales) > 1:
            square += precision.astype(np.float32) @ np.square(standard).T
        if self.loadings is not None:
            direction = self.loadings * precision
            c = 1.0 + (self.loadings * direction).sum(axis=1)
            offset = (direction * self.means).sum(axis=1)[:, None].astype(np.float32)
            projected = direction.astype(np.float32) @ standard.T - offset
            square -= np.square(projected) / c[:, None].astype(np.float32)
            constant = constant + np.log(c)
        log_joint = (np.log(self.shares) - 0.5 * constant)[:, None].astype(np.float32) - 0.5 * square
        log_joint -= log_joint.max(axis=0)
        joint = np.exp(log_joint)
        joint /= joint.sum(axis=0)
        return np.asarray(joint)

    def reduced(self) -> "Cloud":
        """Return clouds with fewer columns and the same information: the span of means of one covariance."""
        if len(self.scales) > 1 or self.loadings is not None:
            return self
        apart = (self.means - self.means[0]) / self.scales
        if len(apart) <= self.size:
            _, spanned = np.linalg.qr(apart[1:].T)
            apart = np.vstack([np.zeros((1, len(spanned))), spanned.T])
        size = apart.shape[1]
        return Cloud(self.shares, apart, np.ones((1, size)), None, np.eye(size))


def cloud_label(cloud: Cloud, confusion: Array, rng: np.random.Generator) -> Label:
    """I(V; L′) in nats, with its standard error, where L′ is drawn from row k of a table given the class k.

    With q(v) the distribution of L′ given v and p that of L′, it equals the mean of the divergence D(q(v) ‖
    p), and also H(L′) minus the mean of H(q(v)). The first varies less if classes overlap, the second if they
    do not; the one with the smaller error is used. Half of the points are drawn from all classes equally, and
    weighted, so that rare classes occur.

    Args:
        cloud: the clouds of V.
        confusion: P(L′ | k), shape (classes, labels); rows sum to 1.
        rng: draws the points.
    """
    shares = cloud.shares @ confusion
    shown = shares > 0
    confusion, shares = confusion[:, shown], shares[shown]
    entropy = float(entr(shares).sum())
    if np.allclose(confusion, shares, atol=1e-12, rtol=0.0):
        return Label(0.0, 0.0)
    small, classes = cloud.reduced(), len(cloud.shares)
    chosen = 0.5 * cloud.shares + 0.5 / classes
    weights, cumulative = cloud.shares / chosen, np.r_[0.0, chosen.cumsum()]
    cumulative[-1] = 1.0
    clear = np.array_equal(confusion, np.eye(classes))
    table, log_shares = confusion.T.astype(np.float32), np.log(shares)

    def terms(n: int) -> Array:
        counts = np.diff(np.floor(cumulative * n + rng.random()).astype(np.int64))
        drawn = np.repeat(np.arange(classes), counts)
        given = small.posterior(small.standard(drawn, rng))
        if not clear:
            given = table @ given
        entropies = -(given * np.log(np.maximum(given, _TINY))).sum(axis=0, dtype=np.float64)
        divergences = -entropies - log_shares @ given
        return np.asarray(weights[drawn][:, None] * np.column_stack([entropies, divergences]))

    def label(values: Array) -> Label:
        means, errors = values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))
        best = int(np.argmin(errors))
        information = entropy - means[0] if best == 0 else means[1]
        return Label(float(np.clip(information, 0.0, entropy)), float(errors[best]))

    return precise_label(terms, label, _FIRST_POINTS)


@dataclass(frozen=True, eq=False)
class Clouds(Labelled):
    """One side encodes a label L′ of a class, the other has a cloud for each class; both contain noise.

    I(X;Y) is the mutual information of cloud and label, since the noise is independent of both.

    Attributes:
        cloud: the informative columns of the side with the cloud.
        confusion: P(L′ | class), shape (classes, labels); rows sum to 1.
        encoder: the informative columns of the side with the label.
        cloud_order: the positions of the columns of the cloud, then those of the noise, shape (d,).
        label_order: the same for the side with the label.
        cloud_noise: the other columns of the side with the cloud.
        label_noise: the other columns of the side with the label.
        swapped: Y has the cloud and X the label.
        label: I(X;Y) by Monte Carlo (`cloud_label`).
    """

    cloud: Cloud
    confusion: Array
    encoder: Encoder
    cloud_order: Codes
    label_order: Codes
    cloud_noise: Coordinates
    label_noise: Coordinates
    swapped: bool
    label: Label

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return len(self.label_order if self.swapped else self.cloud_order)

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return len(self.cloud_order if self.swapped else self.label_order)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        classes = _drawn(np.broadcast_to(self.cloud.shares, (n, len(self.cloud.shares))), rng)
        labels = _drawn(self.confusion[classes], rng)
        points = place(self.cloud.sample(classes, rng), self.cloud_order, self.cloud_noise, rng)
        codes = place(self.encoder(labels, rng), self.label_order, self.label_noise, rng)
        return (codes, points) if self.swapped else (points, codes)


def _drawn(probabilities: Array, rng: np.random.Generator) -> Codes:
    """Draw a number for each row from the probabilities in the row, shape (n,)."""
    cumulative = probabilities.cumsum(axis=1)
    below = cumulative <= rng.random((len(cumulative), 1)) * cumulative[:, -1:]
    return np.asarray(below.sum(axis=1), dtype=np.int64)


class CloudsFamily(Family):
    """Random classes with one normal cloud each, from coinciding to far apart.

    Classes are shifted in every column, in a few, along a line, in random directions or by signs, and share
    one covariance or have their own. The other side encodes the class, groups of classes, or the class with
    errors.

    Attributes:
        independent: probability that the label is independent of the class.
        most: maximum number of classes.
        noisy: probability that the cloud has only some of the columns of its side; the others are noise.
    """

    family: Literal["clouds"] = "clouds"
    independent: Probability = 0.15
    most: Annotated[int, Field(ge=2, le=64)] = 40
    noisy: Probability = 0.4

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> Clouds:
        drawn = self.draw_unlabelled(dx, dy, rng)
        return replace(drawn, label=cloud_label(drawn.cloud, drawn.confusion, rng))

    @override
    def draw_unlabelled(self, dx: int, dy: int, rng: np.random.Generator) -> Clouds:
        self.require_dimensions(dx, dy)
        # Labels rarely take more columns than the measurements that predict them.
        swapped = bool(rng.random() < (0.5 if dx == dy else 0.8 if dx < dy else 0.2))
        room, other = (dy, dx) if swapped else (dx, dy)
        shares = draw_shares(int(log_uniform(2.0, self.most + 1.0, rng)), rng)
        shares = np.maximum(shares, 1e-6) / np.maximum(shares, 1e-6).sum()
        size = int(log_uniform(1.0, room + 1.0, rng)) if rng.random() < self.noisy else room
        cloud = draw_cloud(shares, size, rng)
        confusion = self._confusion(shares, rng)
        labels = confusion.shape[1]
        if rng.random() < 0.5:
            code = rng.permutation(labels) if rng.random() < 0.5 else np.arange(labels)
            encoder: Encoder = Template(code[:, None])
        else:
            encoder = draw_encoder(labels, other, rng)
        return Clouds(
            cloud,
            confusion,
            encoder,
            rng.permutation(room),
            rng.permutation(other),
            draw_coordinates(room - size, rng),
            draw_coordinates(other - encoder.size, rng),
            swapped,
            UNKNOWN,
        )

    def _confusion(self, shares: Array, rng: np.random.Generator) -> Array:
        count = len(shares)
        if rng.random() < self.independent:
            return np.tile(draw_shares(int(log_uniform(2.0, self.most + 1.0, rng)), rng), (count, 1))
        kind = rng.random()
        if kind < 0.6 or (kind < 0.8 and count == 2):
            return np.eye(count)
        if kind < 0.8:
            table = merged(shares, int(log_uniform(2.0, count + 1.0, rng)), rng)
        else:
            table = noisy_copy(shares, rng)
        return np.asarray(table / table.sum(axis=1, keepdims=True))


def draw_cloud(shares: Array, size: int, rng: np.random.Generator) -> Cloud:
    """Draw the clouds of classes with these shares."""
    classes = len(shares)
    matrix, means = _draw_matrix(size, rng), _draw_means(classes, size, rng)
    if rng.random() < 0.5 and np.array_equal(matrix, np.tril(matrix)):
        # Shift the columns themselves: more informative if columns are correlated.
        means = solve_triangular(matrix, means.T, lower=True).T
    scales, loadings = np.ones((1, size)), None
    if rng.random() < 0.45:
        spread = log_uniform(0.1, 0.8, rng)
        own = rng.standard_normal((classes, 1 if rng.random() < 0.4 else size))
        scales = np.clip(np.exp(spread * own), 0.25, 4.0) * np.ones((1, size))
        if rng.random() < 0.35:
            loadings = log_uniform(0.3, 2.0, rng) * rng.standard_normal((classes, size))
            loadings *= rng.random((classes, size)) < rng.uniform(0.2, 1.0)
        if rng.random() < 0.15:
            means = np.zeros_like(means)
    means -= means.mean(axis=0)
    means *= min(1.0, _FARTHEST / (float(np.sqrt(np.square(means).sum(axis=1).max())) + 1e-12))
    return Cloud(shares, means, scales, loadings, matrix)


def _draw_matrix(size: int, rng: np.random.Generator) -> Array:
    """Independent columns, a factor model, or rotations and scales."""
    kind = rng.random()
    if size == 1 or kind < 0.35:
        return np.eye(size)
    if kind < 0.75:
        return cholesky_factor(factor_matrix(size, log_uniform(0.2, 4.0, rng), rng))
    return linear(size, rng).matrix


def _draw_means(classes: int, size: int, rng: np.random.Generator) -> Array:
    """Draw the centres of classes in standard deviations, shape (classes, size)."""
    kind = rng.random()
    if kind < 0.3:
        means = rng.standard_normal((classes, size))
    elif kind < 0.45:
        means = rng.standard_normal((classes, size))
        means[:, rng.permutation(size)[int(rng.integers(1, 4)) :]] = 0.0
    elif kind < 0.65:
        places = rng.permutation(np.cumsum(rng.gamma(log_uniform(1.0, 20.0, rng), size=classes)))
        direction = np.ones(size) if rng.random() < 0.4 else rng.standard_normal(size)
        means = places[:, None] * direction
    elif kind < 0.8:
        means = rng.standard_normal((classes, size))
        means = haar(size, rng)[:classes] if classes <= size else means
        means = means / np.sqrt(np.square(means).sum(axis=1, keepdims=True))
    else:
        means = np.where(rng.random((classes, size)) < 0.5, 1.0, -1.0)
    variances = means.var(axis=0)
    if rng.random() < 0.5:
        # Root mean squared distance of two classes.
        wanted, present = log_uniform(0.3, 25.0, rng), 2.0 * variances.sum() * classes / (classes - 1)
    else:
        moved = variances > 1e-12
        wanted, present = log_uniform(0.2, 3.0, rng), variances.sum() / max(1, int(moved.sum()))
    return np.asarray(means * (wanted / np.sqrt(max(float(present), 1e-3))))


__all__ = ["Cloud", "Clouds", "CloudsFamily", "cloud_label", "draw_cloud"]
