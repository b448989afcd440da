"""Gaussian and Student laws of X, Y and Z: linear chains, forks, colliders, and random dispersions."""

from dataclasses import dataclass

import numpy as np

from mistworks.conditional.law import Array, Law, Sampler
from mistworks.distributions.dispersion import RandomPairs, cholesky_factor, factor_matrix
from mistworks.distributions.priors import log_uniform
from mistworks.distributions.student import tail_mutual_information


@dataclass(frozen=True)
class Sizes:
    """Numbers of columns of X, of Y and of Z."""

    dx: int
    dy: int
    dz: int


def gaussian_information(dispersion: Array, sizes: Sizes) -> float:
    """I(X;Y|Z) = ½ log(det Σ_xz det Σ_yz / (det Σ_z det Σ)) in nats, at least 0.

    Follows from the entropy ½ log((2πe)^d det Σ) of normal variables (Cover and Thomas, "Elements of
    Information Theory", 2nd ed., theorem 8.4.1).

    Args:
        dispersion: Σ, positive definite, columns of X first, then Y, then Z.
        sizes: of the blocks.
    """
    x = np.arange(sizes.dx)
    y = sizes.dx + np.arange(sizes.dy)
    z = sizes.dx + sizes.dy + np.arange(sizes.dz)
    parts = [np.concatenate(part) for part in ([x, z], [y, z], [z], [x, y, z])]
    xz, yz, only, joint = (np.linalg.slogdet(dispersion[np.ix_(part, part)])[1] for part in parts)
    return max(0.0, float(0.5 * (xz + yz - only - joint)))


def student_information(dispersion: Array, sizes: Sizes, nu: float) -> float:
    """I(X;Y|Z) = I(X;YZ) − I(X;Z) of a multivariate t, in nats.

    See `mistworks.distributions.Student` for either term: their parts that come from the tails are added to
    what a normal distribution with the same dispersion has.

    Args:
        dispersion: positive definite, X first, then Y, then Z.
        sizes: of the blocks.
        nu: degrees of freedom.
    """
    tails = tail_mutual_information(sizes.dx, sizes.dy + sizes.dz, nu)
    tails -= tail_mutual_information(sizes.dx, sizes.dz, nu)
    return max(0.0, gaussian_information(dispersion, sizes) + tails)


def elliptical_law(family: str, dispersion: Array, sizes: Sizes, nu: float | None = None) -> Law:
    """A normal law, or a multivariate t with ν degrees of freedom."""
    if nu is None:
        cmi = gaussian_information(dispersion, sizes)
    else:
        cmi = student_information(dispersion, sizes, nu)
    return Law(family, cmi, _sampler(dispersion, sizes, nu))


