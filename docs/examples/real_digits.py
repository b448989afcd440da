"""Digits: 1,797 images of eight by eight pixels, of which each is the digit that it shows."""

import numpy as np
from sklearn.datasets import load_digits

import mistworks

# --8<-- [start:pixels]
data = load_digits(as_frame=True)
images, digit = data.data, data.target.astype(str)
scores = mistworks.feature_scores(images, digit)
print(np.array2string(scores.scores.reshape(8, 8), precision=2, floatmode="fixed", suppress_small=True))
# --8<-- [end:pixels]

# --8<-- [start:halves]
left = [name for name in images if int(name[-1]) < 4]
right = [name for name in images if int(name[-1]) >= 4]
halves = mistworks.estimate(images[left], images[right])
print(f"left and right half: {halves}")
together = mistworks.estimate(images, digit)
print(f"all pixels and the digit: {together}; its entropy {np.log(10):.2f} nats")
# --8<-- [end:halves]

# --8<-- [start:given]
middle, beside = images["pixel_4_2"], images["pixel_4_3"]
print(f"two pixels side by side: {mistworks.estimate(middle, beside)}")
print(f"given the digit:         {mistworks.estimate(middle, beside, given=digit)}")
# --8<-- [end:given]
