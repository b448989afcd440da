"""Tables of cell probabilities: their information, and random tables with dependence of every shape.

A pattern is a function of the centres of the cells, with both sides on (−1, 1), and returns weights that need
not sum to 1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from mistworks.distributions.base import Array
from mistworks.distributions.priors import log_uniform

_COARSE = 8


def table_information(table: Array) -> float:
    """Σ p log(p / (p_row p_column)) of a table of probabilities, in nats."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    return max(
        0.0, float(xlogy(table, table).sum() - xlogy(rows, rows).sum() - xlogy(columns, columns).sum())
    )


def draw_cells(
    cumulative: Array, shape: tuple[int, ...], n: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw n cells of a table: their rows and columns, shape (n,) each.

    Args:
        cumulative: cumulative sums of the table in row-major order.
        shape: shape of the table.
        n: number of cells.
        rng: draws the cells.
    """
    cell = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    return np.divmod(np.minimum(cell, len(cumulative) - 1), shape[1])


def draw_table(rows: int, columns: int, rng: np.random.Generator) -> Array:
    """Draw a table of shape (rows, columns) with sum 1: a random pattern in a random orientation."""
    pattern = PATTERNS[int(rng.integers(len(PATTERNS)))]
    if rng.random() < 0.5:
        table = pattern(_centres(rows)[:, None], _centres(columns), rng)
    else:
        table = pattern(_centres(columns)[:, None], _centres(rows), rng).T
    return np.asarray(table / table.sum())


def assign(choice: NDArray[np.int64], columns: int, rng: np.random.Generator) -> Array:
    """Draw a table in which each row has one preferred column; rows may share it.

    Rows have random masses. A random share of each, zero half of the time, is spread over all columns.

    Args:
        choice: the preferred column of each row, shape (rows,).
        columns: number of columns.
        rng: draws the masses and the share.

    Returns:
        A table of shape (len(choice), columns) with sum 1.
    """
    error = 0.0 if rng.random() < 0.5 else rng.random()
    table = np.full((len(choice), columns), error / columns)
    table[np.arange(len(choice)), choice] += 1.0 - error
    table *= rng.gamma(2.0, size=(len(choice), 1)) + 0.05
    return np.asarray(table / table.sum())


def weaken(table: Array, signal: float, rng: np.random.Generator) -> Array:
    """Mix a table with an independent one: the uniform table, or the product of the margins.

    Args:
        table: probabilities with sum 1.
        signal: weight of the table in the mixture, from 0 to 1.
        rng: chooses between the two. With signal 0 it is always the product of the margins.

    Returns:
        A table of the same shape with sum 1.
    """
    if signal > 0 and rng.random() < 0.5:
        return signal * table + (1.0 - signal) / table.size
    return np.asarray(signal * table + (1.0 - signal) * table.sum(axis=1, keepdims=True) * table.sum(axis=0))


def _smooth_field(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """exp of a random sum of cosines of low frequency, from nearly flat to a few sharp hills."""
    field = _cosine_field(x, y, rng)
    return np.asarray(np.exp(log_uniform(0.2, 8.0, rng) * (field - field.max())))


def _ridge(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """y near a random curve f(x), within a width from one cell to the whole range, constant or not."""
    least = 1.0 / y.size
    width = np.full_like(x, log_uniform(least, 1.0, rng))
    if rng.random() < 0.4:
        width *= np.exp(rng.uniform(0.3, 1.5) * _curve(x, rng))
    amplitude = rng.uniform(0.2, 1.0)
    centre = rng.uniform(amplitude - 1.0, 1.0 - amplitude)
    power = (1, 2, 2, 8)[int(rng.integers(4))]
    distance = np.abs(y - centre - amplitude * _curve(x, rng)) / np.maximum(width, least)
    table = np.exp(-(distance**power) / power)
    table /= table.sum(axis=1, keepdims=True)
    if rng.random() < 0.5:
        table *= np.exp(rng.uniform(0.2, 2.0) * _curve(x, rng))
    return np.asarray(table)


def _branches(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Two or three ridges with random weights."""
    tables = [_ridge(x, y, rng) for _ in range(int(rng.integers(2, 4)))]
    return np.asarray(sum(rng.uniform(0.2, 1.0) * table for table in tables))


def _contour(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Points near an implicit curve g(x, y) = 0: a rounded outline, or level lines of a field."""
    if rng.random() < 0.5:
        u, v = _rotated(x - rng.uniform(-0.3, 0.3), y - rng.uniform(-0.3, 0.3), rng.uniform(0.0, np.pi))
        power = rng.uniform(1.0, 4.0)
        radius = np.abs(u / rng.uniform(0.3, 0.9)) ** power + np.abs(v / rng.uniform(0.3, 0.9)) ** power
        level = radius ** (1.0 / power) - 1.0
    else:
        level = _cosine_field(x, y, rng)
        level = level - rng.choice(level.ravel())
    width = log_uniform(max(1.0 / x.size, 1.0 / y.size), 0.7, rng)
    return np.asarray(np.exp(-0.5 * (level / width) ** 2))


def _blobs(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """One to eight Gaussian hills of random position, shape, direction and mass."""
    table = np.zeros((x.size, y.size))
    for _ in range(int(rng.integers(1, 8, endpoint=True))):
        u, v = _rotated(x - rng.uniform(-1.0, 1.0), y - rng.uniform(-1.0, 1.0), rng.uniform(0.0, np.pi))
        u_scale, v_scale = log_uniform(0.05, 0.8, rng), log_uniform(0.05, 0.8, rng)
        mass = rng.uniform(0.1, 1.0) / (u_scale * v_scale)
        table += mass * np.exp(-0.5 * ((u / u_scale) ** 2 + (v / v_scale) ** 2))
    return np.asarray(table + 1e-12 * table.max())


def _patchwork(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Independent gamma weights on at most 8 × 8 patches: a Dirichlet table."""
    rows, columns = min(x.size, _COARSE), min(y.size, _COARSE)
    patches = rng.gamma(log_uniform(0.2, 5.0, rng), size=(rows, columns)) + 1e-12
    row = np.arange(x.size) * rows // x.size
    column = np.arange(y.size) * columns // y.size
    return np.asarray(patches[row[:, None], column])


PATTERNS = (_smooth_field, _ridge, _ridge, _branches, _contour, _blobs, _patchwork)
"""Listing a pattern twice doubles its weight."""


def _centres(cells: int) -> Array:
    return (2.0 * np.arange(cells) + 1.0) / cells - 1.0


def _rotated(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def _cosine_field(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """A sum of products of cosines with random low frequencies, scaled to standard deviation 1."""
    terms, order = int(rng.integers(1, 9)), int(rng.integers(1, 6))
    x_frequency, y_frequency = rng.integers(0, order, (2, terms), endpoint=True) * (np.pi / 2)
    x_phase, y_phase = rng.uniform(0.0, 2 * np.pi, (2, terms))
    waves = rng.standard_normal(terms) * np.cos(x_frequency * x + x_phase)
    field = waves @ np.cos(y_frequency[:, None] * y + y_phase[:, None])
    return np.asarray((field - field.mean()) / (field.std() + 1e-6))


def _curve(x: Array, rng: np.random.Generator) -> Array:
    """A random function of x with range [−1, 1]: a polynomial or a sum of sines, rarely monotone."""
    if rng.random() < 0.5:
        values = np.polynomial.polynomial.polyval(x, rng.standard_normal(int(rng.integers(2, 6))))
    else:
        waves = int(rng.integers(1, 4))
        frequency, phase = rng.uniform(0.5, 8.0, waves), rng.uniform(0.0, 2 * np.pi, waves)
        values = (rng.standard_normal(waves) * np.sin(frequency * x + phase)).sum(axis=1, keepdims=True)
    low, high = values.min(), values.max()
    return np.asarray(2.0 * (values - low) / (high - low + 1e-12) - 1.0)


__all__ = ["PATTERNS", "assign", "draw_cells", "draw_table", "table_information", "weaken"]
