"""Splits as published, weights and grids respected, and bad configurations refused in one sentence."""

import hashlib
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from mistworks.distributions import (
    AdditiveNoiseFamily,
    Dense,
    LatentVariable,
    NormalFamily,
    Sparse,
    StudentFamily,
    UniformInteger,
)
from mistworks.distributions.priors import LogUniformInteger
from mistworks.errors import MistworksError
from mistworks.presets import PRESETS, Preset, load_preset
from mistworks.simulation.meta_distribution import (
    GridDesign,
    Member,
    MetaDistribution,
    RandomDesign,
    SeparateDimensions,
)
from mistworks.simulation.splits import SplitConfig, general_splits, published_splits

FALSE_ALARM = 1e-6
"""Chance that a statistical check fails a correct implementation under a fresh seed; seeds here are fixed."""

PUBLISHED = {
    "train": """normal-dense-base normal-dense-halfcube normal-dense-asinh normal-sparse-wigglify
        normal-sparse-base normal-lvm-wigglify normal-lvm-base normal-2pair-base student-dense-base
        student-dense-wigglify student-sparse-halfcube student-sparse-base student-sparse-asinh
        student-2pair-asinh student-2pair-halfcube additive-wigglify""",
    "validation": """normal-dense-base normal-dense-wigglify normal-sparse-base normal-lvm-wigglify
        student-dense-base student-sparse-halfcube student-sparse-base student-2pair-halfcube
        additive-wigglify""",
    "test-imd": """normal-dense-base normal-dense-halfcube normal-lvm-wigglify student-dense-base
        student-sparse-base student-sparse-asinh""",
    "test-oomd": """normal-dense-wigglify normal-sparse-halfcube normal-sparse-asinh
        student-sparse-wigglify student-dense-halfcube additive-base additive-halfcube""",
}
SIZES = {"train": 16, "validation": 9, "test-imd": 6, "test-oomd": 7}


def names(meta: MetaDistribution) -> list[str]:
    return [f"{member.family.name}-{member.transform}" for member in meta.members]


