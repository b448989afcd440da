"""Statistics of the correlation matrix of the normal scores: Gaussian MI with several regularisations."""

import math

import torch
from torch import Tensor

from mistworks.statistics.bias import bias
from mistworks.statistics.sample import Samples, empirical_quantiles, leading, with_unit_diagonal

_SHRINKAGES = (0.003, 0.01, 0.03, 0.08, 0.16, 0.3, 0.45, 0.6, 0.8)
_RIDGES = (0.02, 0.15, 0.5)
_THRESHOLDS = (1.0, 2.0, 3.0)
_FACTORS = (1, 2, 4)
_LEADING = 5
_RANKS = (1, 2, 4, 8, 16)
_QUANTILES = (0.5, 0.8, 0.95, 1.0)
_MOST = 1 - 1e-6
# Keeps matrices regular despite rounding, without an effect below 10 nats per pair.
RIDGE = 1e-10


def both_sides(of_x: Tensor, of_y: Tensor) -> Tensor:
    """Order figures of X and of Y such that a swap changes nothing: the larger of each first.

    Args:
        of_x: shape (B,) or (B, K).
        of_y: likewise.

    Returns:
        Shape (B, 2) or (B, 2K).
    """
    return torch.stack([torch.maximum(of_x, of_y), torch.minimum(of_x, of_y)], dim=1).flatten(1)


def gaussian_mi(matrices: Tensor, dx: int) -> Tensor:
    """Return ½ (log det Σ_xx + log det Σ_yy − log det Σ) in nats for each positive definite matrix.

    Args:
        matrices: shape (…, d, d), X first.
        dx: dimension of X.

    Returns:
        Shape (…,).
    """
    whole = torch.linalg.cholesky_ex(matrices).L.diagonal(dim1=-2, dim2=-1)
    part = torch.linalg.cholesky_ex(matrices[..., dx:, dx:]).L.diagonal(dim1=-2, dim2=-1)
    tiny = 1e-150
    difference = part.clamp_min(tiny).log().sum(-1) - whole[..., dx:].clamp_min(tiny).log().sum(-1)
    bounded: Tensor = difference.clamp(0.0, 500.0)
    return bounded


def shrunk(samples: Samples) -> dict[str, Tensor]:
    """Return the Gaussian MI in nats of (1 − λ) R + λ I for several λ, the last by oracle approximating
    shrinkage. Also this λ, and the MI without shrinkage minus its bias (`bias`), or the MI at the second λ
    without `many_points`.
    """
    n = samples.n
    chosen = _oracle_approximating(samples.correlation, n)[:, None]
    fixed = torch.tensor((RIDGE, *_SHRINKAGES), dtype=torch.float64).expand(len(samples), -1)
    levels = torch.cat([fixed, chosen], dim=1)[..., None, None]
    values = gaussian_mi(with_unit_diagonal((1 - levels) * samples.correlation[:, None]), samples.dx)
    many = many_points(n, samples.dimension)
    plain = values[:, :1] - bias(n, samples.dx, samples.dy) if many else values[:, 2:3]
    return {"shrunk": values[:, 1:], "oracle_shrinkage": chosen, "unbiased": plain}


def many_points(n: int, d: int) -> bool:
    """Whether a covariance of n points in d dimensions is informative without shrinkage: n > 1.5 d + 2."""
    return 2 * n > 3 * d + 4


def least_residual(n: int) -> float:
    """Return the minimum positive 1 − r²: a swap of two neighbours in the middle costs 13 / n³."""
    return max(1.0 / n**3, RIDGE)


def _oracle_approximating(correlation: Tensor, n: int) -> Tensor:
    """Return λ of Chen, Wiesel, Eldar, Hero (2010), equation 23, for matrices of trace d."""
    d = correlation.shape[-1]
    square = correlation.square().sum(dim=(-2, -1))
    numerator = (1 - 2 / d) * square + d**2
    denominator = (n + 1 - 2 / d) * (square - d)
    return (numerator / denominator.clamp_min(1e-12)).clamp(0.0, 1.0)


