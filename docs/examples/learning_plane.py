"""The information plane of a small network, with a truth: what a noisy layer tells of image and class.

Options: --epochs 1024 --noise 0.3.
"""

# --8<-- [start:network]
import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
TRAINED_ON = 1000


class Digits(nn.Module):
    """64–32–8–10. The layer of eight units is noisy, in training as well: T = f(X) + σε.

    σ is a share of the standard deviation of the layer, so that no scale of the weights escapes it.
    """

    def __init__(self, activation: type[nn.Module], noise: float) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(64, 32), activation(), nn.Linear(32, 8), activation())
        self.classes = nn.Linear(8, 10)
        self.noise = noise

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (n, 10)."""
        layer = self.layer(images)
        scale = self.noise * layer.detach().std()
        return self.classes(layer + scale * torch.randn_like(layer))


class Epoch(NamedTuple):
    """What the network does after some epochs.

    Attributes:
        number: how many epochs.
        layer: f(X) for the images held out, shape (797, 8).
        gap: the loss on them less that in training, each the mean over 20 draws of the noise.
    """

    number: int
    layer: Array
    gap: float


def trained(activation: type[nn.Module], noise: float, epochs: int) -> Iterator[Epoch]:
    """Train for some epochs; yield what is seen after 0, 1, 2, 4, …"""
    torch.manual_seed(0)
    network = Digits(activation, noise)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    images, digits = (torch.from_numpy(part) for part in pool())
    for epoch in range(epochs + 1):
        if epoch & (epoch - 1) == 0:
            with torch.no_grad():
                draws = [cross_entropy(network(images), digits, reduction="none") for _ in range(20)]
                loss = torch.stack(draws).mean(dim=0)
                layer = network.layer(images[TRAINED_ON:]).double().numpy()
            yield Epoch(epoch, layer, float(loss[TRAINED_ON:].mean() - loss[:TRAINED_ON].mean()))
        for batch in torch.randperm(TRAINED_ON).split(50):
            optimiser.zero_grad()
            cross_entropy(network(images[batch]), digits[batch]).backward()
            optimiser.step()


def pool() -> tuple[NDArray[np.float32], Labels]:
    """All images, the first 1,000 of which are trained on, and their digits."""
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    return (images[order] / 16).astype(np.float32), digits[order]


# --8<-- [end:network]

# --8<-- [start:truth]
from scipy.spatial.distance import cdist

from mistworks.channel import channel_information


class Truth(NamedTuple):
    """In nats: I(X;T) over the pool, its upper bound for images beyond it, and I(X;T|Y) over the pool."""

    about_input: float
    about_input_at_most: float
    given_class: float

    @property
    def about_class(self) -> float:
        """I(T;Y), since the image determines its digit."""
        return self.about_input - self.given_class


def truth(layer: Array, digits: Labels, noise: float, rng: np.random.Generator, draws: int = 3) -> Truth:
    """What T = layer + noise ε tells of an image drawn from the pool: its density log p(t|x) is known."""
    drawn_from = np.tile(np.arange(len(layer)), draws)
    seen = layer[drawn_from] + noise * rng.standard_normal((len(drawn_from), layer.shape[1]))
    logs = -cdist(layer, seen, "sqeuclidean") / (2 * noise**2)  # up to a constant
    bounds = channel_information(logs, contexts=drawn_from)
    within = channel_information(logs, contexts=drawn_from, groups=digits)
    assert bounds.upper is not None
    return Truth(bounds.lower, bounds.upper, within.lower)


# --8<-- [end:truth]

# --8<-- [start:estimates]
import warnings

import mistworks
from mistworks.activations import akde, ebab
from mistworks.baselines import KSG


class Row(NamedTuple):
    """All figures of an epoch, in nats: of the input, of the class, of the input given the class.

    ``doubtful``: one of ours came with a warning, for instance that the sample is unlike the training data.
    """

    epoch: int
    gap: float
    truth: Truth
    ours: tuple[mistworks.Estimate, mistworks.Estimate, mistworks.Estimate]
    ksg: tuple[float, float]
    ebab: tuple[float, float]
    akde: tuple[float, float]
    doubtful: bool


def measured(epoch: Epoch, digits: Labels, share: float, rng: np.random.Generator) -> Row:
    """Estimate from one value of T per image.

    Since X → f(X) → T, I(X;T) = I(f(X);T), with eight columns a side.
    """
    layer = epoch.layer[:, np.ptp(epoch.layer, axis=0) > 0]  # units of ReLU may be dead
    noise = share * float(epoch.layer.std())
    seen = layer + noise * rng.standard_normal(layer.shape)
    names = digits.astype(str)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours = (
            mistworks.estimate(layer, seen),
            mistworks.estimate(seen, names),
            mistworks.estimate(layer, seen, given=names),
        )
    neighbours = KSG(neighbours=3)
    ksg = neighbours.estimate(layer, seen).mi, neighbours.estimate(seen, np.eye(10)[digits]).mi
    return Row(
        epoch.number,
        epoch.gap,
        truth(layer, digits, noise, rng),
        ours,
        ksg,
        ebab(layer, digits),  # these two are made for the layer without its noise
        akde(layer, digits),
        bool(caught),
    )


# --8<-- [end:estimates]

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mistworks.plots.style import BLUE, INK, OCHRE, PURPLE, SMALL, SOFT, TEXT, VERMILION, new_axes

LINES = {
    "truth": (INK, "-", "o"),
    "ours": (BLUE, "-", "s"),
    "KSG": (VERMILION, "--", "^"),
    "aKDE": (PURPLE, "-.", "D"),
    "EBAB": (OCHRE, ":", "v"),
}


def line(axes: Axes, name: str, x: object, y: object) -> None:
    """Draw a path in the style of an estimator."""
    colour, dash, mark = LINES[name]
    axes.plot(x, y, color=colour, linestyle=dash, marker=mark, markersize=4, linewidth=1.4, label=name)


def draw(table: dict[str, list[Row]]) -> None:
    """Over epochs, in the plane, and beside the generalisation gap; a row of pictures per activation."""
    figure, panels = plt.subplots(2, 3, figsize=(10, 6), layout="constrained")
    for (name, rows), (over, plane, beside) in zip(table.items(), panels, strict=True):
        for axes in (over, plane, beside):
            new_axes(axes)
        epochs = np.arange(len(rows))
        lows, highs = np.transpose([row.ours[0].interval(0.9) for row in rows])
        over.fill_between(epochs, lows, highs, color=BLUE, alpha=0.15, linewidth=0)
        of_input = {
            "truth": [row.truth.about_input for row in rows],
            "ours": [row.ours[0].mi for row in rows],
            "KSG": [row.ksg[0] for row in rows],
            "aKDE": [row.akde[0] for row in rows],
            "EBAB": [row.ebab[0] for row in rows],
        }
        of_class = {
            "truth": [row.truth.about_class for row in rows],
            "ours": [row.ours[1].mi for row in rows],
            "KSG": [row.ksg[1] for row in rows],
        }
        for each, values in of_input.items():
            line(over, each, epochs, values)
        for each, values in of_class.items():
            line(plane, each, of_input[each], values)
        gap = [row.gap for row in rows]
        given_class = [row.truth.given_class for row in rows]
        line(beside, "truth", given_class, gap)
        line(beside, "ours", [row.ours[2].mi for row in rows], gap)
        for colour, start in ((INK, given_class[0]), (BLUE, rows[0].ours[2].mi)):
            beside.plot(start, gap[0], "o", color=colour, markerfacecolor="white", markersize=8)
        over.set_xticks(epochs, [str(row.epoch) for row in rows])
        over.set(xlabel="epoch", ylabel=f"{name}:  I(X;T), nats", ylim=(0, 7.2))
        plane.set(xlabel="I(X;T), nats", ylabel="I(T;Y), nats", ylim=(0, 2.5))
        plane.axhline(np.log(10), color=SOFT, linewidth=0.8, linestyle=":")
        beside.set(xlabel="I(X;T|Y), nats", ylabel="loss held out − in training")
    for axes, title in zip(
        panels[0],
        ("over epochs", "information plane", "generalisation (white: before training)"),
        strict=True,
    ):
        axes.set_title(title, fontsize=TEXT, loc="left")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=SMALL)
    figure.savefig("learning_plane.svg")


def show(name: str, rows: list[Row]) -> None:
    """Print a line per epoch."""
    others = f"{'KSG':>6}{'aKDE':>6}{'EBAB':>6}"
    about_class = f"{'I(T;Y)':>9}{'ours':>6}{others}{'I(X;T|Y)':>10}{'ours':>6}{'gap':>8}"
    print(f"{name:6}{'I(X;T)':>15}{'ours [90 % interval]':>22}{others}{about_class}")
    for row in rows:
        truth, low, high = row.truth, *row.ours[0].interval(0.9)
        print(
            f"{row.epoch:6}{truth.about_input:8.2f} ≤ {truth.about_input_at_most:.2f}"
            f"{row.ours[0].mi:9.2f} [{low:.2f}, {high:.2f}]"
            f"{row.ksg[0]:6.2f}{row.akde[0]:6.2f}{row.ebab[0]:6.2f}"
            f"{truth.about_class:9.2f}{row.ours[1].mi:6.2f}{row.ksg[1]:6.2f}{row.akde[1]:6.2f}{row.ebab[1]:6.2f}"
            f"{truth.given_class:10.2f}{row.ours[2].mi:6.2f}{row.gap:8.3f}"
            f"{' *' if row.doubtful else ''}"
        )


def main() -> None:
    """Train with both activations, measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=128)
    parser.add_argument("--noise", type=float, default=0.5)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the network is small

    digits = pool()[1][TRAINED_ON:]
    table = {}
    for name, activation in (("tanh", nn.Tanh), ("ReLU", nn.ReLU)):
        rng = np.random.default_rng(0)
        epochs = trained(activation, options.noise, options.epochs)
        table[name] = [measured(epoch, digits, options.noise, rng) for epoch in epochs]
        show(name, table[name])
    draw(table)


if __name__ == "__main__":
    main()
