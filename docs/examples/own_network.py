"""A network of your own: a mean over the points of what a small perceptron makes of each.

It reads one column a side. A network is two functions: `encode` makes a vector of a sample whatever its size,
and `decode` reads quantiles of the mutual information from that vector.
"""

# --8<-- [start:network]
import torch
from torch import Tensor, nn

from mistworks.networks import Batch, Network


class DeepSet(Network):
    """The mean over the points of a perceptron of (x, y), and a perceptron of that mean and a level."""

    max_dimension = 1

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.outer = nn.Sequential(nn.Linear(width + 1, width), nn.SiLU(), nn.Linear(width, 1))

    def encode(self, batch: Batch) -> Tensor:
        """Shape (B, width); padding has no share in the mean."""
        points = torch.cat([batch.x, batch.y], dim=2)
        there = batch.point_mask[:, :, None].to(points.dtype)
        return (self.inner(points) * there).sum(dim=1) / there.sum(dim=1)

    def decode(self, representation: Tensor, tau: Tensor | None = None) -> Tensor:
        """Quantiles of shape (B, T) at the levels tau, or means of shape (B,)."""
        levels = torch.full((len(representation), 1), 0.5) if tau is None else tau
        repeated = representation[:, None, :].expand(-1, levels.shape[1], -1)
        values = self.outer(torch.cat([repeated, levels[:, :, None]], dim=2))[:, :, 0]
        nats = nn.functional.softplus(values)
        return nats[:, 0] if tau is None else nats


# --8<-- [end:network]

# --8<-- [start:train]
import numpy as np

from mistworks.distributions import Normal
from mistworks.networks import pad

rng = np.random.default_rng(0)
torch.manual_seed(0)
torch.set_num_threads(1)  # the batches are small
correlations = rng.uniform(-0.98, 0.98, size=1000)
joints = [Normal(np.array([[1.0, rho], [rho, 1.0]]), 1) for rho in correlations]
samples = [joint.sample(100, rng) for joint in joints]
labels = np.array([[joint.mutual_information] for joint in joints], dtype=np.float32)

network = DeepSet()
optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
for step in range(300):
    rows = rng.integers(len(joints), size=32)
    batch, truth = pad([samples[row] for row in rows]), torch.from_numpy(labels[rows])
    tau = torch.rand(32, 8)
    error = truth - network.decode(network.encode(batch), tau)
    loss = torch.maximum(tau * error, (tau - 1) * error).mean()  # the pinball loss
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if step % 100 == 0 or step == 299:
        print(f"step {step:3}: pinball loss {loss.item():.3f} nats")
# --8<-- [end:train]

# --8<-- [start:contract]
network.ready()
strongest = joints[int(labels.argmax())]
x, y = strongest.sample(100, rng)
order = rng.permutation(100)
batch = pad([(x, y), (x[order], y[order]), (x[:50], y[:50])])
with torch.inference_mode():
    alone = network.decode(network.encode(pad([(x[:50], y[:50])])), torch.tensor([[0.05, 0.5, 0.95]]))
    quantiles = network.decode(network.encode(batch), torch.tensor([[0.05, 0.5, 0.95]]).expand(3, -1))
assert torch.allclose(quantiles[0], quantiles[1], atol=1e-5), "the order of the points matters"
assert torch.allclose(quantiles[2], alone[0], atol=1e-5), "padding, or another sample, matters"
print(f"true value {strongest.mutual_information:.3f} nats; quantiles at 5, 50 and 95 %:", end=" ")
print(", ".join(f"{value:.3f}" for value in quantiles[0].tolist()))
# --8<-- [end:contract]
