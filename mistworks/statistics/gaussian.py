"""What the correlation matrix of the normal scores says: Gaussian MI under many kinds of regularisation."""

import math

import numpy as np
import torch
from scipy.special import psi
from torch import Tensor

from mistworks.statistics.sample import Sample, with_unit_diagonal

_SHRINKAGES = (0.003, 0.01, 0.03, 0.08, 0.16, 0.3, 0.45, 0.6, 0.8)
_RIDGES = (0.02, 0.15, 0.5)
_THRESHOLDS = (1.0, 2.0, 3.0)
_FACTORS = (1, 2, 4)
_LEADING = 5
_RANKS = (1, 2, 4, 8, 16)
_QUANTILES = (0.5, 0.8, 0.95, 1.0)
_MOST = 1 - 1e-6


def both_sides(of_x: Tensor, of_y: Tensor) -> Tensor:
    """A figure of X and one of Y in an order that a swap leaves as it is: the greater first."""
    return torch.stack([torch.maximum(of_x, of_y), torch.minimum(of_x, of_y)])


def gaussian_mi(matrices: Tensor, dx: int) -> Tensor:
    """½ (log det Σ_xx + log det Σ_yy − log det Σ) of each positive definite matrix, in nats.

    Args:
        matrices: shape (K, d, d), X first.
        dx: dimension of X.

    Returns:
        Shape (K,).
    """
    whole = torch.linalg.cholesky_ex(matrices).L.diagonal(dim1=-2, dim2=-1)
    part = torch.linalg.cholesky_ex(matrices[:, dx:, dx:]).L.diagonal(dim1=-2, dim2=-1)
    tiny = 1e-150
    difference = part.clamp_min(tiny).log().sum(-1) - whole[:, dx:].clamp_min(tiny).log().sum(-1)
    bounded: Tensor = difference.clamp(0.0, 500.0)
    return bounded


def shrunk(sample: Sample) -> dict[str, Tensor]:
    """Gaussian MI in nats of (1 − λ) R + λ I for several λ, the last by oracle approximating shrinkage.

    Then that λ, and the MI at the least λ less the bias of an unshrunk one (`bias`), or where n ≤ d + 1 the
    MI at the next λ.
    """
    n, d = sample.n, sample.dimension
    chosen = _oracle_approximating(sample.correlation, n)
    levels = torch.cat([torch.tensor(_SHRINKAGES, dtype=torch.float64), chosen[None]])
    matrices = with_unit_diagonal((1 - levels[:, None, None]) * sample.correlation)
    values = gaussian_mi(matrices, sample.dx)
    plain = values[0] - bias(n, sample.dx, sample.dy) if n > d + 1 else values[1]
    return {"shrunk": values, "oracle_shrinkage": chosen[None], "unbiased": plain[None]}


def _oracle_approximating(correlation: Tensor, n: int) -> Tensor:
    """λ of Chen, Wiesel, Eldar, Hero (2010), equation 23, for a matrix of trace d."""
    d = len(correlation)
    square = correlation.square().sum()
    numerator = (1 - 2 / d) * square + d**2
    denominator = (n + 1 - 2 / d) * (square - d)
    return (numerator / denominator.clamp_min(1e-12)).clamp(0.0, 1.0)


def bias(n: int, dx: int, dy: int) -> float:
    """Expected Gaussian MI in nats of the sample covariance of n independent normals, for n > dx + dy."""
    j = np.arange(1, dy + 1)
    return float(0.5 * (psi((n - j) / 2) - psi((n - dx - j) / 2)).sum())


def spectra(sample: Sample) -> dict[str, Tensor]:
    """Leading eigenvalues of the correlation matrices of all, of X and of Y, and moments of their spectra."""
    matrix, dx = sample.correlation, sample.dx
    found = {"all": _leading(torch.linalg.eigvalsh(matrix).flip(0), _LEADING).log1p()}
    x_values = torch.linalg.eigvalsh(matrix[:dx, :dx]).flip(0)
    y_values = torch.linalg.eigvalsh(matrix[dx:, dx:]).flip(0)
    found["sides"] = both_sides(_leading(x_values, 2).log1p(), _leading(y_values, 2).log1p()).flatten()
    found["effective"] = both_sides(
        (x_values.sum().square() / x_values.square().sum()).log(),
        (y_values.sum().square() / y_values.square().sum()).log(),
    )
    return found


def _leading(values: Tensor, count: int) -> Tensor:
    padded = torch.cat([values[:count], values.new_zeros(count)])[:count]
    return padded.clamp_min(0.0)


def correlations(sample: Sample) -> dict[str, Tensor]:
    """Quantiles of |r| across and within the blocks, and their mean square less 1/n."""
    matrix, dx, n = sample.correlation, sample.dx, sample.n
    levels = torch.tensor(_QUANTILES, dtype=torch.float64)
    across = matrix[:dx, dx:].flatten()
    within = [_off_diagonal(matrix[:dx, :dx]), _off_diagonal(matrix[dx:, dx:])]
    return {
        "across": torch.quantile(across.abs(), levels),
        "across_square": (across.square().mean() - 1 / n)[None],
        "within": both_sides(*(torch.quantile(part.abs(), levels) for part in within)).flatten(),
        "within_square": both_sides(*(part.square().mean() - 1 / n for part in within)),
    }


