"""Mutual information of columns of a CSV file, with an interval. Writes the table and a picture.

Dose and age drive a response. How much do the two tell about it together, and how much does each alone?
"""

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

import mistworks

NOISE = 0.2


def write_table(path: str) -> None:
    """Three hundred patients: the response saturates with dose, falls with age, and is noisy."""
    rng = np.random.default_rng(0)
    dose = rng.lognormal(size=300)
    age = rng.uniform(20, 80, size=300)
    response = np.tanh(dose) - age / 80 + NOISE * rng.standard_normal(300)
    table = np.column_stack([dose, age, response])
    np.savetxt(path, table, delimiter=",", header="dose,age,response", comments="")


write_table("patients.csv")

# --8<-- [start:estimate]
table = np.genfromtxt("patients.csv", delimiter=",", names=True)
dose, age, response = table["dose"], table["age"], table["response"]

together = mistworks.estimate(np.column_stack([dose, age]), response)
of_dose = mistworks.estimate(dose, response)
of_age = mistworks.estimate(age, response)

print(f"I(dose, age; response) = {together}")
print(f"I(dose; response)      = {of_dose}")
print(f"I(age; response)       = {of_age}")

low, high = together.interval(0.95)
print(f"95 % interval of the first: {low:.3f} to {high:.3f} nats, {low / np.log(2):.3f} bits at least")
# --8<-- [end:estimate]


# --8<-- [start:truth]
def entropy(signal: NDArray[np.float64]) -> float:
    """Differential entropy of the signal plus the noise, in nats, by quadrature."""
    grid = np.linspace(signal.min() - 5 * NOISE, signal.max() + 5 * NOISE, 400)
    kernel = np.exp(-0.5 * ((grid[:, None] - signal) / NOISE) ** 2) / (NOISE * np.sqrt(2 * np.pi))
    density = kernel.mean(axis=1)
    return float(np.trapezoid(-density * np.log(np.maximum(density, 1e-300)), grid))


rng = np.random.default_rng(1)
effect_of_dose = np.tanh(rng.lognormal(size=20_000))
effect_of_age = -rng.uniform(20, 80, size=20_000) / 80
whole = entropy(effect_of_dose + effect_of_age)
# What a column tells is what the response is uncertain of without it, less what it is with it.
truths = [whole - entropy(np.zeros(1)), whole - entropy(effect_of_age), whole - entropy(effect_of_dose)]
print("true values:", ", ".join(f"{truth:.3f}" for truth in truths))
# --8<-- [end:truth]

# --8<-- [start:picture]
names = ["dose and age", "dose", "age"]
figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
for row, (estimate, truth) in enumerate(zip((together, of_dose, of_age), truths, strict=True)):
    for level, width in ((0.9, 2), (0.5, 6)):
        axes.plot(estimate.interval(level), [row, row], color="tab:blue", linewidth=width)
    axes.plot(estimate.mi, row, "o", color="white", markeredgecolor="tab:blue")
    axes.plot(truth, row, "x", color="black")
axes.set(yticks=range(3), yticklabels=names, xlabel="mutual information with the response, nats")
axes.set(xlim=(0, None), ylim=(2.5, -0.5))
figure.savefig("patients.svg")
# --8<-- [end:picture]
