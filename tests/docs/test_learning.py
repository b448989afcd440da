"""The truths that the examples of learning are measured against."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def names_of(example: str) -> dict[str, Any]:
    """What an example defines, without running it."""
    return runpy.run_path(str(EXAMPLES / f"{example}.py"))


@pytest.fixture(scope="module")
def direction() -> dict[str, Any]:
    return names_of("learning_direction")


@pytest.mark.parametrize("noise", [0.2, 1.0])
def test_information_along_the_true_direction_agrees_with_monte_carlo(
    direction: dict[str, Any], noise: float
) -> None:
    rng = np.random.default_rng(1)
    size = np.abs(rng.standard_normal(2000))
    y = size + noise * rng.standard_normal(2000)
    fresh = np.abs(rng.standard_normal(5_000))
    logs = -(((y[:, None] - fresh) / noise) ** 2) / 2
    pointwise = -(((y - size) / noise) ** 2) / 2 - np.log(np.exp(logs).mean(axis=1))
    error = pointwise.std() / np.sqrt(len(y))
    assert abs(direction["true_information"](noise) - pointwise.mean()) < 4 * error


def test_information_along_the_true_direction_is_that_of_a_channel_without_a_sign(
    direction: dict[str, Any],
) -> None:
    # With little noise the sign is the only thing lost: I(z; |z| + e) = I(z; z + e) - log 2.
    noise = 0.02
    assert direction["true_information"](noise) == pytest.approx(
        0.5 * np.log1p(noise**-2) - np.log(2), abs=0.02
    )


@pytest.fixture(scope="module")
def fairness() -> dict[str, Any]:
    return names_of("learning_fairness")


@pytest.mark.parametrize(
    ("name", "unique", "redundant", "synergy"),
    [("unique", 1, 0, 0), ("redundant", 0, 1, 0), ("synergy", 0, 0, 1)],
)
def test_each_canonical_joint_has_one_part_of_one_bit(
    fairness: dict[str, Any], name: str, unique: int, redundant: int, synergy: int
) -> None:
    bits = fairness["parts"](*fairness["table"](name)).bits
    found = bits["unique1"], bits["redundancy"], bits["synergy"]
    assert found == pytest.approx((unique, redundant, synergy), abs=5e-3)  # dit optimises numerically


@pytest.mark.parametrize("flipped", [0, 1])
@pytest.mark.parametrize("name", ["unique", "redundant", "synergy", "a mixture"])
def test_global_and_local_unfairness_are_sums_of_parts(
    fairness: dict[str, Any], name: str, flipped: int
) -> None:
    columns = fairness["table"](name, flipped)
    parts = fairness["parts"](*columns)
    overall, within = fairness["global_and_local"](*columns)
    assert parts.unique1 + parts.redundancy == pytest.approx(overall, abs=5e-3)
    assert parts.unique1 + parts.synergy == pytest.approx(within, abs=5e-3)


def test_a_flipped_bit_leaves_the_information_of_a_symmetric_channel(fairness: dict[str, Any]) -> None:
    overall, within = fairness["global_and_local"](*fairness["table"]("unique", 1))
    capacity = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    assert (overall, within) == pytest.approx((capacity, capacity))
