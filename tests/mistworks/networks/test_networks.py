import math
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats
from torch import nn

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.networks import (
    AnyNetworkConfig,
    Batch,
    Network,
    SampleNetworkConfig,
    SetTransformer,
    SetTransformerConfig,
    SummaryNetwork,
    SummaryNetworkConfig,
    build_network,
    group_by_shape,
    pad,
    predictor_of,
)
from mistworks.networks.scaling import normal_scores, standardized

TINY: dict[str, Any] = {
    "hidden": 8,
    "relation_hidden": 8,
    "heads": 2,
    "feedforward": 16,
    "inducing_points": 4,
    "seeds": 2,
    "head_hidden": 16,
}

Pair = tuple[np.ndarray, np.ndarray]


def network_of(**changes: Any) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return build_network(SetTransformerConfig(**{**TINY, **changes})).eval()


NETWORK = network_of()
STANDARDIZED = network_of(input_scaling="standardized")


def pair_of(seed: int, n: int, dx: int, dy: int) -> Pair:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dx)), rng.standard_normal((n, dy))
    y[:, 0] += x[:, 0]
    return x.astype(np.float32), y.astype(np.float32)


def ranks_of(values: torch.Tensor) -> torch.Tensor:
    """Half ranks of one sample, shape (1, n, d)."""
    return torch.from_numpy(2 * (stats.rankdata(values[0], axis=0) - 1))[None].float()


def encoded(network: Network, *pairs: Pair) -> torch.Tensor:
    with torch.no_grad():
        return network.encode(pad([network.read(*pair) for pair in pairs]))


shapes = st.tuples(st.integers(0, 999), st.integers(5, 40), st.integers(1, 6), st.integers(1, 6))


@pytest.mark.parametrize("network", [NETWORK, STANDARDIZED], ids=["normal-scores", "standardized"])
@settings(max_examples=20, deadline=None)
@given(shape=shapes, order_seed=st.integers(0, 99))
def test_order_of_points_and_coordinates_does_not_matter(
    network: Network, shape: tuple[int, int, int, int], order_seed: int
) -> None:
    x, y = pair_of(*shape)
    rng = np.random.default_rng(order_seed)
    points = rng.permutation(len(x))
    moved_x = x[points][:, rng.permutation(x.shape[1])]
    moved_y = y[points][:, rng.permutation(y.shape[1])]
    torch.testing.assert_close(
        encoded(network, (x, y)), encoded(network, (moved_x, moved_y)), atol=1e-4, rtol=1e-4
    )


@settings(max_examples=20, deadline=None)
@given(shape=shapes, other=shapes)
def test_a_pair_does_not_depend_on_what_it_is_batched_with(
    shape: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> None:
    pair, neighbour = pair_of(*shape), pair_of(*other)
    together = encoded(NETWORK, pair, neighbour, neighbour)
    torch.testing.assert_close(together[:1], encoded(NETWORK, pair), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("network", [NETWORK, STANDARDIZED], ids=["normal-scores", "standardized"])
@pytest.mark.parametrize("filling", [1e30, -7.0, math.nan, math.inf])
def test_padding_is_told_by_mask_whatever_its_values(network: Network, filling: float) -> None:
    pairs = [network.read(*pair_of(*shape)) for shape in ((1, 9, 2, 3), (2, 20, 4, 1), (3, 15, 1, 5))]
    batch = pad(pairs)
    x, y = torch.full_like(batch.x, filling), torch.full_like(batch.y, filling)
    for row, (pair_x, pair_y) in enumerate(pairs):
        x[row, : len(pair_x), : pair_x.shape[1]] = torch.from_numpy(pair_x)
        y[row, : len(pair_y), : pair_y.shape[1]] = torch.from_numpy(pair_y)
    with torch.no_grad():
        filled = network.encode(Batch(x, y, batch.n, batch.dx, batch.dy))
        torch.testing.assert_close(filled, network.encode(batch), atol=0, rtol=0)


def test_padding_gets_no_gradient() -> None:
    batch = pad([pair_of(1, 9, 2, 3), pair_of(2, 20, 4, 1)])
    x = batch.x.clone().requires_grad_()
    STANDARDIZED.encode(Batch(x, batch.y, batch.n, batch.dx, batch.dy)).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad[0, :9, :2].abs().min() > 0
    assert x.grad[0, 9:].abs().max() == 0
    assert x.grad[0, :, 2:].abs().max() == 0


def test_the_boundary_between_x_and_y_matters() -> None:
    table = np.random.default_rng(5).standard_normal((30, 4)).astype(np.float32)
    first = encoded(NETWORK, (table[:, :1], table[:, 1:]))
    second = encoded(NETWORK, (table[:, :2], table[:, 2:]))
    assert (first - second).abs().max() > 1e-3


def test_normal_scores_remove_increasing_maps_exactly() -> None:
    x, y = pair_of(4, 50, 2, 2)
    torch.testing.assert_close(encoded(NETWORK, (np.exp(x), y**3)), encoded(NETWORK, (x, y)), atol=0, rtol=0)


def test_normal_scores_agree_with_scipy_ranks() -> None:
    values = np.random.default_rng(1).integers(0, 6, (30, 3)).astype(np.float32)
    found = normal_scores(ranks_of(torch.from_numpy(values)[None]), torch.tensor([30]), torch.tensor([3]))
    scores = stats.norm.ppf(stats.rankdata(values, axis=0) / 31).T
    expected = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [normal_scores, standardized])
@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -1e30, 1e-30, 12345.678])
def test_constant_columns_become_zero(scale: Any, constant: float) -> None:
    values = torch.full((1, 40, 2), constant)
    values[0, :, 1] = torch.randn(40, generator=torch.Generator().manual_seed(0)) * 1e25
    scaled = scale(
        ranks_of(values) if scale is normal_scores else values, torch.tensor([40]), torch.tensor([2])
    )
    assert scaled[0, 0].abs().max() == 0
    assert scaled[0, 1].square().mean() == pytest.approx(1, abs=1e-4)


