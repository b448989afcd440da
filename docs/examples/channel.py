"""How much does a noisy code tell of what was encoded? Bounds from the encoder's density, and an estimate."""

import numpy as np

import mistworks

rng = np.random.default_rng(0)
x = rng.standard_normal(1000)
for noise in (1.0, 0.1, 0.01):
    z = x + noise * rng.standard_normal(1000)
    # log p(z | x) for every code (columns) under every input (rows), but for a constant.
    log_likelihoods = -0.5 * ((z - x[:, None]) / noise) ** 2
    bounds = mistworks.channel_information(log_likelihoods)
    truth = 0.5 * np.log1p(noise**-2)
    print(f"noise {noise}: {bounds}; truth {truth:.3f}, estimate {mistworks.estimate(x, z).mi:.3f}")