def draw_gaussian(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw a random dispersion, see `draw_dispersion`."""
    return _exact(elliptical_law("gaussian", draw_dispersion(sizes, rng), sizes))


def draw_student(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw a random dispersion and degrees of freedom from 1 to 20."""
    return elliptical_law("student", draw_dispersion(sizes, rng), sizes, log_uniform(1.0, 20.0, rng))


def draw_dispersion(sizes: Sizes, rng: np.random.Generator) -> Array:
    """Draw a correlation matrix: a factor model of all columns, or regressions on Z with dependent errors.

    The errors of X and Y are those of `RandomPairs`, so that I(X;Y|Z) is often small or 0.
    """
    size = sizes.dx + sizes.dy + sizes.dz
    if rng.random() < 0.35:
        return factor_matrix(size, log_uniform(0.2, 3.0, rng), rng)
    errors = RandomPairs().draw(sizes.dx, sizes.dy, rng)
    inner = factor_matrix(sizes.dz, log_uniform(0.1, 2.0, rng), rng)
    slopes = _slopes(sizes.dx + sizes.dy, sizes.dz, rng)
    return joined_dispersion(errors, slopes, inner)


def joined_dispersion(errors: Array, slopes: Array, inner: Array) -> Array:
    """The correlation matrix of (X, Y, Z) where (X, Y) = B Z + E.

    Args:
        errors: covariance of E, shape (dx + dy, dx + dy).
        slopes: B, shape (dx + dy, dz).
        inner: covariance of Z, shape (dz, dz).
    """
    across = slopes @ inner
    return _correlation(np.block([[errors + across @ slopes.T, across], [across.T, inner]]))


def draw_chain(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw X → Z → Y with normal noise: I(X;Y|Z) = 0."""
    x = factor_matrix(sizes.dx, log_uniform(0.1, 2.0, rng), rng)
    to_z, to_y = _slopes(sizes.dz, sizes.dx, rng), _slopes(sizes.dy, sizes.dz, rng)
    xz = to_z @ x
    z = xz @ to_z.T + factor_matrix(sizes.dz, log_uniform(0.1, 2.0, rng), rng)
    y = to_y @ z @ to_y.T + factor_matrix(sizes.dy, log_uniform(0.1, 2.0, rng), rng)
    xy, yz = (to_y @ xz).T, to_y @ z
    matrix = np.block([[x, xy, xz.T], [xy.T, y, yz], [xz, yz.T, z]])
    return Law("chain", 0.0, _sampler(_correlation(matrix), sizes, None))


def draw_fork(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw X ← Z → Y with normal noise: I(X;Y|Z) = 0."""
    errors = np.zeros((sizes.dx + sizes.dy,) * 2)
    errors[: sizes.dx, : sizes.dx] = factor_matrix(sizes.dx, log_uniform(0.1, 2.0, rng), rng)
    errors[sizes.dx :, sizes.dx :] = factor_matrix(sizes.dy, log_uniform(0.1, 2.0, rng), rng)
    inner = factor_matrix(sizes.dz, log_uniform(0.1, 2.0, rng), rng)
    matrix = joined_dispersion(errors, _slopes(sizes.dx + sizes.dy, sizes.dz, rng), inner)
    return Law("fork", 0.0, _sampler(matrix, sizes, None))


def draw_collider(sizes: Sizes, rng: np.random.Generator) -> Law:
    """Draw X → Z ← Y with independent X and Y and normal noise: I(X;Y) = 0, and I(X;Y|Z) is not."""
    both = sizes.dx + sizes.dy
    causes = np.zeros((both, both))
    causes[: sizes.dx, : sizes.dx] = factor_matrix(sizes.dx, log_uniform(0.1, 2.0, rng), rng)
    causes[sizes.dx :, sizes.dx :] = factor_matrix(sizes.dy, log_uniform(0.1, 2.0, rng), rng)
    slopes = _slopes(sizes.dz, both, rng)
    noise = factor_matrix(sizes.dz, log_uniform(0.1, 2.0, rng), rng) * log_uniform(0.02, 2.0, rng)
    across = slopes @ causes
    matrix = _correlation(np.block([[causes, across.T], [across, across @ slopes.T + noise]]))
    return elliptical_law("collider", matrix, sizes)


def _slopes(outputs: int, inputs: int, rng: np.random.Generator) -> Array:
    """Normal weights of which a random share is 0, with rows of length about the drawn strength."""
    weights = rng.standard_normal((outputs, inputs)) * (
        rng.random((outputs, inputs)) < rng.uniform(1.0 / inputs, 1.0)
    )
    length = np.sqrt(np.square(weights).sum(axis=1, keepdims=True))
    return np.asarray(log_uniform(0.1, 3.0, rng) * weights / np.where(length > 0, length, 1.0))


def _correlation(covariance: Array) -> Array:
    scale = 1.0 / np.sqrt(covariance.diagonal())
    matrix = covariance * scale[:, None] * scale
    return np.asarray((matrix + matrix.T) / 2)


def _exact(law: Law) -> Law:
    """Rounding of determinants turned into the 0 that it stands for."""
    return Law(law.family, law.cmi if law.cmi > 1e-9 else 0.0, law.sampler, law.nominal)


def _sampler(dispersion: Array, sizes: Sizes, nu: float | None) -> Sampler:
    factor = cholesky_factor(dispersion)
    dx, dxy = sizes.dx, sizes.dx + sizes.dy

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        points = rng.standard_normal((n, len(factor))) @ factor.T
        if nu is not None:
            points *= np.sqrt(nu / rng.chisquare(nu, size=(n, 1)))
        return points[:, :dx], points[:, dx:dxy], points[:, dxy:]

    return sample


__all__ = [
    "Sizes",
    "draw_chain",
    "draw_collider",
    "draw_dispersion",
    "draw_fork",
    "draw_gaussian",
    "draw_student",
    "elliptical_law",
    "gaussian_information",
    "joined_dispersion",
    "student_information",
]
