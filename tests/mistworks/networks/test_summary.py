"""The network over statistics, and training on a table of them."""

from dataclasses import replace
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
from mistworks.estimation.entropy_cap import cap_columns
from mistworks.networks import (
    Perceptrons,
    Prediction,
    SetTransformerConfig,
    SummaryNetwork,
    SummaryNetworkConfig,
    build_network,
)
from mistworks.networks.residual import ResidualNetwork, from_scale, square_root_scale
from mistworks.networks.scale import knot_mass, middle_z, mixture_quantiles
from mistworks.normal import inverse_cdf
from mistworks.preparation.prepare import prepare
from mistworks.statistics import GROUPS, statistic_names
from mistworks.statistics.table import SummaryBlock, summarise_block
from mistworks.training import TrainingConfig, TrainingResult, train, validate
from tests.support.sources import MemorySource

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


class TwoGroups(MemorySummaries):
    """The same, of families of two groups by turns."""

    @property
    def index(self) -> Index:
        index = super().index
        return replace(index, family=np.resize(["normal-dense", "mixture"], len(index)))


SAMPLES = MemorySource.gaussian(48, seed=1)
SOURCE = MemorySummaries(SAMPLES)
TABLE = np.concatenate([SOURCE.partition(number).statistics for number in range(3)])
VALIDATION = MemorySummaries(MemorySource.gaussian(16, seed=2))


def config_of(**changes: Any) -> TrainingConfig:
    base = {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "validate_every": 6, "checkpoint_every": 5}
    return TrainingConfig(**{**base, **changes})


def run(folder: Path, network: Any = TINY, **changes: Any) -> TrainingResult:
    return train(SOURCE, VALIDATION, network, config_of(**changes), folder, "hash")


def fresh(seed: int = 3, left_out: tuple[str, ...] = ()) -> SummaryNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(TINY, left_out)
    assert isinstance(network, SummaryNetwork)
    # Untrained, all corrections are 0: give them something to say.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
    network.set_scaling(torch.from_numpy(TABLE), np.array(["a", "b", "c"] * (len(TABLE) // 3)))
    return network


def predicted(network: Perceptrons, x: np.ndarray, y: np.ndarray) -> Prediction:
    return network.predict([network.observe(prepare(x, y))], mean=False)


@given(st.integers(0, 999), st.integers(5, 60), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_quantiles_neither_cross_nor_fall_below_zero(seed: int, n: int, dx: int, dy: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dx))
    y = rng.standard_normal((n, dy)) + x[:, :1]
    sample, prediction = prepare(x, y), predicted(fresh(seed).ready(), x, y)
    assert prediction.quantiles is not None
    quantiles = prediction.quantiles[0]
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles) >= 0).all()
    assert (prediction.n[0], prediction.d[0]) == (sample.n, sample.dx + sample.dy)


def test_every_invariance_is_declared_and_kept() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 3))
    y = rng.standard_normal((80, 2)) + x[:, :2]
    network = fresh().ready()
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
    first, second = (predicted(network, *pair).quantiles for pair in ((x, y), changed))
    assert first is not None
    np.testing.assert_allclose(first, second, atol=1e-3, rtol=1e-3)


def test_numpy_gives_what_torch_gives() -> None:
    network = fresh(left_out=("a",))
    perceptrons = network.ready()
    by_numpy = perceptrons.predict_statistics(TABLE, mean=False).quantiles
    by_torch = ResidualNetwork.of(perceptrons.config, perceptrons.tensors()).mixture_quantiles(
        torch.from_numpy(TABLE)
    )
    assert by_numpy is not None
    np.testing.assert_allclose(by_numpy, by_torch.numpy(), rtol=1e-3, atol=1e-4)
    witness = network.witnesses()["a"]
    assert network.apart is not None
    table = torch.from_numpy(TABLE)
    knots = network.apart(network.standardised(table), network.estimates(table)).detach().numpy()
    np.testing.assert_allclose(
        witness.predict_statistics(TABLE, mean=False).quantiles,
        mixture_quantiles(knots),
        rtol=1e-4,
        atol=1e-5,
    )


def test_what_members_apart_learn_from_changes_the_estimator_in_nothing(tmp_path: Path) -> None:
    source, found = TwoGroups(SAMPLES), []
    for share in (1.0, 0.25):
        # The norm that is clipped is that of all members together.
        config = config_of(leave_out=True, left_out_share=share, gradient_clip=1e9)
        folder = tmp_path / str(share)
        found.append(train(source, VALIDATION, TINY, config, folder, "hash").final_estimator)
    whole, part = found
    for name, values in whole.network.tensors().items():
        np.testing.assert_array_equal(part.network.tensors()[name], values)
    assert whole.witnesses.keys() == part.witnesses.keys() == {"elliptical", "mixtures"}
    for group, witness in whole.witnesses.items():
        weights = (network.tensors()["embed.weight"] for network in (witness, part.witnesses[group]))
        assert not np.array_equal(*weights)


