"""How much do images tell of labels, at least? Bounds from any classifier, beside an estimate and the truth.

Some labels are replaced at random, so that the truth is known. Option: --seeds 20.
"""

# --8<-- [start:labels]
import argparse

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import mistworks

Labels = NDArray[np.int64]
CLASSES = 10


def replaced(digits: Labels, share: float, rng: np.random.Generator) -> Labels:
    """Labels of which a share is drawn anew from all ten digits."""
    return np.where(rng.random(len(digits)) < share, rng.integers(0, CLASSES, len(digits)), digits)


def true_information(share: float) -> float:
    """I(X;L) in nats: the image tells the digit, the digits are equally frequent, and the rest is noise."""
    kept, other = 1 - share + share / CLASSES, share / CLASSES
    lost = -kept * np.log(kept) - ((CLASSES - 1) * other * np.log(other) if other else 0)
    return float(np.log(CLASSES) - lost)


# --8<-- [end:labels]


# --8<-- [start:measure]
from mistworks.classification import classifier_bounds

CLASSIFIERS = {
    "logistic": LogisticRegression(max_iter=2000),
    "forest": RandomForestClassifier(200, min_samples_leaf=2, random_state=0),
}
TRAINED_ON = 900


def measured(share: float, seed: int) -> dict[str, float]:
    """Both bounds of every classifier by name, in nats, and the estimate from all images."""
    images, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    labels = replaced(digits, share, rng)
    train, held_out = np.split(rng.permutation(len(images)), [TRAINED_ON])
    found = {}
    for name, classifier in CLASSIFIERS.items():
        classifier.fit(images[train] / 16, labels[train])
        chances = classifier.predict_proba(images[held_out] / 16).clip(1e-6)
        chances /= chances.sum(axis=1, keepdims=True)  # a forest may be sure, and wrong
        bounds = classifier_bounds(chances, labels[held_out], classes=classifier.classes_, seed=seed)
        found[f"conformal, {name}"] = bounds.conformal
        found[f"cross-entropy, {name}"] = bounds.cross_entropy
    estimate = mistworks.estimate(images, labels.astype(str))
    low, high = estimate.interval(0.9)
    return found | {"estimate": estimate.mi, "its 5 % quantile": low, "its 95 % quantile": high}


# --8<-- [end:measure]

import matplotlib.pyplot as plt

from mistworks.plots.style import BLUE, FAINT, INK, OCHRE, SMALL, VERMILION, new_axes

STYLES = {
    "conformal, logistic": (VERMILION, "^", "none"),
    "conformal, forest": (VERMILION, "^", VERMILION),
    "cross-entropy, logistic": (OCHRE, "D", "none"),
    "cross-entropy, forest": (OCHRE, "D", OCHRE),
    "estimate": (BLUE, "o", BLUE),
}


def draw(table: dict[float, list[dict[str, float]]]) -> None:
    """Bounds and estimates around each truth, a mark per seed."""
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    new_axes(axes).grid(axis="y", color=FAINT, linewidth=0.6)
    for place, (share, rows) in enumerate(table.items()):
        truth = true_information(share)
        axes.plot([place - 0.4, place + 0.4], [truth, truth], color=INK, linewidth=1.5)
        for column, (name, (colour, mark, face)) in enumerate(STYLES.items()):
            across = place - 0.3 + 0.15 * column + np.linspace(-0.03, 0.03, len(rows))
            for at, row in zip(across, rows, strict=True):
                if name == "estimate":
                    ends = row["its 5 % quantile"], row["its 95 % quantile"]
                    axes.plot([at, at], ends, color=colour, linewidth=1.2, alpha=0.6)
                axes.plot(at, row[name], mark, color=colour, markerfacecolor=face, markersize=5)
    for name, (colour, mark, face) in STYLES.items():
        label = "estimate, 90 % interval" if name == "estimate" else name
        axes.plot([], [], mark, color=colour, markerfacecolor=face, markersize=5, label=label)
    axes.plot([], [], color=INK, linewidth=1.5, label="truth")
    axes.set_xticks(range(len(table)), [f"{share:.0%} of labels replaced" for share in table])
    axes.set(ylabel="I(X;L), nats", ylim=(0, 2.5))
    axes.legend(frameon=False, fontsize=SMALL, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig("learning_labels.svg")


def main() -> None:
    """Measure for three shares of replaced labels, print means over seeds, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds

    table = {share: [measured(share, seed) for seed in range(seeds)] for share in (0.0, 0.2, 0.5)}
    print(f"{'labels replaced':24}" + "".join(f"{share:8.0%}" for share in table))
    print(f"{'truth':24}" + "".join(f"{true_information(share):8.3f}" for share in table))
    for name in next(iter(table.values()))[0]:
        means = [np.mean([row[name] for row in rows]) for rows in table.values()]
        print(f"{name:24}" + "".join(f"{mean:8.3f}" for mean in means))
    draw(table)


if __name__ == "__main__":
    main()
