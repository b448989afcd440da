"""Representation learning: both halves of a digit to three numbers each that tell much of each other.

Options: --seeds 5 --steps 300 --device cuda.
"""

# --8<-- [start:data]
import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

import mistworks

CODE, BATCH, TRAINED_ON = 3, 128, 1000


def halves() -> tuple[Tensor, Tensor, NDArray[np.int64]]:
    """The left and the right half of every image, shape (1797, 32) each, and the digits."""
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    pixels = torch.from_numpy((images[order] / 16).astype(np.float32)).reshape(-1, 8, 8)
    return pixels[:, :, :4].flatten(1), pixels[:, :, 4:].flatten(1), digits[order]


def encoder() -> nn.Module:
    """A perceptron from 32 pixels to three numbers."""
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, CODE))


# --8<-- [end:data]


# --8<-- [start:losses]
def estimated(a: Tensor, b: Tensor) -> Tensor:
    """The negative estimate of I(A;B) in nats."""
    return -mistworks.shipped().differentiable(a.double(), b.double())


def info_nce(a: Tensor, b: Tensor, temperature: float = 0.1) -> Tensor:
    """InfoNCE with the cosine as critic: at most min(log m, 2 / temperature) nats are gained."""
    scores = normalize(a) @ normalize(b).mT / temperature
    own = torch.arange(len(a), device=a.device)
    return (cross_entropy(scores, own) + cross_entropy(scores.mT, own)) / 2


def inner_nce(a: Tensor, b: Tensor) -> Tensor:
    """InfoNCE with the inner product as critic."""
    return cross_entropy(a @ b.mT, torch.arange(len(a), device=a.device))


def cauchy_schwarz(a: Tensor, b: Tensor) -> Tensor:
    """Negative CS-QMI, −(log A + log B − 2 log C) of means of kernels over distinct points."""
    n = len(a)
    k, l = kernel(a), kernel(b)  # noqa: E741
    both, cross = (k * l).sum(), (k.sum(dim=0) * l.sum(dim=0)).sum()
    joint = both / math.perm(n, 2)
    mixed = (cross - both) / math.perm(n, 3)
    product = (k.sum() * l.sum() - 4 * cross + 2 * both) / math.perm(n, 4)
    return -(joint.log() + product.log() - 2 * mixed.log())


def kernel(code: Tensor) -> Tensor:
    """A Gaussian kernel of standardised columns, as wide as their median distance, without its diagonal."""
    squares = torch.cdist(*[(code - code.mean(dim=0)) / code.std(dim=0)] * 2).square()
    apart = ~torch.eye(len(code), dtype=torch.bool, device=code.device)
    return torch.exp(-squares / (2 * squares[apart].detach().median())) * apart


# --8<-- [end:losses]


# --8<-- [start:training]
Loss = Callable[[Tensor, Tensor], Tensor]


