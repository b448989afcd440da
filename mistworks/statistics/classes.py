"""MI between a side of classes and a block of columns, by how well the block predicts the class.

For a side of K states, 2 ≤ K ≤ 256 and K ≤ n/4, and the normal scores z of the other side, in nats:

- K ≤ 32: linear discriminant analysis (Fisher 1936) as a lower bound, H(C) + mean log p(cᵢ | zᵢ). Classes are
  normal with means μ_c and the pooled scatter S = (1 − λ) Σ u uᵀ + λ tr/d I, u = z − μ_c,
  λ = min(½, max(10⁻³, d/2m)). Each point is left out by Sherman and Morrison's formula: with
  q_ab = (z − μ_a)ᵀ S⁻¹ (z − μ_b), r = (1 − λ) n_c/(n_c − 1) and own class c,
  D_k = q_kk + r q_kc² / (1 − r q_cc), D_c = (n_c/(n_c − 1))² q_cc / (1 − r q_cc);
  log p ∝ log π_k − ½ t (m − K − 1) D_k, π by counts plus ½, with the t in {1, .7, .45, .25, .1} of the
  greatest mean, since S⁻¹ of many columns is too large. A point alone in its class has p = 1/m.
- nearest neighbours (Ross, "Mutual information between discrete and continuous data sets", PLoS ONE 2014):
  ψ(m) + ⟨ψ(k)⟩ − ⟨ψ(n_c)⟩ − ⟨ψ(j)⟩, k = min(3, n_c − 1), j the points, the own one too, that are nearer (by
  the maximum norm) than the k-th neighbour of the own class. At most 512 points ask, without those alone.

m ≤ 4,096 points are used, see `Samples.order`. Both are kept within 0 and H(C), which is by Miller and Madow.
"""

import math

import torch
from scipy.special import psi
from torch import Tensor

from mistworks.statistics.discrete import entropies, states
from mistworks.statistics.gaussian import both_sides
from mistworks.statistics.neighbours import TOLERANCE, digamma, smallest
from mistworks.statistics.sample import SUBSET, Samples

_MOST_CLASSES = 32
_MOST_STATES = 256
_MOST_POINTS = 4096
_NEIGHBOURS = 3
_TEMPERATURES = (1.0, 0.7, 0.45, 0.25, 0.1)


def classes(samples: Samples) -> dict[str, Tensor]:
    """Estimate the MI in nats between classes and a block of columns; zeros if no side is in classes.

    Returns:
        ``mi``: by discriminant analysis, and by neighbours, for X and for Y as the classes, the larger first.
            ``entropy``: of the classes. ``flag``: 1 if a side has few enough classes for discriminant
            analysis; 1 if it is in classes.
    """
    sides = (slice(0, samples.dx), slice(samples.dx, None))
    figures = [
        [_one_side(samples, row, *order) for row in range(len(samples))] for order in (sides, sides[::-1])
    ]
    of_x, of_y = (torch.stack(rows) for rows in figures)
    table = both_sides(of_x, of_y)
    x_first, y_first = table.chunk(2, dim=1)
    by_name = torch.stack([x_first, y_first], dim=2)
    return {
        "mi": by_name[:, :2].flatten(1),
        "entropy": by_name[:, 2],
        "flag": by_name[:, 3:].amax(dim=2),
    }


def _one_side(samples: Samples, row: int, of_classes: slice, of_block: slice) -> Tensor:
    """Return the MI by both, the entropy of the classes, and the two flags, shape (5,)."""
    codes, counts = states(samples.exact_ranks[row, :, of_classes].T.numpy())
    if not 2 <= len(counts) <= min(_MOST_STATES, samples.n / 4):
        return torch.zeros(5, dtype=torch.float64)
    chosen = samples.order[row, :_MOST_POINTS]
    labels = torch.from_numpy(codes)[chosen]
    scores = samples.scores[row, :, of_block][chosen]
    entropy = float(entropies(counts)[1])
    few = len(counts) <= _MOST_CLASSES
    linear = discriminant(scores, labels, len(counts), entropy) if few else scores.new_zeros(())
    exact = samples.exactly.scores[row, :, of_block][chosen]
    near = nearest(exact, labels).clamp(0.0, entropy)
    return torch.stack([linear, near, *torch.tensor([entropy, float(few), 1.0], dtype=torch.float64)])


