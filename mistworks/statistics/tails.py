"""Dependence through a shared scale: t copulas of several degrees of freedom, radii and squares."""

import math
from functools import lru_cache

import torch
from scipy.special import gammaln, polygamma, psi
from torch import Tensor

from mistworks.statistics.gaussian import both_sides, gaussian_mi
from mistworks.statistics.sample import (
    DEGREES_OF_FREEDOM,
    Samples,
    empirical_quantiles,
    with_unit_diagonal,
)

_LEAST_SHRINKAGE = 0.01
# Shrinkage across the sides hides strong dependence.
_LEAST_SHRINKAGE_OF_ALL = 1e-4
# The ν of the normal copula in means of log ν.
_NORMAL = 60.0
_QUANTILES = (0.5, 0.9, 1.0)


def t_copula(samples: Samples) -> dict[str, Tensor]:
    """Fit the t copula by profile likelihood over ``DEGREES_OF_FREEDOM`` and the normal copula.

    For each ν the dispersion matrix is fitted by a step of the EM algorithm from the correlation of the
    normal scores (Liu, Rubin, "ML estimation of the t distribution", Statistica Sinica 1995) and shrunk; log
    c = log t_d(z) − Σ log t₁(z_j) at z = t_ν⁻¹(u). Weights proportional to the likelihood give the posterior
    means of log ν, of the closed form of the MI in nats, of its excess over the Gaussian MI, of the sample
    mean of log c_xy − log c_x − log c_y, and of the Gaussian MI. The profile is the gain of log c over the
    normal copula's for each ν, divided by √d and kept within ±3.
    """
    n, d, dx, dy = samples.n, samples.dimension, samples.dx, samples.dy
    shrinkage = min(0.5, max(_LEAST_SHRINKAGE_OF_ALL, 0.25 * d / n))
    start = with_unit_diagonal((1 - shrinkage) * samples.correlation)
    nu = torch.tensor(DEGREES_OF_FREEDOM, dtype=torch.float64)[:, None]
    z = samples.quantiles(slice(1, None))
    squares = _whitened(z, start).square().sum(dim=2)
    moment = (z * ((nu + d)[..., None] / (nu[..., None] + squares))[..., None]).mT @ z
    scale = moment.diagonal(dim1=-2, dim2=-1).clamp_min(1e-12).rsqrt()
    correlation = scale[..., None] * moment * scale[..., None, :]
    dispersions = with_unit_diagonal((1 - shrinkage) * correlation)
    joint, pointwise = _log_densities(z, dispersions, dx, nu)
    tails = torch.log1p(z.square() / nu[..., None, None]).sum(dim=3).mean(dim=2)
    single = d * _constant(1, nu) - 0.5 * (nu + 1) * tails
    normal_joint, normal_pointwise = _normal_log_densities(samples.scores, start, dx)
    log_likelihood = torch.cat([joint - single, normal_joint])
    mi = gaussian_mi(torch.cat([dispersions, start[None]]), dx)
    excess = torch.tensor([_excess(dx, dy, value) for value in DEGREES_OF_FREEDOM] + [0.0]).double()[:, None]
    log_nu = torch.tensor([*map(math.log, DEGREES_OF_FREEDOM), math.log(_NORMAL)], dtype=torch.float64)
    weights = torch.softmax(n * log_likelihood, dim=0)
    sample_means = torch.cat([pointwise, normal_pointwise])
    terms = [log_nu[:, None].expand_as(mi), mi + excess, excess.expand_as(mi), sample_means, mi]
    averages = (torch.stack(terms, dim=2) * weights[..., None]).sum(dim=0)
    profile = (log_likelihood[:-1] - log_likelihood[-1]) / math.sqrt(d)
    return {"average": averages, "profile": profile.clamp(-3.0, 3.0).T}


def _whitened(z: Tensor, matrices: Tensor) -> Tensor:
    """Return L⁻¹ zᵀ for the matrix L Lᵀ, shape (…, d, n). Leading rows belong to the leading block."""
    factor: Tensor = torch.linalg.cholesky_ex(matrices).L
    whitened: Tensor = torch.linalg.solve_triangular(factor, z.mT, upper=False)
    return whitened


def _log_diagonal(matrices: Tensor) -> Tensor:
    factor: Tensor = torch.linalg.cholesky_ex(matrices).L
    return factor.diagonal(dim1=-2, dim2=-1).clamp_min(1e-150).log()