def steepness(left: nn.Module, right: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """How far the critic is from slopes of at most 1, between pairs and pairs of others (Ozair et al. 2019).

    With this penalty on its critic, InfoNCE is Wasserstein predictive coding.
    """
    share = torch.rand(len(y), 1, device=y.device)
    between = share * y + (1 - share) * y.roll(1, dims=0)
    points = x.clone().requires_grad_(), between.requires_grad_()
    critic = (left(points[0]) * right(points[1])).sum()
    slopes = torch.cat(torch.autograd.grad(critic, points, create_graph=True), dim=1).norm(dim=1)
    return (slopes - 1).relu().square().mean()


def learned(
    x: Tensor, y: Tensor, loss: Loss, steps: int, seed: int, penalty: float = 0.0, rate: float = 3e-3
) -> tuple[Tensor, Tensor]:
    """Train an encoder for each half, in batches; the codes of all images, shape (1797, 3) each."""
    torch.manual_seed(seed)
    left, right = encoder().to(x.device), encoder().to(x.device)
    optimiser = torch.optim.Adam([*left.parameters(), *right.parameters()], lr=rate)
    for _ in range(steps):
        rows = torch.randperm(TRAINED_ON)[:BATCH].to(x.device)
        value = loss(left(x[rows]), right(y[rows]))
        if penalty:
            value = value + penalty * steepness(left, right, x[rows], y[rows])
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    with torch.no_grad():
        return left(x).cpu(), right(y).cpu()


# --8<-- [end:training]

# --8<-- [start:probes]
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Probe(NamedTuple):
    """What two codes are good for, on images held out.

    Attributes:
        linear: share of digits that logistic regression gets right.
        neighbours: that of the five nearest neighbours.
        information: the estimate of I(A;B) in nats.
        dimensions: how many of the three columns of A are different, (Σλ)² / Σλ² of its correlations.
    """

    linear: float
    neighbours: float
    information: float
    dimensions: float


def probed(a: Tensor, b: Tensor, digits: NDArray[np.int64]) -> Probe:
    """Fit the probes to both codes of the images trained on."""
    codes = torch.cat([a, b], dim=1).numpy()
    seen, held_out = slice(None, TRAINED_ON), slice(TRAINED_ON, None)
    accuracies = []
    for probe in (LogisticRegression(max_iter=2000), KNeighborsClassifier(5)):
        fitted = make_pipeline(StandardScaler(), probe).fit(codes[seen], digits[seen])
        accuracies.append(fitted.score(codes[held_out], digits[held_out]))
    spectrum = torch.linalg.eigvalsh(torch.corrcoef(a[held_out].mT))
    return Probe(
        accuracies[0],
        accuracies[1],
        mistworks.estimate(a[held_out], b[held_out]).mi,
        float(spectrum.sum().square() / spectrum.square().sum()),
    )


def components(half: Tensor) -> Tensor:
    """The first three principal components."""
    pca = PCA(CODE).fit(half[:TRAINED_ON].numpy())
    return torch.from_numpy(pca.transform(half.numpy()))


# --8<-- [end:probes]

import matplotlib.pyplot as plt

from mistworks.plots.style import BLUE, FAINT, INK, SMALL, VERMILION, new_axes


def draw(table: dict[str, list[Probe]]) -> None:
    """Accuracies by method, a mark per seed, and what the codes tell of each other at the right."""
    figure, axes = plt.subplots(figsize=(7.4, 3.2), layout="constrained")
    new_axes(axes).grid(axis="x", color=FAINT, linewidth=0.6)
    for place, rows in enumerate(table.values()):
        linear, neighbours, information, _ = np.transpose(rows)
        for values, colour, mark, shift in ((linear, BLUE, "o", -0.14), (neighbours, VERMILION, "D", 0.14)):
            axes.plot(values, np.full(len(values), place + shift), mark, color=colour, markersize=5)
        axes.text(1.02, place, f"{information.mean():.2f}", fontsize=SMALL, va="center", color=INK)
    axes.text(1.02, -0.8, "I(A;B), nats", fontsize=SMALL, color=INK)
    axes.set_yticks(range(len(table)), list(table))
    axes.set(xlabel="share of digits right, images held out", xlim=(0, 1), ylim=(len(table) - 0.5, -0.6))
    axes.plot([], [], "o", color=BLUE, label="linear probe")
    axes.plot([], [], "D", color=VERMILION, label="nearest neighbours")
    axes.legend(frameon=False, fontsize=SMALL, loc="upper left")
    figure.savefig("learning_halves.svg")


def main() -> None:
    """Learn by each loss from several seeds, probe, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60, help="of our estimate; five times as many of others")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the networks are small

    left, right, digits = halves()
    x, y = left.to(options.device), right.to(options.device)
    few, many, seeds = options.steps, 5 * options.steps, range(options.seeds)
    table = {
        "untrained": [probed(*learned(x, y, info_nce, 0, seed), digits) for seed in seeds],
        "estimate": [probed(*learned(x, y, estimated, few, seed, rate=0.01), digits) for seed in seeds],
        "InfoNCE": [probed(*learned(x, y, info_nce, many, seed), digits) for seed in seeds],
        "Wasserstein": [probed(*learned(x, y, inner_nce, many, seed, penalty=10), digits) for seed in seeds],
        "CS-QMI": [probed(*learned(x, y, cauchy_schwarz, many, seed), digits) for seed in seeds],
        "PCA": [probed(components(left), components(right), digits)],
    }
    print("             linear [range]        neighbours [range]    I(A;B)  dimensions")
    for name, rows in table.items():
        means = np.mean(rows, axis=0)
        low, high = np.min(rows, axis=0), np.max(rows, axis=0)
        shown = "    ".join(f"{means[at]:.2f} [{low[at]:.2f}, {high[at]:.2f}]" for at in (0, 1))
        print(f"{name:12} {shown}    {means[2]:6.2f}  {means[3]:10.1f}")
    draw(table)


if __name__ == "__main__":
    main()