def discriminant(scores: Tensor, labels: Tensor, classes: int, entropy: float) -> Tensor:
    """Return H(C) + mean log p(c | z) within [0, H(C)], with each point left out, shape ().

    Args:
        scores: shape (m, d), float64.
        labels: classes 0, …, K − 1, shape (m,); some may be missing.
        classes: K.
        entropy: H(C) in nats.
    """
    m, d = scores.shape
    one_hot = torch.nn.functional.one_hot(labels, classes).double()
    counts = one_hot.sum(dim=0)
    means = (one_hot.T @ scores) / counts.clamp_min(1.0)[:, None]
    within = scores - means[labels]
    shrinkage = min(0.5, max(1e-3, 0.5 * d / m))
    scatter = (1 - shrinkage) * (within.T @ within)
    ridge = shrinkage * within.square().sum() / d + 1e-9 * m
    factor = torch.linalg.cholesky_ex(scatter + ridge * torch.eye(d, dtype=torch.float64)).L
    white = torch.linalg.solve_triangular(factor, scores.T, upper=False).T
    centres = torch.linalg.solve_triangular(factor, means.T, upper=False).T
    own = white - centres[labels]
    others = white[:, None] - centres
    own_count = counts[labels]
    gain = own_count / (own_count - 1).clamp_min(1.0)
    lost = (1 - shrinkage) * gain
    rest = (1 - lost * own.square().sum(dim=1)).clamp_min(1e-9)
    products = (others * own[:, None]).sum(dim=2)
    squares = others.square().sum(dim=2) + (lost / rest)[:, None] * products.square()
    own_square = gain.square() * own.square().sum(dim=1) / rest
    squares = torch.where(one_hot.bool(), own_square[:, None], squares)
    priors = ((counts - one_hot + 0.5) / (m - 1 + 0.5 * classes)).log()
    priors = torch.where(counts > 0, priors, -math.inf)
    alone = own_count < 2
    options = []
    for temperature in _TEMPERATURES:
        logits = priors - 0.5 * temperature * max(m - classes - 1, 1) * squares
        log_p = torch.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0].clamp_min(-math.log(m))
        options.append(torch.where(alone, -math.log(m), log_p).mean())
    mi: Tensor = (torch.stack(options).max() + entropy).clamp(0.0, entropy)
    return mi


def nearest(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the estimate of Ross in nats, shape ().

    Args:
        scores: shape (m, d), float64.
        labels: classes, shape (m,).
    """
    counts = labels.bincount()
    kept = counts[labels] > 1
    queries = kept[:SUBSET].nonzero()[:, 0]
    if not len(queries):
        return scores.new_zeros(())
    scores, asking, of_asking = scores.float(), scores[queries].float(), labels[queries]
    scores, labels = scores[kept].contiguous(), labels[kept]
    own_count = counts[of_asking]
    neighbours = (own_count - 1).clamp_max(_NEIGHBOURS)
    terms = []
    for rows in torch.split(torch.arange(len(queries)), 64):
        distances = torch.cdist(asking[rows], scores, p=math.inf)
        of_class = torch.where(of_asking[rows, None] == labels, distances, math.inf)
        near = smallest(of_class, min(_NEIGHBOURS + 1, len(scores)))
        radius = near.gather(1, neighbours[rows, None])
        inside = (distances <= radius * (1 - TOLERANCE)).sum(dim=1)
        terms.append(digamma(inside.clamp_min(1)))
    own = torch.special.digamma(neighbours.double()) - torch.special.digamma(own_count.double())
    mean: Tensor = (own - torch.cat(terms)).mean()
    return mean + float(psi(len(scores)))


__all__ = ["classes", "discriminant", "nearest"]
