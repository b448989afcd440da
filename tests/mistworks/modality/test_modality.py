"""A modality: rows, features, halves and flows; its bytes, its oracles, and what it refuses.

Seeds are fixed. A test of a distribution would fail a correct implementation with probability about 1e-6 for
a fresh seed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zuko
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from zuko.transforms import MonotonicRQSTransform

from mistworks.distributions import (
    Carried,
    CarriedFamily,
    CheckerboardFamily,
    Factor,
    FlowSampler,
    LabelledFamily,
    Normal,
    NormalFamily,
    RowsSampler,
)
from mistworks.distributions.carried import NormalTables, standardised
from mistworks.distributions.label_samplers import RowsOfLabels, truncated_normal
from mistworks.errors import MistworksError
from mistworks.modality import DigitsSource, FileSource, FlowConfig, Modality, ModalityConfig
from mistworks.modality.fitting import _exported, fit_modality
from mistworks.modality.flow import SplineFlow, spline_inverse
from mistworks.modality.rows import read_rows
from mistworks.simulation.meta_distribution import MetaDistribution
from mistworks.simulation.modality import modality_meta_distribution

Array = NDArray[np.float64]

FLOW = FlowConfig(transforms=2, hidden=(16, 16), bins=4, epochs=3, batch_size=64)


def write_rows(path: Path, *, labelled: bool = True, count: int = 240) -> Path:
    """Rows of 2 × 3 pixels around one of three centres."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    rows = rng.standard_normal((count, 2, 3)) + 3.0 * rng.standard_normal((3, 2, 3))[labels]
    names = np.array(["ash", "birch", "cedar"])[labels]
    np.savez(path, rows=rows, **({"labels": names} if labelled else {}))
    return path


def config_of(path: Path, **changes: Any) -> ModalityConfig:
    given = {"name": "trees", "source": FileSource(path=str(path)), "components": 4, "flow": FLOW}
    return ModalityConfig(**{**given, **changes})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "trees.npz")


@pytest.fixture(scope="module")
def modality(path: Path) -> Modality:
    return fit_modality(config_of(path))


def bound(modality: Modality, half: Any = "training", **changes: Any) -> MetaDistribution:
    meta = modality_meta_distribution(modality.config.model_copy(update=changes), half)
    return meta.fitted(modality.fit).on(modality)


# --- Bytes ------------------------------------------------------------------------------------------------


def test_the_same_rows_give_the_same_bytes_with_any_number_of_threads(path: Path, modality: Modality) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(123)
    torch.set_num_threads(2)
    try:
        again = fit_modality(config_of(path))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert again.content == modality.content
    assert again.fit == modality.fit


def test_a_file_moved_elsewhere_is_the_same_modality_and_another_content_is_not(
    tmp_path: Path, modality: Modality
) -> None:
    moved = write_rows(tmp_path / "moved.npz")
    assert fit_modality(config_of(moved)).content == modality.content
    other = write_rows(tmp_path / "other.npz", count=250)
    assert fit_modality(config_of(other)).fit.key != modality.fit.key


def test_it_survives_its_file(tmp_path: Path, modality: Modality) -> None:
    loaded = Modality.load(modality.save(tmp_path))
    assert loaded.content == modality.content
    assert loaded.fit == modality.fit
    z = np.random.default_rng(0).standard_normal((50, 4))
    np.testing.assert_array_equal(loaded.held_out.flow.carry(z), modality.held_out.flow.carry(z))


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not tensors")
    with pytest.raises(MistworksError, match=r"Expected the file of a modality at .*, got something else"):
        Modality.load(other)
    with pytest.raises(MistworksError, match=r"Expected the file of a modality at .*, got: No such file"):
        Modality.load(tmp_path / "none.safetensors")


# --- Rows, halves and features ----------------------------------------------------------------------------


def test_halves_share_no_row_and_have_each_label_alike(path: Path, modality: Modality) -> None:
    features = modality.features(read_rows(FileSource(path=str(path))).values)
    both = np.vstack([modality.training.features, modality.held_out.features])
    np.testing.assert_allclose(np.sort(both, axis=0), np.sort(features, axis=0), atol=1e-12)
    assert len(np.unique(both, axis=0)) == 240
    for half in modality.halves.values():
        assert np.bincount(half.labels).tolist() == [40, 40, 40]


def test_features_are_white_on_the_training_half_only(modality: Modality) -> None:
    np.testing.assert_allclose(np.cov(modality.training.features.T), np.eye(4), atol=1e-10)
    np.testing.assert_allclose(modality.training.features.mean(axis=0), 0.0, atol=1e-10)
    assert np.abs(np.cov(modality.held_out.features.T) - np.eye(4)).max() > 1e-3