def valid() -> dict[str, Any]:
    """A small valid configuration, as read from JSON."""
    return {
        "members": [
            {"family": {"family": "normal", "dispersion": {"structure": "dense"}}, "transform": "asinh"},
            {"family": {"family": "student", "dispersion": {"structure": "2pair"}}},
            {"family": {"family": "additive"}},
        ],
        "design": {"design": "random", "n": {"low": 10, "high": 20}},
        "dimensions": {"dimensions": "equal", "d": {"low": 2, "high": 4}},
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The valid configuration with the value at a dotted path replaced or added."""
    config: Any = valid()
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = config
    for part in parents:
        place = place[part]
    place[last] = value
    return dict(config)


# --- The published splits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["tiny", "quick", "paper"])
@pytest.mark.parametrize("split", PUBLISHED)
def test_members_are_those_published(preset: str, split: str) -> None:
    members = names(PRESETS[preset].splits[split].meta_distribution)  # type: ignore[index]
    assert sorted(members) == sorted(PUBLISHED[split].split())
    assert len(members) == SIZES[split]


def test_the_general_meta_distribution_is_wide_and_leaves_the_published_tests_as_they_are() -> None:
    shipped, published = PRESETS["shipped"].splits, PRESETS["paper"].splits
    for split in ("test-imd", "test-oomd"):
        assert shipped[split] == published[split]  # type: ignore[index]
    wide = shipped["train"].meta_distribution
    assert wide == shipped["validation"].meta_distribution == shipped["calibration"].meta_distribution
    families = {member.family.name for member in wide.members}
    assert families >= {member.family.name for member in published["train"].meta_distribution.members}
    assert families >= {"checkerboard", "cells", "pairs", "channel", "mixture", "atoms", "normal-factor"}
    assert families >= {"independent", "readouts"}
    draws = [wide.draw(0, "train", index) for index in range(300)]
    assert {draw.joint.dx == draw.joint.dy for draw in draws} == {True, False}
    assert min(draw.joint.dx for draw in draws) == 1
    assert any(draw.joint.mutual_information == 0 for draw in draws)
    assert all(draw.joint.standard_error < 0.0101 for draw in draws)


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_counts_are_those_published(preset: str) -> None:
    counts = {name: split.count for name, split in PRESETS[preset].splits.items()}
    train = {"quick": 20_000, "paper": 625_000}[preset]
    assert counts == {"train": train, "validation": 612, "test-imd": 1_080, "test-oomd": 1_260}
    assert counts["test-imd"] + counts["test-oomd"] == 2_340


@pytest.mark.parametrize(
    ("split", "values", "repetitions"),
    [
        ("validation", np.linspace(10, 300, 34).astype(int), 2),
        ("test-imd", np.linspace(10, 500, 20).astype(int), 9),
        ("test-oomd", np.linspace(10, 500, 20).astype(int), 9),
    ],
)
def test_grid_visits_every_member_at_every_n(split: str, values: np.ndarray, repetitions: int) -> None:
    config = load_preset("paper").split(split)  # type: ignore[arg-type]
    meta = config.meta_distribution
    draws = [meta.draw(0, split, index) for index in range(config.count)]
    cells = Counter((draw.n, f"{draw.family}-{draw.transform}") for draw in draws)
    assert cells == {(n, name): repetitions for n in values.tolist() for name in PUBLISHED[split].split()}
    assert {draw.joint.dx for draw in draws} <= set(range(2, 33))
    assert all(draw.joint.dx == draw.joint.dy for draw in draws)


def test_training_split_draws_n_dimension_and_member_uniformly() -> None:
    """Three chi-square tests over 8,000 draws, each failing a correct split with probability 1e-6."""
    meta = load_preset("paper").split("train").meta_distribution
    draws = [meta.draw(3, "train", index) for index in range(8_000)]
    n = np.array([draw.n for draw in draws])
    assert (n.min(), n.max()) == (10, 500)
    members = Counter(f"{draw.family}-{draw.transform}" for draw in draws)
    assert set(members) == set(PUBLISHED["train"].split())
    dimensions = Counter(draw.joint.dx for draw in draws)
    assert set(dimensions) == set(range(2, 33))
    by_decile = np.histogram(n, bins=np.linspace(9.5, 500.5, 492))[0][:490].reshape(10, 49).sum(axis=1)
    for counts in (list(members.values()), list(dimensions.values()), by_decile):
        assert stats.chisquare(counts).pvalue > FALSE_ALARM


def test_weights_are_respected() -> None:
    members = tuple(
        Member(family=NormalFamily(dispersion=structure), weight=weight)
        for structure, weight in ((Dense(), 1), (Sparse(), 5), (LatentVariable(), 0.5))
    )
    meta = MetaDistribution(
        members=members,
        design=RandomDesign(n=UniformInteger(low=1, high=1)),
        dimensions=SeparateDimensions(dx=UniformInteger(low=1, high=2), dy=UniformInteger(low=1, high=3)),
    )
    draws = [meta.draw(0, "train", index) for index in range(13_000)]
    counts = Counter(draw.family for draw in draws)
    observed = [counts[f"normal-{structure}"] for structure in ("dense", "sparse", "lvm")]
    assert stats.chisquare(observed, [2_000, 10_000, 1_000]).pvalue > FALSE_ALARM
    sides = Counter((draw.joint.dx, draw.joint.dy) for draw in draws)
    assert len(sides) == 6
    assert stats.chisquare(list(sides.values())).pvalue > FALSE_ALARM


@given(low=st.integers(1, 200), span=st.integers(0, 400), steps=st.integers(2, 50))
def test_grid_truncates_evenly_spaced_values(low: int, span: int, steps: int) -> None:
    """n of step s is ⌊low + s · span / (steps − 1)⌋, by exact arithmetic; the ends are met."""
    design = GridDesign(n=UniformInteger(low=low, high=low + span), steps=steps)
    rng = np.random.default_rng(0)
    chosen = [design.choose(index, (0.5, 1.0), rng) for index in range(2 * steps)]
    assert [member for member, _ in chosen] == [0, 1] * steps
    n = [n for _, n in chosen[::2]]
    assert (n[0], n[-1]) == (low, low + span)
    assert all(0 <= (low + step * span / (steps - 1)) - value < 1 + 1e-9 for step, value in enumerate(n))
    assert design.choose(2 * steps, (0.5, 1.0), rng) == chosen[0]


def test_most_values_bounds_every_dataset() -> None:
    meta = MetaDistribution.parse(valid())
    assert meta.most_values == 20 * (4 + 4)
    sizes = [draw.n * (draw.joint.dx + draw.joint.dy) for draw in (meta.draw(0, "t", i) for i in range(500))]
    assert max(sizes) <= meta.most_values


# --- Configuration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_json_and_pickle(preset: str, tmp_path: Path) -> None:
    config = PRESETS[preset]
    text = config.canonical_json()
    assert Preset.parse(text) == config
    assert Preset.parse(json.loads(text)).canonical_json() == text
    path = tmp_path / "own preset.json"
    path.write_text(json.dumps(json.loads(text), indent=2), encoding="utf-8")
    assert load_preset(str(path)) == config
    assert pickle.loads(pickle.dumps(config)) == config


def test_canonical_json_ignores_order_of_keys_and_defaults() -> None:
    reordered = {key: valid()[key] for key in reversed(valid())}
    spelt_out = changed("members.2.family.noise", {"low": 0.1, "high": 2.0})
    texts = {MetaDistribution.parse(values).canonical_json() for values in (valid(), reordered, spelt_out)}
    assert len(texts) == 1
    assert MetaDistribution.parse(changed("members.0.weight", 2)).canonical_json() not in texts


def test_meta_distribution_is_frozen_and_compares_by_value() -> None:
    one, other = MetaDistribution.parse(valid()), MetaDistribution.parse(valid())
    one.draw(0, "train", 0)  # caches must not enter the comparison
    assert one == other
    assert hash(one) == hash(MetaDistribution.parse(one.canonical_json()))
    assert one.canonical_json() == other.canonical_json()
    for target, name in ((one, "members"), (one.design, "n"), (one.members[0], "weight")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(target, name, 1)


def test_split_takes_another_count() -> None:
    preset = PRESETS["tiny"]
    assert preset.split("train", 7) == SplitConfig(
        meta_distribution=preset.splits["train"].meta_distribution, count=7
    )
    assert preset.split("train") == preset.splits["train"]
    with pytest.raises(
        MistworksError, match="Expected count of SplitConfig to be greater than or equal to 1, got 0"
    ):
        preset.split("train", 0)
    with pytest.raises(MistworksError, match=r"Expected one of the splits train, validation.*, got 'trian'"):
        preset.split("trian")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "colour",
            1,
            "Expected only known keys in MetaDistribution, got colour. Remove it or correct its spelling.",
        ),
        ("members.0.wieght", 1, "Expected only known keys in MetaDistribution, got members.0.wieght"),
        ("members.0.family.dispersion.rho", 1, "known keys in MetaDistribution, got .*dispersion.dense.rho"),
        (
            "members.0.family",
            {"family": "gauss"},
            "Expected a known 'family' in members.0.family of .*, got 'gauss'. Choose one of 'normal'",
        ),
        (
            "members.0.family",
            {},
            "Expected the key 'family' in members.0.family of MetaDistribution, which says .*, got none. Add",
        ),
        ("members.0.family.dispersion.structure", "full", "got 'full'. Choose one of 'dense'"),
        ("members.0.transform", "cube", "got 'cube'. Choose one of base, asinh, halfcube"),
        ("members.0.weight", 0, "weight of MetaDistribution to be greater than 0, got 0"),
        ("members.0.weight", float("inf"), "weight of MetaDistribution to be .*, got inf"),
        ("members.0.weight", 1e308, "weight of MetaDistribution to be less than or equal to"),
        ("members", [], "Expected members of MetaDistribution to have at least 1 item, got \\[\\]"),
        ("design", {"design": "random"}, "Expected design.random.n in MetaDistribution, got none. Add it."),
        (
            "design.n.high",
            100_001,
            "Expected n ≤ 100,000, got 100,001. Lower it [(]design.random.n of MetaDistribution[)].",
        ),
        ("design.n.low", 0, "n.low of MetaDistribution to be greater than or equal to 1, got 0"),
        ("design.n.low", 21, "Expected low ≤ high, got low = 21, high = 20"),
        ("design.n.low", 10.5, "n.low of MetaDistribution to be a valid integer, got 10.5. Correct it."),
        ("dimensions.d.high", 513, "Expected a dimension ≤ 512, got 513"),
        ("dimensions.d.low", 0, "d.low of MetaDistribution to be greater than or equal to 1, got 0"),
        ("dimensions.d.low", 1, "Expected dimension of student-2pair ≥ 2, got 1"),
        (
            "dimensions",
            {"dimensions": "separate", "dx": {"low": 2, "high": 3}, "dy": {"low": 2, "high": 3}},
            "Expected dx = dy for the family additive, got dx = 2, dy = 3",
        ),
    ],
)
def test_bad_configuration_is_refused_in_one_sentence(path: str, value: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message) as caught:
        MetaDistribution.parse(changed(path, value))
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_grid_of_unequal_weights_is_refused() -> None:
    values = changed("design", {"design": "grid", "n": {"low": 10, "high": 20}, "steps": 3})
    assert MetaDistribution.parse(values).cells == 9
    values["members"][0]["weight"] = 2
    with pytest.raises(MistworksError, match="Expected equal weights of all members"):
        MetaDistribution.parse(values)


def test_additive_takes_separate_dimensions_that_can_only_be_equal() -> None:
    three = {"low": 3, "high": 3}
    meta = MetaDistribution.parse(changed("dimensions", {"dimensions": "separate", "dx": three, "dy": three}))
    assert {meta.draw(0, "t", i).joint.dy for i in range(20)} == {3}


@pytest.mark.parametrize("family", [NormalFamily, StudentFamily])
def test_elliptical_families_refuse_too_few_dimensions(family: type[NormalFamily | StudentFamily]) -> None:
    one = family.parse({"dispersion": {"structure": "2pair"}})
    one.require_dimensions(2, 9)
    for dx, dy in ((1, 2), (2, 1)):
        with pytest.raises(MistworksError, match=r"Expected dimension of .*-2pair ≥ 2, got 1"):
            one.require_dimensions(dx, dy)
    with pytest.raises(MistworksError, match="Expected dimension of additive ≥ 1, got 0"):
        AdditiveNoiseFamily().require_dimensions(0, 0)


# --- Preset files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{}", "Expected JSON in UTF-8 in the preset"),
        (b'{"splits": ', "Expected valid JSON for Preset, got: EOF while parsing .*. Correct it."),
        (b"[]", "Expected Preset to be an object, got"),
        (b"{}", "Expected splits in Preset, got none. Add it. Expected partition_size in Preset, got none"),
        (
            b'{"splits": {"trian": {}}, "partition_size": 1}',
            "to be 'train', 'validation'.*got 'trian'. Correct it.",
        ),
        (
            b'{"splits": {}, "partition_size": 0}',
            "Expected partition_size of Preset to be greater than or equal to 1, got 0",
        ),
        (b'{"splits": {}, "partition_size": 1, "seed": 1}', "Expected only known keys in Preset, got seed"),
    ],
)
def test_bad_preset_files_are_refused_in_one_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "preset.json"
    path.write_bytes(content)
    with pytest.raises(MistworksError, match=message) as caught:
        load_preset(str(path))
    assert "\n" not in str(caught.value)


def test_unknown_presets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MistworksError, match=r"Expected a preset, tiny, quick, shipped, digits, paper or .*, got 'papre'"
    ):
        load_preset("papre")
    with pytest.raises(MistworksError, match=r"Expected to read the preset .*, got: No such file"):
        load_preset(str(tmp_path / "absent.json"))
    folder = tmp_path / "folder.json"
    folder.mkdir()
    with pytest.raises(MistworksError, match="Expected to read the preset"):
        load_preset(str(folder))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, prefix: str = "") -> list[str]:
    """Dotted paths of everything inside a configuration."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, inner in items:
        found += [f"{prefix}{key}", *paths(inner, f"{prefix}{key}.")]
    return found


@given(path=st.sampled_from(paths(valid())), value=JSON_VALUES)
@settings(max_examples=300, deadline=None)
def test_any_value_anywhere_is_accepted_or_refused_in_one_sentence(path: str, value: Any) -> None:
    try:
        meta = MetaDistribution.parse(changed(path, value))
    except MistworksError as error:
        message = str(error)
    else:
        message = ""
        dataset = meta.dataset(0, "train", 0)
        assert np.all(np.isfinite(dataset.x))
        assert np.isfinite(dataset.mi)
    assert "\n" not in message


@given(low=st.integers(-5, 600), high=st.integers(-5, 600))
@settings(max_examples=100, deadline=None)
def test_only_sensible_dimensions_are_accepted(low: int, high: int) -> None:
    values = changed("dimensions.d", {"low": low, "high": high})
    if 2 <= low <= high <= 512:
        assert MetaDistribution.parse(values).dimensions.extremes[-1] == (high, high)
    else:
        with pytest.raises(MistworksError):
            MetaDistribution.parse(values)


# --- Dimensions, n and maps of members ----------------------------------------------------------------------


def log(low: int, high: int) -> dict[str, Any]:
    return {"low": low, "high": high, "scale": "log"}


def mixed(**changes: Any) -> dict[str, Any]:
    """The elliptical members of the valid configuration, with dimensions of three kinds."""
    config = changed("dimensions", {"dimensions": "mixed", "d": log(2, 64), **changes})
    family = {"family": "normal", "dispersion": {"structure": "sparse"}}
    return {**config, "members": [{"family": family}]}


def test_dimensions_of_three_kinds_come_by_their_probabilities() -> None:
    """Chi-square tests over 6,000 draws, each failing a correct prior with probability 1e-6."""
    prior = MetaDistribution.parse(mixed(equal=0.4, single=0.2)).dimensions
    rng = np.random.default_rng(0)
    pairs = [prior.draw(rng) for _ in range(6_000)]
    single = [pair for pair in pairs if 1 in pair]
    assert stats.binomtest(len(single), 6_000, 0.2).pvalue > FALSE_ALARM
    assert stats.binomtest(sum(dx == 1 for dx, _ in single), len(single)).pvalue > FALSE_ALARM
    assert set(range(2, 65)) >= {max(pair) for pair in single}
    # Two independent d are equal now and then: Σ p² of the log-uniform prior.
    p = np.diff(np.log(np.arange(2, 66))) / np.log(65 / 2)
    equal = sum(dx == dy for dx, dy in pairs)
    assert stats.binomtest(equal, 6_000, 0.4 + 0.4 * float((p**2).sum())).pvalue > FALSE_ALARM
    assert prior.extremes[-1] == (64, 64)


@given(low=st.integers(1, 50), span=st.integers(0, 2_000))
@settings(max_examples=20, deadline=None)
def test_log_uniform_integers_have_their_probabilities(low: int, span: int) -> None:
    """P(k) = log((k + 1)/k) / log((high + 1)/low), tested by an exact octave."""
    prior, rng = LogUniformInteger(low=low, high=low + span), np.random.default_rng(low + span)
    drawn = np.array([prior.draw(rng) for _ in range(500)])
    assert low <= drawn.min() <= drawn.max() <= low + span
    middle = low + span // 10
    expected = np.log((middle + 1) / low) / np.log((low + span + 1) / low)
    assert stats.binomtest(int((drawn <= middle).sum()), 500, min(float(expected), 1.0)).pvalue > FALSE_ALARM


def test_log_uniform_priors_survive_json_where_uniform_ones_may_stand() -> None:
    config = mixed()
    config["design"]["n"] = log(10, 1_000)
    config["members"][0] |= {"n": log(100, 10_000), "block_maps": {"flow": 0.0}}
    meta = MetaDistribution.parse(config)
    assert type(meta.design.n) is type(meta.members[0].n) is LogUniformInteger
    assert MetaDistribution.parse(meta.canonical_json()) == meta
    assert json.loads(meta.canonical_json())["design"]["n"] == log(10, 1_000)
    assert MetaDistribution.parse(dict(meta)) == meta
    config["design"]["n"] = {"low": 10, "high": 1_000}
    assert MetaDistribution.parse(config) != meta
    assert type(MetaDistribution.parse(config).design.n) is UniformInteger


def test_json_of_configurations_without_the_newer_keys_stays_what_it_was() -> None:
    text = PRESETS["paper"].split("train").canonical_json()
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "9768d8ed9c8dbf90"


def test_members_may_have_n_and_dimensions_of_their_own() -> None:
    config = mixed()
    own = {"n": log(5_000, 10_000), "dimensions": {"dimensions": "equal", "d": {"low": 1, "high": 1}}}
    config["members"].append({"family": {"family": "additive"}, **own})
    meta = MetaDistribution.parse(config)
    draws = [meta.draw(0, "t", index) for index in range(300)]
    for draw in draws:
        if draw.family == "additive":
            assert 5_000 <= draw.n <= 10_000
            assert (draw.joint.dx, draw.joint.dy) == (1, 1)
        else:
            assert 10 <= draw.n <= 20
    assert 50 < sum(draw.family == "additive" for draw in draws) < 250
    assert meta.most_values == max(10_000 * 2, 20 * 128)


def test_max_values_lowers_n_alone() -> None:
    free = MetaDistribution.parse(changed("design.n", log(10, 10_000)))
    capped = MetaDistribution.parse({**dict(free), "max_values": 200})
    assert (free.most_values, capped.most_values) == (80_000, 200)
    lowered = 0
    for index in range(200):
        one, other = free.draw(0, "t", index), capped.draw(0, "t", index)
        d = other.joint.dx + other.joint.dy
        assert other.n == min(one.n, 200 // d)
        assert (one.family, one.joint.mutual_information) == (other.family, other.joint.mutual_information)
        lowered += other.n < one.n
    assert lowered > 50


def test_block_maps_change_the_sample_and_nothing_else() -> None:
    config = valid()
    plain = MetaDistribution.parse(config)
    for member in config["members"]:
        member["block_maps"] = {"probability": 0.5}
    mapped = MetaDistribution.parse(config)
    changed_x = changed_y = 0
    for index in range(60):
        one, other = (meta.dataset(4, "t", index) for meta in (plain, mapped))
        assert (one.mi, one.family, one.transform) == (other.mi, other.family, other.transform)
        assert other.x.shape == one.x.shape
        assert other.x.dtype == np.float32
        changed_x += not np.array_equal(one.x, other.x)
        changed_y += not np.array_equal(one.y, other.y)
        again = mapped.dataset(4, "t", index)
        assert again.x.tobytes() + again.y.tobytes() == other.x.tobytes() + other.y.tobytes()
    for count in (changed_x, changed_y):
        assert stats.binomtest(count, 60).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("dimensions", {"dimensions": "mixed", "d": log(2, 9)}, "≥ 2, got 1"),
        (
            "dimensions",
            {"dimensions": "mixed", "d": log(2, 9), "equal": 0.4, "single": 0},
            "Expected dx = dy for the family additive",
        ),
        (
            "dimensions",
            {"dimensions": "mixed", "d": log(2, 9), "equal": 0.8, "single": 0.3},
            "Expected equal [+] single ≤ 1, got 0.8 [+] 0.3",
        ),
        ("dimensions", {"dimensions": "mixed", "d": log(2, 513)}, "Expected a dimension ≤ 512, got 513"),
        ("members.1.dimensions", {"dimensions": "equal", "d": {"low": 1, "high": 4}}, "≥ 2, got 1"),
        ("members.1.n", log(1, 100_001), "Expected n ≤ 100,000"),
        (
            "members.1.n",
            {"low": 2, "high": 3, "scale": "lin"},
            "n.scale of MetaDistribution to be 'log', got 'lin'",
        ),
        (
            "members.1.block_maps",
            {"probability": 2},
            "probability of MetaDistribution to be less than or equal to 1",
        ),
        ("max_values", 79, "Expected max_values ≥ 80, the size of normal-dense .*, got 79"),
        ("max_values", 0, "max_values of MetaDistribution to be greater than or equal to 1"),
    ],
)
def test_bad_members_and_dimensions_are_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(MistworksError, match=message) as caught:
        MetaDistribution.parse(changed(path, value))
    assert "\n" not in str(caught.value)


