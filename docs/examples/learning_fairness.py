"""Fairness by decomposition: does a prediction depend on a protected group, over all clients or within each?

Models learned on several clients can be fair over all and unfair within each, or the reverse (Hamman, Dutta,
"Demystifying local and global fairness trade-offs in federated learning using partial information
decomposition", ICLR 2024). Z is the group, S the client and Ŷ the prediction. Option: --points 20000.
"""

# --8<-- [start:joints]
import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import mistworks

Bits = NDArray[np.int64]
Columns = tuple[Bits, Bits, Bits]

BY: dict[str, Callable[[Bits, Bits, Bits], tuple[Bits, Bits]]] = {
    "unique": lambda group, other, _: (group, other),
    "redundant": lambda group, _other, _: (group, group),
    "synergy": lambda group, other, _: (group ^ other, other),
    "a mixture": lambda group, other, case: (
        np.where(case == 0, group ^ other, group),
        np.where(case < 2, other, group),
    ),
}
"""Prediction and client, from the group, an independent bit, and a case from 0 to 3."""


def table(name: str, flipped: int = 0) -> Columns:
    """Group, prediction and client of every outcome, as often as it is likely.

    Of ten predictions, ``flipped`` are the opposite.
    """
    group, other, case, tenth = (side.ravel() for side in np.indices((2, 2, 4, 10)))
    prediction, client = BY[name](group, other, case)
    return group, prediction ^ (tenth < flipped), client


def sample(name: str, n: int, rng: np.random.Generator, flipped: int = 0) -> Columns:
    """Draw n outcomes."""
    columns = table(name, flipped)
    rows = rng.integers(0, len(columns[0]), n)
    return columns[0][rows], columns[1][rows], columns[2][rows]


# --8<-- [end:joints]


# --8<-- [start:measures]
def global_and_local(group: Bits, prediction: Bits, client: Bits) -> tuple[float, float]:
    """I(Z;Ŷ) and I(Z;Ŷ|S) in nats, of the frequencies."""
    p = np.zeros((2, 2, 2))
    np.add.at(p, (group, prediction, client), 1 / len(group))

    def entropy(*summed: int) -> float:
        shares = p.sum(axis=summed)
        return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())

    overall = entropy(1, 2) + entropy(0, 2) - entropy(2)
    within = entropy(1) + entropy(0) - entropy() - entropy(0, 1)
    return overall, within


def parts(group: Bits, prediction: Bits, client: Bits) -> mistworks.Decomposition:
    """What the prediction and the client say about the group."""
    return mistworks.decompose(prediction, client, group, method="broja")


# --8<-- [end:measures]

import matplotlib.pyplot as plt

from mistworks.plots.style import BLUE, GREEN, SMALL, VERMILION, new_axes


def draw(found: dict[str, mistworks.Decomposition]) -> None:
    """Global and local dependence of each joint, as stacked parts."""
    figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
    new_axes(axes)
    shown = {"unique": (BLUE, ""), "redundant": (VERMILION, "//"), "synergy": (GREEN, "..")}
    ticks, names = [], []
    for place, (name, each) in enumerate(found.items()):
        values = {"unique": each.unique1, "redundant": each.redundancy, "synergy": each.synergy}
        for shift, keys in ((-0.2, ("unique", "redundant")), (0.2, ("unique", "synergy"))):
            bottom = 0.0
            for key in keys:
                colour, hatch = shown[key]
                height = values[key] / np.log(2)
                axes.bar(place + shift, height, 0.36, bottom, color=colour, hatch=hatch, edgecolor="white")
                bottom += height
            ticks.append(place + shift)
        names += ["global", "local"]
        axes.text(place, 1.13, name, ha="center", fontsize=SMALL)
    axes.set_xticks(ticks, names)
    axes.set(ylabel="bits about the group", ylim=(0, 1.1))
    for key, (colour, hatch) in shown.items():
        axes.bar(0, 0, color=colour, hatch=hatch, edgecolor="white", label=key)
    axes.legend(frameon=False, fontsize=SMALL, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig("learning_fairness.svg")


def main() -> None:
    """Decompose the tables, then samples in which one prediction in ten is flipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    points = parser.parse_args().points

    # --8<-- [start:exact]
    print("exact, in bits     unique  redundant  synergy    I(Z;Ŷ)  I(Z;Ŷ|S)")
    exact = {name: parts(*table(name)) for name in BY}
    for name, each in exact.items():
        values = np.array([each.unique1, each.redundancy, each.synergy, *global_and_local(*table(name))])
        print(f"{name:15}" + "".join(f"{bits:10.2f}" for bits in np.abs(values) / np.log(2)))
    # --8<-- [end:exact]

    # --8<-- [start:samples]
    rng = np.random.default_rng(0)
    print(f"\n{points:,} points, nats     truth  parts  estimate [90 % interval]")
    for name in BY:
        columns = sample(name, points, rng, flipped=1)
        each = parts(*columns)
        sums = each.unique1 + each.redundancy, each.unique1 + each.synergy
        group, prediction, client = (side.astype(str) for side in columns)
        estimates = (
            mistworks.estimate(group, prediction),
            mistworks.estimate(group, prediction, given=client),
        )
        truths = np.abs(global_and_local(*table(name, flipped=1)))
        for kind, *row in zip(("global", "local"), truths, sums, estimates, strict=True):
            truth, summed, estimate = row
            low, high = estimate.interval(0.9)
            print(f"{name:11} {kind:8} {truth:6.3f} {summed:6.3f}  {estimate.mi:.3f} [{low:.3f}, {high:.3f}]")
    # --8<-- [end:samples]
    draw(exact)


if __name__ == "__main__":
    main()