def test_features_of_new_rows_take_their_size(modality: Modality) -> None:
    assert modality.features(np.zeros((5, 2, 3))).shape == (5, 4)
    with pytest.raises(
        MistworksError, match="Expected rows of 6 values, as the modality was fitted on, got 7"
    ):
        modality.features(np.zeros((5, 7)))


def refused(tmp_path: Path, match: str, changes: dict[str, Any] | None = None, **arrays: Any) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(MistworksError, match=match):
        fit_modality(config_of(path, **(changes or {})))


def test_rows_that_do_not_suffice_are_refused_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, labels = rng.standard_normal((60, 6)), np.arange(60) % 2
    refused(tmp_path, "Expected the array rows in .*, got x. Save it with numpy.savez", x=rows)
    refused(tmp_path, "Expected rows of numbers in .* N ≥ 20, got float64 of shape", rows=rows[:9])
    refused(tmp_path, "Expected rows of numbers in .*, got <U1", rows=np.full((60, 2), "a"))
    bad = np.where(np.arange(60)[:, None] == 3, np.nan, rows)
    refused(tmp_path, "Expected finite numbers in the rows of .* in 1 of 60", rows=bad, labels=labels)
    refused(tmp_path, "Expected one label .* per row .* got int64 of shape", rows=rows, labels=labels[:9])
    refused(tmp_path, "Expected labels beside the rows of trees for pairs by label, got none", rows=rows)
    flat = np.hstack([rows[:, :2], np.zeros((60, 4))])
    refused(tmp_path, "vary in at least 4 directions, got 2", rows=flat, labels=labels)
    rare = np.where(np.arange(60) == 0, 2, labels)
    refused(tmp_path, "Expected at least 2 rows of each label in each half, got 1", rows=rows, labels=rare)
    twins = np.repeat(rows[:6], 10, axis=0)
    refused(
        tmp_path, "Expected rows with the same features to have the same label", rows=twins, labels=labels
    )


def test_a_file_that_is_not_the_expected_one_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(MistworksError, match=r"Expected rows with the hash 0{64} in .*, got \w{64}. Restore"):
        fit_modality(config_of(path, source=FileSource(path=str(path), sha256="0" * 64)))
    with pytest.raises(MistworksError, match=r"Expected to read the rows of /.*none.npz, got: No such file"):
        fit_modality(config_of(tmp_path / "none.npz"))
    text = tmp_path / "text.npz"
    text.write_text("rows")
    with pytest.raises(MistworksError, match=r"Expected arrays of NumPy \(.npz\) in"):
        fit_modality(config_of(text))


def test_rows_without_labels_are_carried_by_flows_alone(tmp_path: Path) -> None:
    fitted = fit_modality(config_of(write_rows(tmp_path / "bare.npz", labelled=False), carried=1.0))
    assert fitted.labels == 0
    names = {bound(fitted).draw(0, "train", index).family for index in range(20)}
    assert names == {"carried"}


def test_unknown_keys_of_the_configuration_are_refused() -> None:
    with pytest.raises(MistworksError, match="Expected only known keys in ModalityConfig, got colour"):
        ModalityConfig.parse('{"name": "a", "source": {"source": "digits"}, "colour": 1}')
    with pytest.raises(MistworksError, match=r"Expected a known 'source' .* Choose one of 'digits', 'file'"):
        ModalityConfig.parse('{"name": "a", "source": {"source": "web"}}')
    with pytest.raises(MistworksError, match="Expected name of ModalityConfig to match pattern"):
        ModalityConfig.parse('{"name": "A b", "source": {"source": "digits"}}')


