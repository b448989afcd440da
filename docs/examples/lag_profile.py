"""When does one signal answer another? Mutual information at many lags, with a test over all of them.

The answer comes after 4 steps and is even in the stimulus, so that the cross-correlation is flat.
"""

import matplotlib.pyplot as plt
import numpy as np

import mistworks

rng = np.random.default_rng(0)
stimulus = rng.standard_normal(500)
answer = np.roll(np.abs(stimulus), 4) + 0.3 * rng.standard_normal(500)

profile = mistworks.lag_profile(stimulus, answer, lags=9)
print(profile)
print("the answer comes after", profile.best, "steps, p =", round(profile.p_value, 3))

transfer = mistworks.transfer_entropy(stimulus, answer, lags=4)
print("from the stimulus to the answer:", transfer)
print("and back:", mistworks.transfer_entropy(answer, stimulus, lags=4))

figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
profile.plot(axes)
figure.savefig("lag_profile.svg")