def _off_diagonal(matrix: Tensor) -> Tensor:
    size = len(matrix)
    if size == 1:
        return matrix.new_zeros(1)
    rows, columns = torch.triu_indices(size, size, 1)
    return matrix[rows, columns]


def canonical(sample: Sample) -> dict[str, Tensor]:
    """Canonical correlations with ridges: the leading ones, and −½ Σ log(1 − ρ²) in nats."""
    found = {}
    for ridge in _RIDGES:
        matrix = with_unit_diagonal((1 - ridge) * sample.correlation)
        rho = canonical_correlations(matrix, sample.dx)
        found[f"ridge_{ridge}"] = torch.cat([_leading(rho, _LEADING), canonical_summary(rho, sample.n)])
    return found


def canonical_correlations(matrix: Tensor, dx: int) -> Tensor:
    """Canonical correlations of a positive definite matrix, the greatest first, shape (min(dx, dy),)."""
    x_factor = torch.linalg.cholesky_ex(matrix[:dx, :dx]).L
    y_factor = torch.linalg.cholesky_ex(matrix[dx:, dx:]).L
    half = torch.linalg.solve_triangular(x_factor, matrix[:dx, dx:], upper=False)
    whitened = torch.linalg.solve_triangular(y_factor, half.T, upper=False)
    found: Tensor = torch.linalg.svdvals(whitened).clamp(0.0, _MOST)
    return found


def canonical_summary(rho: Tensor, n: int) -> Tensor:
    """log(1 + Σ ρ²), −½ Σ log(1 − ρ²), the latter over those with n ρ² > 9, and log(1 + their number)."""
    square = rho.square()
    terms = -0.5 * torch.log1p(-square)
    clear = square * n > 9.0
    return torch.stack(
        [square.sum().log1p(), terms.sum(), (terms * clear).sum(), clear.sum().double().log1p()]
    )


def matched(sample: Sample) -> dict[str, Tensor]:
    """Pairs of a coordinate of X and one of Y that correlate best with each other.

    What the families of sparse dependence have: for several thresholds t, −½ Σ log(1 − r²) in nats over the
    pairs with n r² > t log(dx dy) + t, log(1 + their number), and the mean of r² among them; and |r| of the
    first, second, fourth … of all such pairs.
    """
    square = sample.correlation[: sample.dx, sample.dx :].square().clamp(max=_MOST)
    pairs = square[mutually_best(square)]
    values = []
    for threshold in _THRESHOLDS:
        chosen = pairs * sample.n > threshold * (1 + math.log(square.numel()))
        count = chosen.sum().double()
        terms = -0.5 * torch.log1p(-pairs)
        mean = (pairs * chosen).sum() / count.clamp_min(1.0)
        values += [(terms * chosen).sum(), count.log1p(), mean]
    ordered = torch.cat([pairs.sort(descending=True).values, pairs.new_zeros(max(_RANKS))])
    return {"pairs": torch.stack(values), "ordered": ordered[[rank - 1 for rank in _RANKS]].sqrt()}


def mutually_best(strength: Tensor) -> Tensor:
    """Where an entry is the greatest of its row and of its column, ties included, shape (dx, dy)."""
    # Of few points many correlations are equal, but for rounding.
    least = strength - 1e-9 * strength.abs() - 1e-12
    return (strength >= least.amax(dim=0)) & (strength >= least.amax(dim=1, keepdim=True))


def thresholded(sample: Sample) -> dict[str, Tensor]:
    """Gaussian MI after soft thresholding of the correlations, for samples with fewer points than needed."""
    matrix, n = sample.correlation, sample.n
    rows = []
    for threshold in _THRESHOLDS:
        cut = threshold / math.sqrt(n)
        soft = torch.sign(matrix) * (matrix.abs() - cut).clamp_min(0.0)
        rows.append(with_unit_diagonal(soft))
    stacked = torch.stack(rows)
    least = torch.linalg.eigvalsh(stacked)[:, 0]
    # Thresholding may leave a matrix that is not positive definite: shrink it until it is.
    needed = ((0.02 - least) / (1 - least).clamp_min(1e-6)).clamp(0.0, 1.0)
    return {"mi": gaussian_mi(with_unit_diagonal((1 - needed[:, None, None]) * stacked), sample.dx)}


def factor_models(sample: Sample) -> dict[str, Tensor]:
    """Gaussian MI of factor models with 1, 2 and 4 factors: leading eigenpairs and a full diagonal."""
    matrix, n, d = sample.correlation, sample.n, sample.dimension
    values, vectors = torch.linalg.eigh(matrix)
    rows = []
    for factors in _FACTORS:
        count = min(factors, d - 1)
        noise = values[: d - count].clamp_min(0.0).mean()
        # What sampling adds to a leading eigenvalue ℓ of noise σ² (Baik, Silverstein 2006), to first order.
        gain = (values[d - count :] - noise * (1 + d / n)).clamp_min(0.0)
        loadings = vectors[:, d - count :] * gain.sqrt()
        communality = loadings.square().sum(dim=1, keepdim=True)
        loadings = loadings * (0.97 / communality.clamp_min(0.97)).sqrt()
        rows.append(with_unit_diagonal(loadings @ loadings.T))
    return {"mi": gaussian_mi(torch.stack(rows), sample.dx)}
