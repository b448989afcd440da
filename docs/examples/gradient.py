"""Climb the mutual information: turn a plane until one direction of it tells as much as possible about Y.

X has two columns, and only their difference drives Y. The best direction is at 135 degrees from the first.
"""

import numpy as np
import torch

import mistworks

torch.set_num_threads(1)  # the sample is small
rng = np.random.default_rng(0)
x = torch.from_numpy(rng.standard_normal((100, 2)))
y = (x[:, :1] - x[:, 1:]).tanh() + 0.3 * torch.from_numpy(rng.standard_normal((100, 1)))

estimator = mistworks.shipped()  # the one that comes with the package
angle = torch.tensor(0.9 * np.pi, dtype=torch.float64, requires_grad=True)
optimiser = torch.optim.Adam([angle], lr=0.15)
for _ in range(10):
    direction = torch.stack([angle.cos(), angle.sin()])[:, None]
    information = estimator.differentiable(x @ direction, y)
    optimiser.zero_grad()
    (-information).backward()
    optimiser.step()

print(f"{np.degrees(angle.item()):.0f} degrees, {mistworks.estimate(x @ direction.detach(), y)}")
