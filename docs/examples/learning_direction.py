"""Mutual information as a loss: find the direction w of which y = |w·x| + noise, in batches.

Nothing linear shows w, since y is even in w·x. Options: --seeds 10 --steps 200 --device cuda.
"""

# --8<-- [start:problem]
import argparse

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DIMENSIONS, POINTS, NOISE = 8, 1000, 0.2


def problem(seed: int) -> tuple[Array, Array, Array]:
    """A unit vector w of shape (8,), x of shape (1000, 8) and y = |w·x| + noise of shape (1000, 1)."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(DIMENSIONS)
    w /= np.linalg.norm(w)
    x = rng.standard_normal((POINTS, DIMENSIONS))
    return w, x, np.abs(x @ w)[:, None] + NOISE * rng.standard_normal((POINTS, 1))


def true_information(noise: float = NOISE) -> float:
    """I(w·x; y) in nats: the entropy of y, by quadrature, less that of the noise."""
    grid = np.linspace(-8 * noise, 8 + 8 * noise, 4000)
    size = np.linspace(0, 8, 4000)
    half_normal = np.sqrt(2 / np.pi) * np.exp(-(size**2) / 2)
    kernel = np.exp(-(((grid[:, None] - size) / noise) ** 2) / 2) / (noise * np.sqrt(2 * np.pi))
    density = np.maximum(np.trapezoid(kernel * half_normal, size, axis=1), 1e-300)
    entropy = np.trapezoid(-density * np.log(density), grid)
    return float(entropy - 0.5 * np.log(2 * np.pi * np.e * noise**2))


# --8<-- [end:problem]


# --8<-- [start:descent]
import torch
from torch.nn.functional import normalize

import mistworks


def learn(x: Array, y: Array, steps: int, device: str, seed: int, batch: int = 256) -> list[Array]:
    """Climb I(w·x; y) from the best of 16 random directions; the unit vector after each step."""
    generator = torch.Generator().manual_seed(seed)
    starts = normalize(torch.randn(16, DIMENSIONS, generator=generator, dtype=torch.float64))
    first = mistworks.estimate_many((x @ start, y) for start in starts.numpy())
    best = int(np.argmax([estimate.mi for estimate in first]))

    w = starts[best].clone().to(device).requires_grad_()
    points, answers = (torch.from_numpy(side).to(device) for side in (x, y))
    optimiser = torch.optim.Adam([w], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    path = [starts[best].numpy()]
    for _ in range(steps):
        rows = torch.randperm(len(x), generator=generator)[:batch].to(device)
        projected = points[rows] @ normalize(w, dim=0)[:, None]
        loss = -mistworks.shipped().differentiable(projected, answers[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        path.append(normalize(w.detach(), dim=0).cpu().numpy())
    return path


# --8<-- [end:descent]

# --8<-- [start:rivals]
from sklearn.cross_decomposition import PLSRegression


def partial_least_squares(x: Array, y: Array) -> Array:
    """The direction of the largest covariance with y."""
    return np.asarray(PLSRegression(1).fit(x, y).x_weights_[:, 0])


def hessian_direction(x: Array, y: Array) -> Array:
    """The first principal Hessian direction (Li, JASA 1992), for normal x: made for answers that are even."""
    curvature = (x * (y - y.mean())).T @ x / len(x)
    values, vectors = np.linalg.eigh(curvature)
    return np.asarray(vectors[:, np.argmax(np.abs(values))])


# --8<-- [end:rivals]

import matplotlib.pyplot as plt

from mistworks.plots.style import BLUE, INK, SMALL, SOFT, VERMILION, new_axes


def draw(cosines: dict[int, list[float]], linear: list[float], w: Array, x: Array, y: Array) -> None:
    """The cosine with w over steps, and y against what was found."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for axes in (left, right):
        new_axes(axes)
    steps = len(next(iter(cosines.values()))) - 1
    for seed, path in cosines.items():
        left.plot(path, color=BLUE, linewidth=1.4, label="gradient of the estimate" if seed == 0 else None)
    left.plot(
        np.full(len(linear), steps * 1.06),
        linear,
        "D",
        color=VERMILION,
        markersize=5,
        clip_on=False,
        label="partial least squares",
    )
    left.set(ylim=(0, 1.02), xlim=(0, steps * 1.06), xlabel="step", ylabel="|cosine| with w")
    left.legend(frameon=False, fontsize=SMALL, loc="lower right", bbox_to_anchor=(0.97, 0.02))
    right.scatter(x @ w, y, s=5, color=BLUE, alpha=0.5, linewidths=0, rasterized=True)
    grid = np.linspace(-3.5, 3.5, 101)
    right.plot(grid, np.abs(grid), color=INK, linewidth=1.2, label="|w·x|")
    right.legend(frameon=False, fontsize=SMALL, loc="lower right")
    right.set(xlabel="x along the direction found, first seed", ylabel="y", xlim=(-3.6, 3.6))
    right.spines["bottom"].set_color(SOFT)
    figure.savefig("learning_direction.svg", dpi=150)


def main() -> None:
    """Learn from several seeds, print a row for each, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)  # batches are small

    print(f"true I(w·x; y): {true_information():.3f} nats")
    print("seed  start  ours   PLS   pHd   I along ours [90 % interval]")
    cosines: dict[int, list[float]] = {}
    linear = []
    for seed in range(options.seeds):
        w, x, y = problem(seed)
        path = learn(x, y, options.steps, options.device, seed)
        cosines[seed] = [float(abs(w @ step)) for step in path]
        linear.append(float(abs(w @ partial_least_squares(x, y))))
        if seed == 0:
            first = path[-1], x, y
        row = [cosines[seed][0], cosines[seed][-1], linear[-1], abs(w @ hessian_direction(x, y))]
        estimate = mistworks.estimate(x @ path[-1], y)
        low, high = estimate.interval(0.9)
        shown = "".join(f"{cosine:6.2f}" for cosine in row)
        print(f"{seed:4} {shown}   {estimate.mi:.2f} [{low:.2f}, {high:.2f}]")
    draw(cosines, linear, *first)


if __name__ == "__main__":
    main()