def test_rows_do_not_depend_on_one_another() -> None:
    network = fresh().ready()
    together = network.predict_statistics(TABLE, mean=False).quantiles
    assert together is not None
    for row in range(0, len(TABLE), 7):
        alone = network.predict_statistics(TABLE[row : row + 1], mean=False).quantiles
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-4, atol=1e-5)  # type: ignore[index]


def test_the_mean_is_that_of_the_quantiles() -> None:
    network = fresh().ready()
    knots = network._knots(TABLE, network._standardised(TABLE)).astype(np.float64)
    fine = mixture_quantiles(knots, inverse_cdf((np.arange(4000) + 0.5) / 4000)).mean(axis=1)
    np.testing.assert_allclose(network.predict_statistics(TABLE, mean=True).mean, fine, rtol=0.02, atol=0.01)


def test_strangeness_is_about_1_for_what_was_seen_and_more_for_what_was_not() -> None:
    network = fresh(left_out=("a",)).ready()
    familiar = network.predict_statistics(TABLE, mean=False).strangeness
    assert familiar is not None
    # Fewer samples than statistics: they vary in fewer directions.
    assert 0.2 < np.median(familiar) < 1.2
    odd = TABLE[:1].copy()
    position = statistic_names().index("tails.average.0")
    odd[0, position] += 1e4
    strangeness = network.predict_statistics(odd, mean=False).strangeness
    assert strangeness is not None
    assert strangeness[0] > 3
    assert network.strangest(odd[0]) == "how large values come together"


def test_no_candidate_exceeds_the_entropy_cap() -> None:
    names = statistic_names()
    table = TABLE[:1].copy()
    table[:, TINY.candidates()] = 5.0
    value, _, flag = cap_columns()
    table[0, value], table[0, flag] = 0.7, 1.0
    network = fresh()
    assert network.estimates(torch.from_numpy(table)).max() == pytest.approx(0.7)
    assert network.ready()._estimates(table).max() == pytest.approx(0.7)
    assert names[value] == "discrete.cap.0"


@given(st.floats(0, 60))
def test_the_scale_is_inverted(nats: float) -> None:
    value = torch.tensor([nats], dtype=torch.float64)
    assert from_scale(square_root_scale(value), 0.0).item() == pytest.approx(nats, abs=1e-9)


def test_knots_stand_for_levels_that_cover_everything() -> None:
    mass = knot_mass()
    assert mass.sum() == pytest.approx(1)
    np.testing.assert_allclose(middle_z(mass), stats.norm.ppf(np.cumsum(mass) - mass / 2), atol=2e-5)


def test_groups_that_are_left_out_have_no_influence() -> None:
    kept = ("sizes", "gaussian")
    network = build_network(SummaryNetworkConfig(members=1, hidden=8, blocks=1, groups=kept)).ready()
    others = [
        row for row, name in enumerate(statistic_names()) if name.split(".")[0] not in (*kept, "discrete")
    ]
    changed = TABLE.copy()
    changed[:, others] += 1.0
    first, second = (network.predict_statistics(table, mean=False).quantiles for table in (TABLE, changed))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("groups", [("sizes", "magic"), (), ("sizes", "sizes")])
def test_groups_are_checked(groups: tuple[str, ...]) -> None:
    with pytest.raises(MistworksError, match=r"Expected different names among sizes, ties, .*, got"):
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
    known = estimator.estimate_statistics(block.statistics)
    fresh_ones = estimator.estimate_many([(data.x, data.y) for data in SAMPLES.partition(0)])
    assert [one.mi for one in known] == pytest.approx([one.mi for one in fresh_ones], abs=1e-4)
    assert validate(estimator, VALIDATION).mse > 0


def test_samples_and_statistics_are_not_taken_for_one_another(tmp_path: Path) -> None:
    with pytest.raises(MistworksError, match="Expected statistics of samples for this network, got samples"):
        train(SAMPLES, SAMPLES, TINY, config_of(), tmp_path / "a", "hash")
    with pytest.raises(MistworksError, match="Expected samples for this network, got statistics"):
        run(tmp_path / "b", SetTransformerConfig(hidden=4, relation_hidden=8, heads=2, feedforward=8))
