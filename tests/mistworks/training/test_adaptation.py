"""Training that begins with the weights of the shipped estimator."""

import re
from pathlib import Path

import numpy as np
import pytest

import mistworks
from mistworks.distributions import Factor, NormalFamily, UniformInteger
from mistworks.errors import MistworksError
from mistworks.modality import DigitsSource, ModalityConfig
from mistworks.networks import SetTransformerConfig, SummaryNetworkConfig
from mistworks.presets import PRESETS, Preset, modality_preset
from mistworks.simulation.generation import generate_block
from mistworks.simulation.meta_distribution import EqualDimensions, Member, MetaDistribution, RandomDesign
from mistworks.statistics.table import summarise_block
from mistworks.training import TrainingConfig, TrainingResult, train
from mistworks.training.arrays import ArraySummaries

SMALL = TrainingConfig(
    initial="shipped", loss_scale="square-root", epochs=1, batch_size=32, validate_every=100, threads=1
)


@pytest.fixture(scope="module")
def source() -> ArraySummaries:
    meta = MetaDistribution(
        members=(Member(family=NormalFamily(dispersion=Factor())),),
        design=RandomDesign(n=UniformInteger(low=20, high=60)),
        dimensions=EqualDimensions(d=UniformInteger(low=1, high=3)),
    )
    block = generate_block(meta, 0, "train", 0, 96)
    return ArraySummaries(summarise_block(block), block.index)


def run(folder: Path, source: ArraySummaries, **changes: object) -> TrainingResult:
    training = TrainingConfig.parse({**dict(SMALL), **changes})
    return train(source, source, SummaryNetworkConfig(), training, folder, "data")


def test_it_begins_where_the_shipped_estimator_is(tmp_path: Path, source: ArraySummaries) -> None:
    result = run(tmp_path, source, learning_rate=1e-12)
    shipped = mistworks.shipped().network
    adapted = result.final_estimator.network
    expected = shipped.predict_statistics(source.statistics, mean=False).quantiles
    found = adapted.predict_statistics(source.statistics, mean=False).quantiles
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for name in ("centre", "scale"):
        np.testing.assert_array_equal(adapted.tensors()[name], shipped.tensors()[name])


def test_what_is_familiar_is_learned_anew(tmp_path: Path, source: ArraySummaries) -> None:
    adapted = run(tmp_path, source, learning_rate=1e-12).final_estimator.network
    shipped = mistworks.shipped().network
    assert not np.array_equal(adapted.tensors()["origin"], shipped.tensors()["origin"])
    strange = adapted.predict_statistics(source.statistics, mean=True).strangeness
    assert strange is not None
    assert np.median(strange) < 1.1


def test_it_learns_and_goes_on_from_a_checkpoint(tmp_path: Path, source: ArraySummaries) -> None:
    whole = run(tmp_path / "a", source, epochs=4, learning_rate=1e-3, checkpoint_every=2)
    assert whole.final_estimator.weights_sha256 != mistworks.shipped().weights_sha256
    again = run(tmp_path / "a", source, epochs=4, learning_rate=1e-3, checkpoint_every=2)
    assert again.final_estimator.weights_sha256 == whole.final_estimator.weights_sha256


def test_other_networks_are_refused(tmp_path: Path, source: ArraySummaries) -> None:
    with pytest.raises(MistworksError, match="Expected the configuration of the shipped network to adapt it"):
        train(source, source, SummaryNetworkConfig(hidden=8), SMALL, tmp_path, "data")
    with pytest.raises(MistworksError, match="Expected a network over statistics to adapt the shipped"):
        train(source, source, SetTransformerConfig(hidden=4, heads=2), SMALL, tmp_path, "data")  # type: ignore[arg-type]
    with pytest.raises(MistworksError, match="Expected leave_out = false with the weights of the shipped"):
        TrainingConfig.parse({"initial": "shipped", "leave_out": True})


def test_hashes_of_trainings_from_random_weights_stay_as_they_were() -> None:
    assert "initial" not in TrainingConfig().canonical_json()
    assert '"initial":"shipped"' in SMALL.canonical_json()
    for name in ("tiny", "quick", "shipped", "paper"):
        text = PRESETS[name].canonical_json()
        assert "modality" not in text
        assert '"initial"' not in text


# --- Presets of modalities --------------------------------------------------------------------------------


def test_a_modality_alone_is_a_preset() -> None:
    digits = PRESETS["digits"]
    assert Preset.parse('{"modality": {"name": "digits", "source": {"source": "digits"}}}') == digits
    assert digits.model == "mist-digits"
    assert PRESETS["shipped"].model == "mist"
    held_out = digits.splits["test-imd"].meta_distribution
    assert {member.family.half for member in held_out.members} == {"held-out"}  # type: ignore[union-attr]
    for split in ("train", "validation", "calibration"):
        members = digits.splits[split].meta_distribution.members  # type: ignore[index]
        assert {member.family.half for member in members} == {"training"}  # type: ignore[union-attr]


def test_the_file_of_the_how_to_is_a_preset() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "own-modality.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    preset = Preset.parse(text)
    assert preset.model == "mist-digits"
    assert preset.splits == PRESETS["digits"].splits
    assert preset.training == PRESETS["digits"].training


def test_shares_of_pairs_are_those_of_the_modality() -> None:
    config = ModalityConfig(name="digits", source=DigitsSource(), carried=0.25)
    weights = {
        member.family.name: member.weight
        for member in modality_preset(config).splits["train"].meta_distribution.members
    }
    assert weights == {"carried": 0.25, "labelled": 0.75}
    alone = modality_preset(config.model_copy(update={"carried": 1.0})).splits["train"].meta_distribution
    assert [member.family.name for member in alone.members] == ["carried"]


def test_families_of_a_modality_without_one_are_refused() -> None:
    values = PRESETS["digits"].model_dump(mode="json")
    del values["modality"]
    with pytest.raises(MistworksError, match=r"Expected a modality, from which families of train, .* draw"):
        Preset.parse(values)
    with pytest.raises(MistworksError, match="Expected splits in Preset, got none"):
        Preset.parse("{}")
    with pytest.raises(MistworksError, match="nmae"):
        Preset.parse('{"modality": {"nmae": "a", "source": {"source": "digits"}}}')
