"""Gaussian MI that rotations by an angle growing with the norm hide from correlations."""

from itertools import product

import torch
from torch import Tensor

from mistworks.statistics.bias import bias
from mistworks.statistics.gaussian import both_sides, gaussian_mi
from mistworks.statistics.sample import POINTS, Samples, with_unit_diagonal

SPEEDS = (0.0, 0.3, 0.6, 0.9)
"""Radians of a rotation per standard deviation of the squared norm."""

_MOST_COORDINATES = 4
# Six features per coordinate pair at most, so that their Gaussian MI has 2.7 points for each.
_POINTS_PER_COORDINATE = 16
_LEAST_POINTS = 8
_RIDGE = 1e-9
# Ties between coordinates are broken by the correlation with all others.
_SECOND = 1e-6


def rotated(samples: Samples) -> dict[str, Tensor]:
    """Bias-corrected Gaussian MI in nats between [x, x cos(ar), x sin(ar)] and [y, y cos(bs), y sin(bs)].

    x and y are normal scores, r and s the standardised ‖x‖² and ‖y‖². The features span the image of x
    under every rotation, in any plane, whose angle is a r + constant, so that their Gaussian MI finds what a
    spiral hides ("Beyond Normal", Czyż et al., NeurIPS 2023, section 4). At a = 0 the features are x alone.
    Of more than four coordinates a side, or fewer where points are few, those are kept that correlate most;
    see `_kept`. At most `POINTS` points are used.

    Returns:
        ``best``: the greatest over a, b in `SPEEDS`; ``plain``: at a = b = 0; ``gain``: their difference;
        ``sides``: the greatest at b = 0 and at a = 0, the greater first; ``equal``: at a = b > 0;
        ``unequal``: means of (a, b) and (b, a) for 0 < a < b. All 0 for n < 8.
    """
    grid = _grid(samples)
    plain, of_x, of_y = grid[:, :1, 0], grid[:, :, 0].amax(dim=1), grid[:, 0].amax(dim=1)
    best = grid.flatten(1).amax(dim=1, keepdim=True)
    rows, columns = torch.triu_indices(len(SPEEDS) - 1, len(SPEEDS) - 1, 1) + 1
    both = (grid + grid.mT) / 2
    return {
        "best": best,
        "plain": plain,
        "gain": best - plain,
        "sides": both_sides(of_x, of_y),
        "equal": grid.diagonal(dim1=1, dim2=2)[:, 1:],
        "unequal": both[:, rows, columns],
    }


def _grid(samples: Samples) -> Tensor:
    """Return the MI at each pair of speeds, shape (B, speeds of X, speeds of Y)."""
    if samples.n < _LEAST_POINTS:
        return torch.zeros(len(samples), len(SPEEDS), len(SPEEDS), dtype=torch.float64)
    points = samples.subset(POINTS)
    m = points.shape[1]
    sides = points[..., : samples.dx], points[..., samples.dx :]
    norms = [_standardised(side.square().sum(dim=2, keepdim=True)) for side in sides]
    kept = _kept(sides, norms, max(1, min(_MOST_COORDINATES, m // _POINTS_PER_COORDINATE)))
    features = [
        [_standardised(_turned(side, norm, speed)) for speed in SPEEDS]
        for side, norm in zip(kept, norms, strict=True)
    ]
    values = []
    for of_x, of_y in product(*features):
        both = torch.cat([of_x, of_y], dim=2)
        matrices = with_unit_diagonal((1 - _RIDGE) * both.mT @ both / m)
        values.append(gaussian_mi(matrices, of_x.shape[2]) - bias(m, of_x.shape[2], of_y.shape[2]))
    return torch.stack(values, dim=1).reshape(-1, len(SPEEDS), len(SPEEDS))


def _turned(side: Tensor, norm: Tensor, speed: float) -> Tensor:
    if speed == 0.0:
        return side
    angle = speed * norm
    return torch.cat([side, side * angle.cos(), side * angle.sin()], dim=2)


def _kept(sides: tuple[Tensor, Tensor], norms: list[Tensor], most: int) -> list[Tensor]:
    """Return the coordinates of each side with the largest |correlation| of {xᵢ, r xᵢ} with {yⱼ, s yⱼ}."""
    x, y = (
        _standardised(torch.cat([side, norm * side], dim=2)) for side, norm in zip(sides, norms, strict=True)
    )
    dx, dy = (side.shape[2] for side in sides)
    across = (x.mT @ y / x.shape[1]).abs().reshape(-1, 2, dx, 2, dy).amax(dim=(1, 3))
    kept = []
    for side, strength in zip(sides, (across, across.mT), strict=True):
        rank = strength.amax(dim=2) + _SECOND * strength.square().mean(dim=2)
        chosen = rank.topk(min(most, side.shape[2])).indices
        kept.append(side.gather(2, chosen[:, None].expand(-1, side.shape[1], -1)))
    return kept


def _standardised(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=1, keepdim=True)
    return centred * centred.square().mean(dim=1, keepdim=True).clamp_min(1e-12).rsqrt()


__all__ = ["SPEEDS", "rotated"]