def spectra(samples: Samples) -> dict[str, Tensor]:
    """Return leading eigenvalues of the correlation matrices of all, of X and of Y, and spectral moments."""
    matrix, dx = samples.correlation, samples.dx
    blocks = (matrix, matrix[:, :dx, :dx], matrix[:, dx:, dx:])
    whole, x, y = (torch.linalg.eigvalsh(block).flip(-1).clamp_min(0.0) for block in blocks)
    effective = [values.sum(dim=1).square() / values.square().sum(dim=1) for values in (x, y)]
    return {
        "all": leading(whole, _LEADING).log1p(),
        "sides": both_sides(leading(x, 2).log1p(), leading(y, 2).log1p()),
        "effective": both_sides(effective[0].log(), effective[1].log()),
    }


def correlations(samples: Samples) -> dict[str, Tensor]:
    """Return quantiles of |r| across and within the blocks, and their mean square minus 1/n."""
    matrix, dx, n = samples.correlation, samples.dx, samples.n
    across = matrix[:, :dx, dx:].flatten(1)
    within = [_off_diagonal(matrix[:, :dx, :dx]), _off_diagonal(matrix[:, dx:, dx:])]
    return {
        "across": empirical_quantiles(across.abs(), _QUANTILES),
        "across_square": across.square().mean(dim=1, keepdim=True) - 1 / n,
        "within": both_sides(*(empirical_quantiles(part.abs(), _QUANTILES) for part in within)),
        "within_square": both_sides(*(part.square().mean(dim=1) - 1 / n for part in within)),
    }


def _off_diagonal(matrix: Tensor) -> Tensor:
    size = matrix.shape[-1]
    if size == 1:
        return matrix.new_zeros(len(matrix), 1)
    rows, columns = torch.triu_indices(size, size, 1)
    return matrix[:, rows, columns]


def canonical(samples: Samples) -> dict[str, Tensor]:
    """Return canonical correlations with ridges: the leading ones, and −½ Σ log(1 − ρ²) in nats."""
    kept = 1 - torch.tensor(_RIDGES, dtype=torch.float64)[:, None, None]
    rho = canonical_correlations(with_unit_diagonal(kept * samples.correlation[:, None]), samples.dx)
    figures = torch.cat([leading(rho, _LEADING), canonical_summary(rho, samples.n)], dim=-1)
    return {f"ridge_{ridge}": figures[:, row] for row, ridge in enumerate(_RIDGES)}


def canonical_correlations(matrices: Tensor, dx: int, most: float = _MOST) -> Tensor:
    """Return canonical correlations of positive definite matrices, the largest first, shape (…, min(dx, dy)).

    Args:
        matrices: shape (…, d, d), X first.
        dx: dimension of X.
        most: upper bound of the result.
    """
    x_factor = torch.linalg.cholesky_ex(matrices[..., :dx, :dx]).L
    y_factor = torch.linalg.cholesky_ex(matrices[..., dx:, dx:]).L
    half = torch.linalg.solve_triangular(x_factor, matrices[..., :dx, dx:], upper=False)
    whitened = torch.linalg.solve_triangular(y_factor, half.mT, upper=False)
    correlations: Tensor = torch.linalg.svdvals(whitened).clamp(0.0, most)
    return correlations


def canonical_summary(rho: Tensor, n: int) -> Tensor:
    """Return log(1 + Σ ρ²), −½ Σ log(1 − ρ²), the latter for n ρ² > 9, and log(1 + the number of these)."""
    square = rho.square()
    terms = -0.5 * torch.log1p(-square)
    clear = square * n > 9.0
    count = clear.sum(dim=-1).double()
    sums = [square.sum(dim=-1).log1p(), terms.sum(dim=-1), (terms * clear).sum(dim=-1), count.log1p()]
    return torch.stack(sums, dim=-1)