def _log_densities(z: Tensor, dispersions: Tensor, dx: int, nu: Tensor) -> tuple[Tensor, Tensor]:
    """Return means of log t(x, y) and of log t(x, y) − log t(x) − log t(y), shape (K, B) each."""
    squares = _whitened(z, dispersions).square()
    logs = _log_diagonal(dispersions)
    y_dispersions = dispersions[..., dx:, dx:]
    of_y = _whitened(z[..., dx:], y_dispersions).square().sum(dim=2)
    parts = [
        (z.shape[3], squares.sum(dim=2), logs.sum(dim=2)),
        (dx, squares[:, :, :dx].sum(dim=2), logs[..., :dx].sum(dim=2)),
        (z.shape[3] - dx, of_y, _log_diagonal(y_dispersions).sum(dim=2)),
    ]
    joint, x, y = (
        _constant(d, nu) - log - 0.5 * (nu + d) * torch.log1p(square / nu[..., None]).mean(dim=2)
        for d, square, log in parts
    )
    return joint, joint - x - y


def _constant(d: int, nu: Tensor) -> Tensor:
    return torch.lgamma((nu + d) / 2) - torch.lgamma(nu / 2) - 0.5 * d * (nu * math.pi).log()


def _normal_log_densities(scores: Tensor, matrices: Tensor, dx: int) -> tuple[Tensor, Tensor]:
    """Return means of log c of the normal copula, and of log c_xy − log c_x − log c_y, shape (1, B)."""
    squares = _whitened(scores, matrices).square().mean(dim=2)
    logs = _log_diagonal(matrices)
    y_matrices = matrices[:, dx:, dx:]
    of_y = _whitened(scores[..., dx:], y_matrices).square().sum(dim=1).mean(dim=1)
    joint = -(logs + 0.5 * squares).sum(dim=1)
    of_x = -(logs[:, :dx] + 0.5 * squares[:, :dx]).sum(dim=1)
    y = -_log_diagonal(y_matrices).sum(dim=1) - 0.5 * of_y
    single = -0.5 * scores.square().sum(dim=2).mean(dim=1)
    return (joint - single)[None], (joint - of_x - y)[None]


@lru_cache(maxsize=4096)
def _excess(dx: int, dy: int, nu: float) -> float:
    """Return the MI in nats that the shared scale adds: `distributions.student.tail_mutual_information`.

    Repeated here, so that the statistics import no families; a test holds the two equal.
    """

    def entropy(m: int) -> float:
        upper, lower = (nu + m) / 2, nu / 2
        return upper * float(psi(upper) - psi(lower)) + float(gammaln(lower) - gammaln(upper))

    return entropy(dx) + entropy(dy) - entropy(dx + dy)


def radii(samples: Samples) -> dict[str, Tensor]:
    """Compute the correlation and spread of the log squared Mahalanobis radii of X and Y."""
    scores, dx = samples.scores, samples.dx
    shrinkage = min(0.5, max(_LEAST_SHRINKAGE, 0.5 * samples.dimension / samples.n))
    matrices = with_unit_diagonal((1 - shrinkage) * samples.correlation)
    x = torch.log(_whitened(scores[..., :dx], matrices[:, :dx, :dx]).square().sum(dim=1) + 1e-3)
    y = torch.log(_whitened(scores[..., dx:], matrices[:, dx:, dx:]).square().sum(dim=1) + 1e-3)
    spread = both_sides(
        x.std(dim=1) / math.sqrt(_chi_variance(dx)), y.std(dim=1) / math.sqrt(_chi_variance(samples.dy))
    )
    return {"correlation": _correlation(x, y)[:, None], "spread": spread.log1p()}


@lru_cache(maxsize=1024)
def _chi_variance(d: int) -> float:
    """Return the variance of log χ²_d."""
    return float(polygamma(1, d / 2))


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    a, b = a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True)
    product = (a.square().mean(dim=1) * b.square().mean(dim=1)).clamp_min(1e-12)
    return (a * b).mean(dim=1) / product.sqrt()


def squares(samples: Samples) -> dict[str, Tensor]:
    """Compute correlations of squared normal scores across and within the blocks: quantiles and means."""
    square = samples.scores.square()
    centred = square - square.mean(dim=1, keepdim=True)
    standardised = centred * centred.square().mean(dim=1, keepdim=True).clamp_min(1e-12).rsqrt()
    # A correlation r of normals gives a correlation r² of their squares.
    matrix = standardised.mT @ standardised / samples.n - samples.correlation.square()
    dx = samples.dx
    across = matrix[:, :dx, dx:].flatten(1)
    within = both_sides(_mean_off_diagonal(matrix[:, :dx, :dx]), _mean_off_diagonal(matrix[:, dx:, dx:]))
    return {
        "across": empirical_quantiles(across, _QUANTILES),
        "means": torch.cat([across.mean(dim=1, keepdim=True), within], dim=1),
    }


def _mean_off_diagonal(matrix: Tensor) -> Tensor:
    size = matrix.shape[-1]
    diagonal = matrix.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    return (matrix.sum(dim=(-2, -1)) - diagonal) / max(size * (size - 1), 1)