def test_mixed_dimensions_of_equals_only_suit_families_that_need_them() -> None:
    equals = {"dimensions": "mixed", "d": log(2, 9), "equal": 1, "single": 0}
    meta = MetaDistribution.parse(changed("dimensions", equals))
    assert all(draw.joint.dx == draw.joint.dy for draw in (meta.draw(0, "t", i) for i in range(100)))


def test_a_grid_refuses_members_with_an_n_of_their_own() -> None:
    values = changed("design", {"design": "grid", "n": {"low": 10, "high": 20}, "steps": 3})
    for own in ({"max_values": 1_000}, {"members": [{**valid()["members"][0], "n": log(2, 3)}]}):
        with pytest.raises(MistworksError, match="Remove max_values and the n of members"):
            MetaDistribution.parse({**values, **own})


# --- The general splits -------------------------------------------------------------------------------------


def test_general_splits_share_one_meta_distribution_and_keep_the_published_tests() -> None:
    splits = general_splits(100, 20, 30)
    counts = {name: split.count for name, split in splits.items()}
    assert counts == {
        "train": 100,
        "validation": 20,
        "calibration": 30,
        "test-imd": 1_080,
        "test-oomd": 1_260,
    }
    assert len({splits[name].meta_distribution for name in ("train", "validation", "calibration")}) == 1
    for name in ("test-imd", "test-oomd"):
        assert splits[name] == published_splits(1)[name]


def test_general_datasets_are_finite_within_bounds_and_the_same_again() -> None:
    meta = general_splits(1, 1, 1)["train"].meta_distribution
    parsed = MetaDistribution.parse(meta.canonical_json())
    assert parsed == meta
    for index in range(150):
        dataset = meta.dataset(0, "train", index)
        assert dataset.x.size + dataset.y.size <= meta.most_values
        assert np.all(np.isfinite(dataset.x))
        assert np.all(np.isfinite(dataset.y))
        assert np.isfinite(dataset.mi)
        assert 0 <= dataset.mi_se < 0.01
        assert parsed.dataset(0, "train", index).x.tobytes() == dataset.x.tobytes()
