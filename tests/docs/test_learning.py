"""The truths that the examples of learning are measured against."""

import runpy
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mistworks.baselines import CauchySchwarz

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
    assert found == pytest.approx((unique, redundant, synergy), abs=1e-4)


@pytest.mark.parametrize("flipped", [0, 1])
@pytest.mark.parametrize("name", ["unique", "redundant", "synergy", "a mixture"])
def test_global_and_local_unfairness_are_sums_of_parts(
    fairness: dict[str, Any], name: str, flipped: int
) -> None:
    columns = fairness["table"](name, flipped)
    parts = fairness["parts"](*columns)
    overall, within = fairness["global_and_local"](*columns)
    assert parts.unique1 + parts.redundancy == pytest.approx(overall)
    assert parts.unique1 + parts.synergy == pytest.approx(within, abs=1e-4)


def test_a_flipped_bit_leaves_the_information_of_a_symmetric_channel(fairness: dict[str, Any]) -> None:
    overall, within = fairness["global_and_local"](*fairness["table"]("unique", 1))
    capacity = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    assert (overall, within) == pytest.approx((capacity, capacity))


@pytest.fixture(scope="module")
def labels() -> dict[str, Any]:
    return names_of("learning_labels")


def test_what_replaced_labels_leave_is_that_of_their_table(labels: dict[str, Any]) -> None:
    for share, written in ((0.0, 2.303), (0.2, 1.436), (0.5, 0.626), (1.0, 0.0)):
        joint = (1 - share) * np.eye(10) / 10 + share / 100
        logs = np.log(np.where(joint > 0, joint * 100, 1))
        assert labels["true_information"](share) == pytest.approx((joint * logs).sum(), abs=1e-12)
        assert labels["true_information"](share) == pytest.approx(written, abs=5e-4)


def test_labels_are_replaced_by_a_digit_drawn_from_all(labels: dict[str, Any]) -> None:
    digits = np.zeros(100_000, dtype=int)
    shares = np.bincount(labels["replaced"](digits, 0.5, np.random.default_rng(0))) / len(digits)
    assert shares == pytest.approx([0.55, *[0.05] * 9], abs=0.005)


@pytest.fixture(scope="module")
def halves() -> dict[str, Any]:
    return names_of("learning_halves")


def test_cauchy_schwarz_is_a_ratio_of_means_over_distinct_points(halves: dict[str, Any]) -> None:
    a, b = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b += a
    k, l = halves["kernel"](a), halves["kernel"](b)  # noqa: E741
    joint = np.mean([float(k[i, j] * l[i, j]) for i, j in permutations(range(7), 2)])
    mixed = np.mean([float(k[i, j] * l[i, m]) for i, j, m in permutations(range(7), 3)])
    product = np.mean([float(k[i, j] * l[m, n]) for i, j, m, n in permutations(range(7), 4)])
    expected = -(np.log(joint) + np.log(product) - 2 * np.log(mixed))
    assert halves["cauchy_schwarz"](a, b).item() == pytest.approx(expected)


def test_cauchy_schwarz_as_a_loss_is_the_measure_of_the_baseline(halves: dict[str, Any]) -> None:
    a, b = torch.randn(2, 201, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b += a
    measure = CauchySchwarz().estimate(a.numpy(), b.numpy()).mi
    assert -halves["cauchy_schwarz"](a, b).item() == pytest.approx(measure, rel=0.01)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 4.0])
def test_info_nce_gains_no_more_than_its_ceiling(halves: dict[str, Any], temperature: float) -> None:
    a = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    gain = np.log(64) - float(halves["info_nce"](a, a, temperature))
    assert 0 < gain <= min(np.log(64), 2 / temperature)


def test_the_penalty_is_the_slope_of_the_critic_beyond_one(halves: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = nn.Linear(5, 3, bias=False), nn.Linear(5, 3, bias=False)
    x, y = torch.randn(20, 5, generator=generator), torch.randn(1, 5, generator=generator).repeat(20, 1)
    with torch.no_grad():
        for layer in (left, right):
            layer.weight.normal_(generator=generator)
        of_x, of_y = right(y) @ left.weight, left(x) @ right.weight
        slopes = (of_x.square().sum(dim=1) + of_y.square().sum(dim=1)).sqrt()
    expected = np.square(np.maximum(slopes.numpy() - 1, 0)).mean()
    assert halves["steepness"](left, right, x, y).item() == pytest.approx(expected, rel=1e-5)
    assert expected > 0


@pytest.fixture(scope="module")
def plane() -> dict[str, Any]:
    return names_of("learning_plane")


@pytest.mark.parametrize("noise", [1.0, 0.3, 0.1])
def test_what_a_gaussian_layer_tells_of_its_input_lies_between_both_bounds(
    plane: dict[str, Any], noise: float
) -> None:
    # I = log(1 + 1/v) / 2 per unit for inputs beyond the pool.
    rng = np.random.default_rng(0)
    known = 0.5 * np.log1p(noise**-2)
    found = plane["truth"](rng.standard_normal((1000, 1)), np.zeros(1000, dtype=int), noise, rng)
    assert found.about_input == pytest.approx(known, abs=0.08)
    assert found.about_input_at_most == pytest.approx(known, abs=0.08)
    assert found.about_input < found.about_input_at_most
    assert found.about_class == pytest.approx(0, abs=1e-9)


def test_inputs_that_are_far_apart_are_told_as_far_as_the_pool_allows(plane: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    layer = 100.0 * np.arange(60)[:, None]
    digits = np.repeat(np.arange(3), 20)
    found = plane["truth"](layer, digits, 1.0, rng)
    assert (found.about_input, found.about_class) == pytest.approx((np.log(60), np.log(3)))


def test_what_two_overlapping_classes_are_told_agrees_with_quadrature(plane: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    layer = np.repeat([[-1.0], [1.0]], 200, axis=0)
    found = plane["truth"](layer, np.repeat([0, 1], 200), 1.0, rng, draws=20)
    grid = np.linspace(-8, 8, 4001)
    density = np.exp(-((grid[:, None] - [-1, 1]) ** 2) / 2).mean(axis=1) / np.sqrt(2 * np.pi)
    entropy = np.trapezoid(-density * np.log(density), grid)
    assert found.about_class == pytest.approx(entropy - 0.5 * np.log(2 * np.pi * np.e), abs=0.02)
    assert found.about_input == pytest.approx(found.about_class)  # an input tells no more than its class
