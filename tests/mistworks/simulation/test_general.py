"""The meta-distribution `general`: what it holds, and how much of it."""

import numpy as np
import pytest

from mistworks.errors import MistworksError
from mistworks.simulation.general import FAMILY_GROUPS, general_meta_distribution, group_of

GENERAL = general_meta_distribution()


def share(*groups: str) -> float:
    weights = {True: 0.0, False: 0.0}
    for member in GENERAL.members:
        weights[group_of(member.family.name) in groups] += member.weight
    return weights[True] / sum(weights.values())


def test_every_family_has_a_group_and_every_group_a_family() -> None:
    assert {group_of(member.family.name) for member in GENERAL.members} == set(FAMILY_GROUPS)
    assert group_of("student-random-pairs") == "elliptical"
    with pytest.raises(MistworksError, match="Expected the name of a family with a group, got 'spirals'"):
        group_of("spirals")


def test_a_third_is_ordinary_and_some_is_strong() -> None:
    assert 0.28 < share("observed", "labels") < 0.42
    assert 0.08 < share("strong") < 0.12
    assert share("elliptical") > 0.2
    assert all(share(group) > 0.05 for group in FAMILY_GROUPS)


def test_sizes_run_from_five_to_ten_thousand() -> None:
    drawn = [GENERAL.draw(0, "train", i) for i in range(1_500)]
    n = np.array([draw.n for draw in drawn])
    assert n.min() < 8
    assert n.max() > 5_000
    assert (n <= 100).mean() > 0.45
    assert (n > 800).mean() > 0.04
    assert max(draw.joint.standard_error for draw in drawn) < 0.01
    assert max(draw.joint.mutual_information for draw in drawn) < 150


def test_it_survives_its_json() -> None:
    assert type(GENERAL).parse(GENERAL.canonical_json()) == GENERAL
