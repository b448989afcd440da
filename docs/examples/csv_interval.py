"""Mutual information of columns of a CSV file, with an interval.

Dose and age drive a response. How much do the two tell about it together, and how much does each alone?
"""

import tempfile
from pathlib import Path

import numpy as np

import mistworks


def write_table(path: Path) -> None:
    """Three hundred patients: the response saturates with dose, falls with age, and is noisy."""
    rng = np.random.default_rng(0)
    dose = rng.lognormal(size=300)
    age = rng.uniform(20, 80, size=300)
    response = np.tanh(dose) - age / 80 + 0.2 * rng.standard_normal(300)
    table = np.column_stack([dose, age, response])
    np.savetxt(path, table, delimiter=",", header="dose,age,response", comments="")


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "patients.csv"
    write_table(path)
    table = np.genfromtxt(path, delimiter=",", names=True)

dose, age, response = table["dose"], table["age"], table["response"]

together = mistworks.estimate(np.column_stack([dose, age]), response)
print(f"I(dose, age; response) = {together}")
print(f"I(dose; response)      = {mistworks.estimate(dose, response)}")
print(f"I(age; response)       = {mistworks.estimate(age, response)}")

low, high = together.interval(0.95)
print(f"95 % interval of the first: {low:.3f} to {high:.3f} nats, {low / np.log(2):.3f} bits at least")
