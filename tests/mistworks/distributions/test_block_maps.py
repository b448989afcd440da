"""Maps of whole blocks: invertible, finite, the same for each row whatever the others, and drawn as told."""

import subprocess
import sys
from collections.abc import Callable
from os import environ
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mistworks.distributions.block_maps import (
    BlockMap,
    BlockMaps,
    Coupling,
    Flow,
    NormRotation,
    Squashed,
    haar,
    identity,
    linear,
    rotation,
)
from mistworks.errors import MistworksError

KINDS = ("rotation", "norm_rotation", "coupling", "linear", "flow")


def only(kind: str, probability: float = 1.0) -> BlockMaps:
    return BlockMaps(probability=probability, **{name: float(name == kind) for name in KINDS})


def block(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def inner(drawn: BlockMap) -> Callable[[np.ndarray], np.ndarray]:
    """The map between squashing and rounding, in double precision."""
    assert isinstance(drawn, Squashed)
    return drawn.inner


def log_det(map_: Callable[[np.ndarray], np.ndarray], point: np.ndarray) -> tuple[float, float]:
    """Sign and log |det| of the Jacobian at a point, by central differences."""
    steps = 1e-6 * np.eye(len(point))
    jacobian = (map_(point + steps) - map_(point - steps)) / 2e-6
    sign, value = np.linalg.slogdet(jacobian)
    return float(sign), float(value)


kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize("d", [2, 3, 10])
def test_jacobian_keeps_its_sign_and_is_far_from_zero(kind: str, d: int) -> None:
    """A smooth map of one sign of the Jacobian everywhere, between |det| bounds, is locally invertible."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        map_ = inner(only(kind).draw(d, rng))
        found = [log_det(map_, point) for point in rng.standard_normal((20, d))]
        assert len({sign for sign, _ in found}) == 1
        assert min(value for _, value in found) > -6.9 * 2 * d
        if "rotation" in kind:
            np.testing.assert_allclose([value for _, value in found], 0.0, atol=1e-6)


def test_coupling_is_undone_by_its_inverse() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        layer = Coupling.draw(int(rng.integers(2, 9)), rng)
        points = rng.standard_normal((50, len(layer.given) + len(layer.moved)))
        mapped = layer(points)
        features = layer.feature(mapped[:, layer.given] @ layer.weights + layer.biases)
        scale = np.exp(0.7 * np.tanh(features @ layer.log_scale))
        mapped[:, layer.moved] = (mapped[:, layer.moved] - features @ layer.shift) / scale
        np.testing.assert_allclose(mapped, points, atol=1e-12)


def test_flow_is_undone_by_its_inverse_even_after_rounding_to_float32() -> None:
    errors = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(2, 9))
        flow, points = Flow.draw(d, rng), rng.standard_normal((50, d))
        mapped = flow(points)
        for kept in (mapped, mapped.astype(np.float32).astype(np.float64)):
            with torch.no_grad():
                back = flow.flow().transform.inv(torch.from_numpy(kept)).numpy()
            errors.append(np.abs(back - points).max(axis=1))
        assert np.abs(mapped - points).mean() > 0.1
    assert np.max(errors[::2]) < 1e-8
    assert np.quantile(errors[1::2], 0.995) < 0.01
    assert np.max(errors[1::2]) < 0.2


def test_norm_rotation_is_undone_by_turning_back_and_keeps_the_norm() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(2, 12))
        turn, points = NormRotation.draw(d, rng), rng.standard_normal((50, d))
        turned = turn(points)
        np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(points, axis=1), rtol=1e-12)
        back = NormRotation(turn.basis, -turn.speeds, turn.power)
        np.testing.assert_allclose(back(turned), points, atol=1e-12)
        assert np.abs(turned - points).max() > 0.1


def test_linear_maps_are_well_conditioned_and_rotations_orthogonal() -> None:
    for d in (2, 7, 64):
        rng = np.random.default_rng(d)
        singular = np.linalg.svd(linear(d, rng).matrix, compute_uv=False)
        assert 1 / 3 <= singular.min() <= singular.max() <= 3
        for matrix in (rotation(d, rng).matrix, haar(d, rng)):
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(d), atol=1e-13)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_haar_matrices_are_uniform(d: int) -> None:
    """Each entry squared is Beta(½, (d−1)/2), signs and determinant are even; false alarms 1e-6 a check."""
    rng = np.random.default_rng(d)
    drawn = np.array([haar(d, rng) for _ in range(4_000)])
    assert stats.binomtest(int((np.linalg.det(drawn) > 0).sum()), 4_000).pvalue > 1e-6
    for row, column in ((0, 0), (d - 1, d - 1), (0, d - 1), (d - 1, 0)):
        entry = drawn[:, row, column]
        assert stats.binomtest(int((entry > 0).sum()), 4_000).pvalue > 1e-6
        if d > 1:
            assert stats.kstest(entry**2, stats.beta(0.5, (d - 1) / 2).cdf).pvalue > 1e-6


@kinds
@pytest.mark.parametrize("d", [2, 10, 64])
def test_points_stay_distinct_and_finite_with_heavy_tails(kind: str, d: int) -> None:
    """Rows of Student noise with one degree of freedom, up to 1e30 and down to 1e-30."""
    rng = np.random.default_rng(d)
    values = rng.standard_cauchy((400, d)).astype(np.float32)
    values[:4] = [[1e30], [-1e30], [1e-30], [0.0]]
    for _ in range(5):
        mapped = only(kind).draw(d, rng)(values)
        assert mapped.shape == values.shape
        assert mapped.dtype == np.float32
        assert mapped.flags.c_contiguous
        assert np.all(np.isfinite(mapped))
        assert len(np.unique(mapped[[0, 1, *range(3, 400)]], axis=0)) == 399


@kinds
@settings(max_examples=25, deadline=None)
@given(d=st.integers(2, 12), n=st.integers(2, 40), seed=st.integers(0, 2**32 - 1))
def test_a_mapped_row_depends_on_that_row_alone(kind: str, d: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    map_, values = only(kind).draw(d, rng), block(n, d, seed)
    mapped = map_(values)
    order = rng.permutation(n)
    np.testing.assert_allclose(map_(values[order]), mapped[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(map_(values[:1]), mapped[:1], rtol=1e-5, atol=1e-6)
    assert np.array_equal(map_(values), mapped)


@kinds
def test_equal_points_stay_equal(kind: str) -> None:
    values = np.repeat(np.random.default_rng(0).integers(0, 3, (101, 4)), 3, axis=0).astype(np.float32)
    for seed in range(10):
        mapped = only(kind).draw(4, np.random.default_rng(seed))(values)
        assert len(np.unique(mapped, axis=0)) == len(np.unique(values, axis=0))


@kinds
@pytest.mark.parametrize("d", [2, 10])
def test_the_map_is_far_from_coordinatewise(kind: str, d: int) -> None:
    """Over draws, some outputs move with coordinates that are not theirs."""
    rng, moved = np.random.default_rng(d), []
    point = np.zeros((1, d)) + 0.7
    other = point.copy()
    other[0, 0] += 0.5
    for _ in range(20):
        map_ = inner(only(kind).draw(d, rng))
        moved.append(np.abs(map_(other) - map_(point))[0, 1:].max())
    assert np.mean(moved) > 0.05


@kinds
def test_the_generator_alone_decides(kind: str) -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = only(kind).draw(6, np.random.default_rng(3))(block(50, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    again = only(kind).draw(6, np.random.default_rng(3))(block(50, 6))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != only(kind).draw(6, np.random.default_rng(4))(block(50, 6)).tobytes()


_IN_ANOTHER_PROCESS = """
import hashlib
import numpy as np
from mistworks.distributions.block_maps import BlockMaps
rng, sha = np.random.default_rng(0), hashlib.sha256()
for d in (2, 40, 64, 150):
    for _ in range(12):
        values = rng.standard_normal((700, d), dtype=np.float32)
        sha.update(BlockMaps(probability=1, flow=1).draw(d, rng)(values).tobytes())
print(sha.hexdigest())
"""


def test_bytes_do_not_depend_on_the_number_of_threads() -> None:
    hashes = []
    for threads in ("1", "2"):
        variables = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = [sys.executable, "-c", _IN_ANOTHER_PROCESS]
        done = subprocess.run(command, env={**environ, **variables}, capture_output=True, check=True)
        hashes.append(done.stdout)
    assert hashes[0] == hashes[1]


def test_flows_run_on_one_thread_and_put_the_number_back() -> None:
    before, seen = torch.get_num_threads(), []

    def flow() -> Any:
        seen.append(torch.get_num_threads())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Flow(flow)(np.zeros((3, 2)))
    assert seen == [1]
    assert torch.get_num_threads() == before


def test_flow_maps_many_rows_as_it_maps_few() -> None:
    flow, points = (
        Flow.draw(3, np.random.default_rng(0)),
        np.random.default_rng(1).standard_normal((2_500, 3)),
    )
    np.testing.assert_allclose(flow(points)[2_000:2_010], flow(points[2_000:2_010]), rtol=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_block_of_one_coordinate_stays_as_it_is(seed: int) -> None:
    assert BlockMaps(probability=1.0).draw(1, np.random.default_rng(seed)) is identity


def test_kinds_come_by_their_weights_and_blocks_by_their_probability() -> None:
    """A chi-square test over 3,000 draws, which fails a correct implementation with probability 1e-6."""
    rng = np.random.default_rng(0)
    maps = BlockMaps(probability=0.4, rotation=0, norm_rotation=2, coupling=1, linear=1, flow=0)
    drawn = [maps.draw(3, rng) for _ in range(3_000)]
    names = [type(inner(d)).__name__ if isinstance(d, Squashed) else "identity" for d in drawn]
    kinds = ("identity", "NormRotation", "Couplings", "Linear")
    counts = [names.count(kind) for kind in kinds]
    assert sum(counts) == 3_000
    assert stats.chisquare(counts, [1_800, 600, 300, 300]).pvalue > 1e-6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"probability": 1.1}, "Expected probability of BlockMaps to be less than or equal to 1, got 1.1"),
        ({"flow": -1}, "Expected flow of BlockMaps to be greater than or equal to 0, got -1"),
        ({"spin": 1}, "Expected only known keys in BlockMaps, got spin"),
        (
            dict.fromkeys(KINDS, 0),
            "Expected a positive weight for at least one kind of block map, got 0 for all",
        ),
    ],
)
def test_bad_configuration_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(MistworksError, match=message):
        BlockMaps.parse(values)


def test_a_flow_without_zuko_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    with pytest.raises(MistworksError, match=r"Expected zuko .* Run pip install '\.\[pipeline\]' in"):
        only("flow").draw(3, np.random.default_rng(0))
