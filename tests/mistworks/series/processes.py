"""Series for tests."""

import numpy as np


def autoregressive(rng: np.random.Generator, n: int, phi: float, rho: float = 0.0) -> np.ndarray:
    """Two series x_t = φ x_{t−1} + e_t whose innovations have the correlation ρ, shape (2, n)."""
    e, f = rng.standard_normal((2, n + 200))
    noise = np.array([e, rho * e + np.sqrt(1 - rho**2) * f])
    series = np.zeros_like(noise)
    for t in range(1, n + 200):
        series[:, t] = phi * series[:, t - 1] + noise[:, t]
    return series[:, 200:]
