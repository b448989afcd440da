"""When does one signal answer another? Mutual information at many lags, estimated in one batch.

The answer comes after 4 steps and is even in the stimulus, so that the cross-correlation is flat.
"""

import matplotlib.pyplot as plt
import numpy as np

import mistworks

rng = np.random.default_rng(0)
stimulus = rng.standard_normal(500)
answer = np.roll(np.abs(stimulus), 4) + 0.3 * rng.standard_normal(500)

lags = range(10)
# Rows should be close to independent draws: here the stimulus is white; thin a slow signal first.
pairs = [(stimulus[: 500 - lag], answer[lag:]) for lag in lags]
estimates = mistworks.estimate_many(pairs)

print("lag  correlation  mutual information in nats, 90 % interval")
for lag, (x, y), estimate in zip(lags, pairs, estimates, strict=True):
    low, high = estimate.interval(0.9)
    print(f"{lag:3}  {np.corrcoef(x, y)[0, 1]:11.2f}  {estimate.mi:.3f}  [{low:.3f}, {high:.3f}]")
print("the answer comes after", max(lags, key=lambda lag: estimates[lag].mi), "steps")

lower, upper = zip(*(estimate.interval(0.9) for estimate in estimates), strict=True)
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.fill_between(lags, lower, upper, alpha=0.3, label="90 % interval")
axes.plot(lags, [estimate.mi for estimate in estimates], marker="o", label="estimate")
axes.set(xlabel="lag, steps", ylabel="mutual information, nats", ylim=(0, None))
axes.legend()
figure.savefig("lag_profile.svg")