def matched(samples: Samples) -> dict[str, Tensor]:
    """Statistics of pairs of a coordinate of X and one of Y that correlate best with each other. They suit
    sparse dependence: for several thresholds t, −½ Σ log(1 − r²) in nats over the pairs with n r² > t log(dx
    dy) + t, log(1 + their number), and the mean of r² among them; and |r| of the first, second, fourth … of
    all such pairs.
    """
    square = samples.correlation[:, : samples.dx, samples.dx :].square()
    square = square.clamp(max=1 - least_residual(samples.n))
    pairs = (square * mutually_best(square)).flatten(1)
    terms = -0.5 * torch.log1p(-pairs)
    values = []
    for threshold in _THRESHOLDS:
        chosen = pairs * samples.n > threshold * (1 + math.log(pairs.shape[1]))
        count = chosen.sum(dim=1).double()
        mean = (pairs * chosen).sum(dim=1) / count.clamp_min(1.0)
        values += [(terms * chosen).sum(dim=1), count.log1p(), mean]
    greatest = pairs.topk(min(max(_RANKS), pairs.shape[1])).values
    ordered = leading(greatest, max(_RANKS))[:, [rank - 1 for rank in _RANKS]]
    # The slope of the square root is infinite at 0.
    return {"pairs": torch.stack(values, dim=1), "ordered": ordered.clamp_min(1e-12).sqrt()}


def mutually_best(strength: Tensor) -> Tensor:
    """Return a mask of the entries that are maximal in row and column, with ties, shape (B, dx, dy)."""
    # With few points, many correlations are equal up to rounding.
    least = strength - 1e-9 * strength.abs() - 1e-12
    return (strength >= least.amax(dim=1, keepdim=True)) & (strength >= least.amax(dim=2, keepdim=True))


def thresholded(samples: Samples) -> dict[str, Tensor]:
    """Return the Gaussian MI after soft thresholding of the correlations, for samples of few points."""
    matrix = samples.correlation[:, None]
    cuts = torch.tensor(_THRESHOLDS, dtype=torch.float64)[:, None, None] / math.sqrt(samples.n)
    soft = with_unit_diagonal(torch.sign(matrix) * (matrix.abs() - cuts).clamp_min(0.0))
    least = torch.linalg.eigvalsh(soft)[..., 0]
    # The result of thresholding may not be positive definite: shrink it until it is.
    needed = ((0.02 - least) / (1 - least).clamp_min(1e-6)).clamp(0.0, 1.0)
    return {"mi": gaussian_mi(with_unit_diagonal((1 - needed[..., None, None]) * soft), samples.dx)}


def factor_models(samples: Samples) -> dict[str, Tensor]:
    """Return the Gaussian MI of factor models with 1, 2 and 4 factors: leading eigenpairs and a diagonal."""
    n, d = samples.n, samples.dimension
    values, vectors = torch.linalg.eigh(samples.correlation)
    models = []
    for factors in _FACTORS:
        count = min(factors, d - 1)
        noise = values[:, : d - count].clamp_min(0.0).mean(dim=1, keepdim=True)
        # What sampling adds to a leading eigenvalue ℓ of noise σ² (Baik, Silverstein 2006), to first order.
        gain = (values[:, d - count :] - noise * (1 + d / n)).clamp_min(0.0)
        loadings = vectors[..., d - count :] * gain.sqrt()[:, None]
        communality = loadings.square().sum(dim=2, keepdim=True)
        loadings = loadings * (0.97 / communality.clamp_min(0.97)).sqrt()
        models.append(with_unit_diagonal(loadings @ loadings.mT))
    return {"mi": gaussian_mi(torch.stack(models, dim=1), samples.dx)}


__all__ = [
    "RIDGE",
    "both_sides",
    "canonical",
    "canonical_correlations",
    "canonical_summary",
    "correlations",
    "factor_models",
    "gaussian_mi",
    "least_residual",
    "many_points",
    "matched",
    "mutually_best",
    "shrunk",
    "spectra",
    "thresholded",
]
