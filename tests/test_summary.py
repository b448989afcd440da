"""The network over statistics, and training on a table of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mistworks.dataset import Index
from mistworks.errors import MistworksError
from mistworks.networks import SetTransformerConfig, SummaryNetwork, SummaryNetworkConfig, build_network, pad
from mistworks.networks.summary import from_scale, square_root_scale
from mistworks.statistics import GROUPS, statistic_names
from mistworks.statistics.table import SummaryBlock, summarise_block
from mistworks.training import TrainingConfig, TrainingResult, train, validate
from mistworks.training.losses import pinball
from tests.sources import MemorySource

TINY = SummaryNetworkConfig(members=2, hidden=16, blocks=1)


class MemorySummaries:
    """Statistics of a split in memory."""

    def __init__(self, source: MemorySource) -> None:
        self._source = source
        self._blocks = [
            summarise_block(source.partition(number)) for number in range(len(source.partition_bounds))
        ]

    @property
    def index(self) -> Index:
        return self._source.index

    @property
    def partition_bounds(self) -> list[tuple[int, int]]:
        return self._source.partition_bounds

    def partition(self, number: int) -> SummaryBlock:
        start, stop = self.partition_bounds[number]
        return SummaryBlock(start, self._blocks[number], self.index[slice(start, stop)])

    def __len__(self) -> int:
        return len(self._source)


SAMPLES = MemorySource.gaussian(48, seed=1)
SOURCE = MemorySummaries(SAMPLES)
VALIDATION = MemorySummaries(MemorySource.gaussian(16, seed=2))


def config_of(**changes: Any) -> TrainingConfig:
    base = {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "validate_every": 6, "checkpoint_every": 5}
    return TrainingConfig(**{**base, **changes})


def run(folder: Path, network: Any = TINY, **changes: Any) -> TrainingResult:
    return train(SOURCE, VALIDATION, network, config_of(**changes), folder, "hash")


def fresh(seed: int = 3) -> SummaryNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(TINY).eval()
    assert isinstance(network, SummaryNetwork)
    # Untrained, all corrections are 0: give them something to say.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
    return network


@given(st.integers(0, 999), st.integers(5, 60), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_quantiles_neither_cross_nor_fall_below_zero(seed: int, n: int, dx: int, dy: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dx)).astype(np.float32)
    y = rng.standard_normal((n, dy)).astype(np.float32) + x[:, :1]
    network = fresh(seed)
    levels = torch.linspace(0.001, 0.999, 301).expand(1, -1)
    with torch.no_grad():
        quantiles = network.decode(network.encode(pad([(x, y)])), levels)[0]
    assert quantiles.isfinite().all()
    assert (quantiles >= 0).all()
    assert (quantiles.diff() >= -1e-5 * quantiles[1:]).all()


def test_every_invariance_is_declared_and_kept() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 3)).astype(np.float32)
    y = rng.standard_normal((80, 2)).astype(np.float32) + x[:, :2]
    network = fresh()
    assert network.invariances == {
        "points",
        "coordinates",
        "location-scale",
        "increasing",
        "reflection",
        "swap",
    }
    points = rng.permutation(80)
    changed = (-np.exp(y[points][:, ::-1]), x[points][:, [2, 0, 1]] ** 3)
    with torch.no_grad():
        first, second = (network.encode(pad([pair])) for pair in ((x, y), changed))
    torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)


def test_the_mean_is_that_of_the_quantiles() -> None:
    network = fresh()
    with torch.no_grad():
        knots = network.encode_statistics(torch.from_numpy(SOURCE.partition(0).statistics))
        fine = network.decode(knots, ((torch.arange(4000) + 0.5) / 4000).expand(len(knots), -1)).mean(dim=1)
        torch.testing.assert_close(network.decode(knots), fine, rtol=0.02, atol=0.01)


@given(st.floats(0, 60))
def test_the_scale_is_inverted(nats: float) -> None:
    value = torch.tensor([nats], dtype=torch.float64)
    assert from_scale(square_root_scale(value), 0.0).item() == pytest.approx(nats, abs=1e-9)


def test_pinball_on_the_square_root_scale_has_the_quantile_for_its_minimum() -> None:
    target = torch.from_numpy(stats.gamma.rvs(2.0, size=4001, random_state=0)).float()
    tau = torch.full((len(target), 1), 0.8)
    candidates = torch.linspace(1.5, 4.5, 301)
    losses = [
        pinball(square_root_scale(value.expand(len(target), 1)), square_root_scale(target), tau).mean()
        for value in candidates
    ]
    assert candidates[torch.stack(losses).argmin()].item() == pytest.approx(
        torch.quantile(target, 0.8).item(), abs=0.02
    )


def test_groups_that_are_left_out_have_no_influence() -> None:
    kept = ("sizes", "gaussian")
    network = build_network(SummaryNetworkConfig(members=1, hidden=8, blocks=1, groups=kept)).eval()
    assert isinstance(network, SummaryNetwork)
    table = torch.from_numpy(SOURCE.partition(0).statistics.copy())
    others = [row for row, name in enumerate(statistic_names()) if name.split(".")[0] not in kept]
    changed = table.clone()
    changed[:, others] += 1.0
    with torch.no_grad():
        assert torch.equal(network.encode_statistics(table), network.encode_statistics(changed))


@pytest.mark.parametrize("groups", [("sizes", "magic"), (), ("sizes", "sizes")])
def test_groups_are_checked(groups: tuple[str, ...]) -> None:
    with pytest.raises(MistworksError, match=r"groups are different names among sizes, ties, .* came; mend"):
        SummaryNetworkConfig.parse({"groups": groups})
    assert "sizes" in GROUPS


def test_training_lowers_the_loss_and_is_the_same_again(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", epochs=12), run(tmp_path / "b", epochs=12)
    assert first.history[-1].validation_loss < first.history[0].validation_loss
    assert first.estimator.weights_sha256 == second.estimator.weights_sha256


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")

    def stop(progress: Any) -> None:
        if progress.step == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SOURCE, VALIDATION, TINY, config_of(), tmp_path / "cut", "hash", stop)
    assert run(tmp_path / "cut").estimator.weights_sha256 == whole.estimator.weights_sha256


def test_estimates_from_statistics_are_those_from_samples(tmp_path: Path) -> None:
    estimator = run(tmp_path).estimator
    block = SOURCE.partition(0)
    index = block.index
    known = estimator.estimate_statistics(block.statistics, index.n, index.dx + index.dy)
    fresh_ones = estimator.estimate_many([(data.x, data.y) for data in SAMPLES.partition(0)])
    assert [one.mi for one in known] == pytest.approx([one.mi for one in fresh_ones], abs=1e-4)
    assert validate(estimator, VALIDATION).mse > 0


def test_samples_and_statistics_are_not_taken_for_one_another(tmp_path: Path) -> None:
    with pytest.raises(
        MistworksError, match="a network over statistics is trained on statistics, and samples"
    ):
        train(SAMPLES, SAMPLES, TINY, config_of(), tmp_path / "a", "hash")
    with pytest.raises(MistworksError, match="this network is trained on samples, and statistics"):
        run(tmp_path / "b", SetTransformerConfig(hidden=4, relation_hidden=8, heads=2, feedforward=8))
    estimator = run(tmp_path / "c").estimator
    with pytest.raises(MistworksError, match="x has 65; reduce the dimension first"):
        estimator.estimate(np.random.default_rng(0).standard_normal((20, 65)), np.arange(20.0))