# --- Flows ------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32), bins=st.integers(2, 12), scale=st.floats(0.1, 10))
@settings(max_examples=50, deadline=None)
def test_splines_are_those_of_zuko(seed: int, bins: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    parameters = scale * rng.standard_normal((60, 3 * bins - 1))
    y = np.r_[rng.uniform(-5, 5, 50), rng.standard_normal(6) * 8, -5.0, 5.0, 0.0, 7.0]
    widths, heights, slopes = torch.from_numpy(parameters).split([bins, bins, bins - 1], dim=1)
    expected = MonotonicRQSTransform(widths, heights, slopes).inv(torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(spline_inverse(y, parameters), expected, atol=1e-8)


@pytest.mark.parametrize(
    ("features", "transforms", "hidden"), [(2, 1, (5,)), (5, 3, (16, 8)), (8, 4, (64,) * 3)]
)
def test_flows_are_those_of_zuko(features: int, transforms: int, hidden: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    flow = zuko.flows.NSF(features, transforms=transforms, bins=6, hidden_features=hidden).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(2.0)
        z = torch.randn(200, features, dtype=torch.float64)
        expected = flow().transform.inv(z).numpy()
        exported = _exported(flow)
        carried = exported.carry(z.numpy())
        back = flow().transform(torch.from_numpy(carried)).numpy()
    np.testing.assert_allclose(carried, expected, atol=1e-9)
    np.testing.assert_allclose(back, z.numpy(), atol=1e-8)
    restored = SplineFlow.of(exported.tensors("a"), "a")
    assert restored.size == features
    np.testing.assert_array_equal(restored.carry(z.numpy()), carried)


def test_points_are_carried_one_by_one(modality: Modality) -> None:
    z = np.random.default_rng(0).standard_normal((300, 4))
    carried = modality.training.flow.carry(z)
    np.testing.assert_allclose(modality.training.flow.carry(z[77:78]), carried[77:78], atol=1e-12)


@pytest.mark.slow
def test_flows_of_digits_fit_images_that_they_have_not_seen() -> None:
    """Within 0.1 nats of the figure in a trial, 8.83, and far better than a normal distribution."""
    digits = fit_modality(ModalityConfig(name="digits", source=DigitsSource()))
    for half in digits.halves.values():
        assert half.loss < 8.93
        assert half.gaussian_loss > 11.2
    assert digits.labels == 10


# --- Families ---------------------------------------------------------------------------------------------


def test_standardised_normals_keep_their_information() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        joint = NormalFamily(dispersion=Factor()).draw(5, 3, rng)
        white = standardised(joint)
        np.testing.assert_allclose(white.dispersion[:5, :5], np.eye(5), atol=1e-12)
        np.testing.assert_allclose(white.dispersion[5:, 5:], np.eye(3), atol=1e-12)
        assert white.mutual_information == pytest.approx(joint.mutual_information, abs=1e-9)


def test_tables_with_normal_margins_have_standard_normal_sides() -> None:
    """Kolmogorov–Smirnov tests of random directions of both sides, and the information of the cells."""
    rng = np.random.default_rng(2)
    family = CarriedFamily(kinds=(CheckerboardFamily(),))
    pairs = tuple(CheckerboardFamily().draw(1, 1, rng) for _ in range(2))
    joint = NormalTables(pairs, np.eye(3), np.eye(3))
    assert family.kinds == (CheckerboardFamily(),)
    assert joint.mutual_information == pytest.approx(sum(pair.mutual_information for pair in pairs))
    for side in joint.sample(20_000, rng):
        for _ in range(6):
            direction = rng.standard_normal(3)
            projected = side @ (direction / np.linalg.norm(direction))
            assert stats.kstest(projected, "norm").pvalue > 1e-6


def test_cells_can_be_read_from_normal_scores() -> None:
    """The ranks of both sides give back the cells, in the frequencies of the table: a chi-square test."""
    rng = np.random.default_rng(3)
    pair = CheckerboardFamily(atomic=1.0).draw(1, 1, rng)
    joint = NormalTables((pair,), np.eye(1), np.eye(1))
    u, v = joint.sample(20_000, rng)
    row = np.searchsorted(np.cumsum(pair.table.sum(axis=1))[:-1], stats.norm.cdf(u[:, 0].astype(float)))
    column = np.searchsorted(np.cumsum(pair.table.sum(axis=0))[:-1], stats.norm.cdf(v[:, 0].astype(float)))
    counts = np.zeros(pair.table.shape)
    np.add.at(counts, (row, column), 1)
    expected = pair.table * 20_000
    kept = expected > 5
    statistic = (np.square(counts - expected)[kept] / expected[kept]).sum()
    assert stats.chi2.sf(statistic, kept.sum()) > 1e-6


def test_carried_pairs_are_latents_behind_a_bijection(modality: Modality) -> None:
    rng = np.random.default_rng(4)
    family = CarriedFamily(fit=modality.fit).on(modality)
    for _ in range(10):
        joint = family.draw(4, 4, rng)
        assert isinstance(joint, Carried)
        assert joint.mutual_information == joint.latents.mutual_information
        x, y = joint.sample(300, np.random.default_rng(5))
        u, v = joint.latents.sample(300, np.random.default_rng(5))
        np.testing.assert_array_equal(x, joint.flow.carry(u.astype(np.float64)).astype(np.float32))
        np.testing.assert_array_equal(y, joint.flow.carry(v.astype(np.float64)).astype(np.float32))
        assert len(np.unique(x, axis=0)) == 300
        assert x.dtype == y.dtype == np.float32
    kinds = {type(family.draw(4, 4, rng).latents) for _ in range(30)}
    assert kinds == {Normal, NormalTables}


def test_rows_tell_their_label_and_repeat_only_when_the_deck_runs_out(modality: Modality) -> None:
    rng = np.random.default_rng(6)
    half = modality.training
    for _ in range(20):
        labels = int(rng.integers(2, 4))
        sampler = RowsSampler().draw(np.full(labels, 1 / labels), 4, half, rng)
        assert isinstance(sampler, RowsOfLabels)
        label = rng.integers(labels, size=60)
        values = sampler(label, rng)
        group = {
            tuple(row): int(own)
            for row, own in zip(half.features.astype(np.float32).tolist(), half.labels, strict=True)
        }
        drawn = np.array([group[tuple(row)] for row in values.tolist()])
        for number, deck in enumerate(sampler.decks):
            assert set(drawn[label == number]) <= set(half.labels[deck])
            repeats = np.unique(values[label == number], axis=0, return_counts=True)[1]
            assert repeats.max(initial=0) <= -(-int((label == number).sum()) // len(deck))
    everyone = RowsSampler(grouped=1.0).draw(np.full(2, 0.5), 4, half, rng)
    assert sum(map(len, everyone.decks)) == len(half.labels)


def test_cells_of_the_flow_tell_their_label(modality: Modality) -> None:
    rng = np.random.default_rng(7)
    sampler = FlowSampler().draw(np.array([0.2, 0.5, 0.3]), 4, modality.held_out, rng)
    label = rng.integers(3, size=500)
    points, stream = sampler(label, np.random.default_rng(8)), np.random.default_rng(8)
    latents = stream.standard_normal((500, 4))
    latents[:, 0] = truncated_normal(sampler.cuts, label, stream)
    assert np.array_equal(np.searchsorted(sampler.cuts, latents[:, 0]), label)
    expected = modality.held_out.flow.carry(latents @ sampler.rotation)
    np.testing.assert_array_equal(points, expected.astype(np.float32))
    shares = np.diff(np.r_[0.0, stats.norm.cdf(sampler.cuts), 1.0])
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=1e-9)


def test_datasets_come_from_the_half_that_is_named(modality: Modality) -> None:
    pools = {
        half: {tuple(row) for row in held.features.astype(np.float32).tolist()}
        for half, held in modality.halves.items()
    }
    for half in ("training", "held-out"):
        meta = bound(modality, half, carried=0.0)
        for index in range(8):
            dataset = meta.dataset(0, "train", index)
            assert {tuple(row) for row in np.vstack([dataset.x, dataset.y]).tolist()} <= pools[half]  # type: ignore[index]
            assert dataset.family == "labelled"


# --- Meta-distributions -----------------------------------------------------------------------------------


def test_families_wait_for_their_modality(modality: Modality) -> None:
    meta = modality_meta_distribution(modality.config, "training")
    assert meta.needs_modality
    assert meta.fit is None
    with pytest.raises(MistworksError, match="Expected a fitted modality for the family"):
        meta.dataset(0, "train", 0)
    known = meta.fitted(modality.fit)
    assert known.fit == modality.fit
    assert MetaDistribution.parse(known.canonical_json()) == known
    with pytest.raises(MistworksError, match="Expected a fitted modality for the family"):
        known.dataset(0, "train", 0)
    assert known.on(modality).dataset(0, "train", 0).x.shape[1] == 4


def test_another_modality_is_refused(tmp_path: Path, modality: Modality) -> None:
    other = fit_modality(config_of(write_rows(tmp_path / "a.npz", count=300)))
    known = modality_meta_distribution(modality.config, "training").fitted(modality.fit)
    with pytest.raises(MistworksError, match=r"Expected the modality \w{12}…, got \w{12}…. Restore the file"):
        known.on(other)


def test_other_dimensions_than_the_features_are_refused(modality: Modality) -> None:
    meta = modality_meta_distribution(modality.config.model_copy(update={"components": 5}), "training")
    with pytest.raises(
        MistworksError, match="Expected dx = dy = 4, the number of features of the modality, got dx = 5"
    ):
        meta.fitted(modality.fit)
    family = LabelledFamily(samplers=(RowsSampler(),), fit=modality.fit).on(modality)
    with pytest.raises(MistworksError, match="Expected dx = dy = 4"):
        family.draw(3, 3, np.random.default_rng(0))


def test_any_slice_in_any_order_is_the_same(modality: Modality) -> None:
    meta = bound(modality)
    forwards = [meta.dataset(3, "train", index) for index in range(6)]
    for index in reversed(range(6)):
        again = meta.dataset(3, "train", index)
        assert again.x.tobytes() == forwards[index].x.tobytes()
        assert again.y.tobytes() == forwards[index].y.tobytes()
        assert again.mi == forwards[index].mi