def test_head_gives_nats_of_at_least_zero_for_any_level() -> None:
    representation = 100 * torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    tau = torch.tensor([[0.001, 0.5, 0.999]]).expand(5, -1)
    quantiles, mean = NETWORK.decode(representation, tau), NETWORK.decode(representation)
    assert quantiles.shape == (5, 3)
    assert mean.shape == (5,)
    assert quantiles.min() >= 0
    assert mean.min() >= 0


@pytest.mark.parametrize("blocks", [(1, 1), (1, 3), (3, 1)])
def test_blocks_may_differ_in_number(blocks: tuple[int, int]) -> None:
    network = network_of(self_attention_blocks=blocks[0], induced_attention_blocks=blocks[1])
    network.encode(pad([network.read(*pair_of(0, 12, 2, 3))])).sum().backward()  # type: ignore[no-untyped-call]
    unused = [name for name, p in network.named_parameters() if p.grad is None]
    assert {name.split(".")[0] for name in unused} <= {"level", "head"}


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(
        st.tuples(st.integers(5, 500), st.integers(1, 32), st.integers(1, 32)), min_size=1, max_size=60
    ),
    max_cells=st.integers(1, 40_000),
    max_count=st.integers(1, 20),
)
def test_groups_hold_every_dataset_once_within_bounds(
    sizes: list[tuple[int, int, int]], max_cells: int, max_count: int
) -> None:
    n, dx, dy = np.array(sizes).T
    groups = list(group_by_shape(n, dx, dy, max_cells, max_count))
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(sizes)))
    for group in groups:
        padded = len(group) * n[group].max() * (dx[group].max() + dy[group].max())
        assert len(group) <= max_count
        assert len(group) == 1 or padded <= max_cells


@pytest.mark.parametrize(
    ("name", "config_class", "network_class", "sizes"),
    [
        ("set-transformer", SetTransformerConfig, SetTransformer, TINY),
        ("summary", SummaryNetworkConfig, SummaryNetwork, {"members": 1, "hidden": 8, "blocks": 1}),
    ],
)
def test_a_configuration_is_told_by_its_name_and_rebuilt_from_json(
    name: str, config_class: type[FrozenConfig], network_class: type, sizes: dict[str, Any]
) -> None:
    adapter: TypeAdapter[AnyNetworkConfig] = TypeAdapter(AnyNetworkConfig)
    config = adapter.validate_python({**sizes, "network": name})
    assert type(config) is config_class
    assert config_class.parse(config.canonical_json()) == config
    assert type(build_network(config)) is network_class


class Mean(Network):
    """A network of one's own: the mean of x y over the points, and its scale."""

    def __init__(self, config: "MeanConfig") -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), config.first))

    def encode(self, batch: Batch) -> torch.Tensor:
        product = batch.x[:, :, :1] * batch.y[:, :, :1] * batch.point_mask[:, :, None]
        return product.sum(dim=1) / batch.n[:, None]

    def decode(self, representation: torch.Tensor, tau: torch.Tensor | None = None) -> torch.Tensor:
        mean = self.scale * representation.abs()
        return mean[:, 0] if tau is None else mean * tau


class MeanConfig(SampleNetworkConfig):
    network_class: ClassVar[str] = f"{__name__}:Mean"
    predictor_class: ClassVar[str] = network_class

    network: Literal["mean"] = "mean"
    first: float = 2.0


def test_a_network_of_one_s_own_is_a_class_and_a_configuration() -> None:
    config: Any = MeanConfig()
    pairs = [pair_of(1, 30, 1, 1), pair_of(2, 20, 1, 1)]
    network = build_network(config)
    predicted = network.predict([network.read(*pair) for pair in pairs], mean=True)
    expected = [2 * abs(float((x[:, 0] * y[:, 0]).mean())) for x, y in pairs]
    np.testing.assert_allclose(predicted.mean, expected, rtol=1e-5)
    again = predictor_of(config, {"scale": np.array([3.0], dtype=np.float32)})
    np.testing.assert_allclose(again.predict(pairs, mean=True).mean, np.multiply(expected, 1.5), rtol=1e-5)
    assert config.choose(samples=1, statistics=2) == 1
    with pytest.raises(
        MistworksError, match="Expected a network over statistics to leave families out, got mean"
    ):
        build_network(config, ("elliptical",))


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(MistworksError, match="Expected hidden to be a multiple of heads, got 10 and 4"):
        SetTransformerConfig.parse({"hidden": 10, "heads": 4})
