"""The statistics: what leaves them as they are, what they must equal, and that they are always finite."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from mistworks import statistics
from mistworks.baselines import baseline
from mistworks.distributions.student import tail_mutual_information
from mistworks.statistics import Ranked, neighbours, oracle, statistic_names, summarise_smoothly, tails
from mistworks.statistics.layout import GROUPS
from mistworks.statistics.polynomials import legendre
from mistworks.statistics.sample import (
    DEGREES_OF_FREEDOM,
    Samples,
    half_ranks,
    partly_smooth,
    quantile_tables,
    smooth_half_ranks,
)

SHAPES = ((5, 1, 1), (40, 1, 1), (60, 3, 2), (130, 4, 4), (20, 12, 9), (600, 2, 1), (5000, 1, 1))


def draw(n: int, dx: int, dy: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    x, noise = rng.standard_normal((n, dx)), rng.standard_normal((n, dy))
    return torch.from_numpy(x), torch.from_numpy(noise + 0.8 * x[:, :1])


def ranked(x: torch.Tensor, y: torch.Tensor) -> Samples:
    return oracle.stacked([Ranked.of(x, y)])


def summarise(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(oracle.summarise_many([Ranked.of(x, y)])[0])


def summarise_publicly(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(statistics.summarise(x, y))


either = pytest.mark.parametrize("of", [summarise, summarise_publicly], ids=["oracle", "public"])


def named(x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    return dict(zip(statistic_names(), summarise(x, y).tolist(), strict=True))


@st.composite
def samples(draw_from: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, np.random.Generator]:
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32 - 1)))
    n = draw_from(st.integers(5, 90))
    x = rng.standard_normal((n, draw_from(st.integers(1, 6))))
    y = rng.standard_normal((n, draw_from(st.integers(1, 6)))) + draw_from(st.floats(0, 3)) * x[:, :1]
    if draw_from(st.booleans()):
        x = np.round(x)
    if draw_from(st.booleans()):
        y = np.round(2 * y) / 2
    return torch.from_numpy(x), torch.from_numpy(y), rng


def test_samples_side_by_side_are_summarised_as_alone() -> None:
    sizes = [(30, 1, 1), (30, 2, 3), (600, 2, 1), (30, 1, 1), (12, 9, 4), (30, 2, 3), (30, 1, 1)]
    pairs = [draw(*size, seed=seed) for seed, size in enumerate(sizes)]
    pairs[3] = pairs[3][0], pairs[3][1].round()
    pairs[5][0][:, 1] = 4.0
    alone = torch.stack([summarise(*pair) for pair in pairs])
    samples = [Ranked.of(*pair) for pair in pairs]
    for threads in (1, 2):
        for many in (oracle.summarise_many, statistics.summarise_many):
            assert np.allclose(many(samples, threads), alone, rtol=2e-5, atol=2e-5)


def test_the_layout_is_what_the_oracle_computes() -> None:
    samples = ranked(*draw(40, 3, 2))
    assert list(oracle.FUNCTIONS) == list(GROUPS)
    for group, functions in oracle.FUNCTIONS.items():
        found = {
            name: values.shape[1] for function in functions for name, values in function(samples).items()
        }
        assert list(found.items()) == list(GROUPS[group].items())


def test_names_need_no_torch() -> None:
    code = (
        "import sys, mistworks.statistics as s; assert s.statistic_names(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@either
@given(drawn=samples())
@settings(max_examples=60, deadline=None)
def test_no_invariance_changes_a_statistic(
    of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    drawn: tuple[torch.Tensor, torch.Tensor, np.random.Generator],
) -> None:
    x, y, rng = drawn
    points = torch.from_numpy(rng.permutation(len(x)))
    x_order, y_order = (torch.from_numpy(rng.permutation(part.shape[1])) for part in (x, y))
    signs = torch.from_numpy(rng.choice([-1.0, 1.0], x.shape[1]))
    before = of(x, y)
    after = of((y * y * y)[points][:, y_order], (3.0 + 7.0 * x * signs)[points][:, x_order])
    wrong = (~torch.isclose(before, after, rtol=1e-4, atol=1e-4)).nonzero()[:, 0].tolist()
    assert not {statistic_names()[row]: (before[row].item(), after[row].item()) for row in wrong}


@either
@pytest.mark.parametrize(("n", "dx", "dy"), SHAPES)
def test_a_map_and_a_swap_of_a_large_sample_change_nothing(
    of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], n: int, dx: int, dy: int
) -> None:
    x, y = draw(n, dx, dy)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(of(x, y), of(-(y**3)[order], x.exp()[order]), rtol=1e-4, atol=1e-4)


@given(
    st.integers(5, 40),
    st.integers(1, 64),
    st.integers(1, 64),
    st.sampled_from(["normal", "binary", "copies", "constant", "huge", "equal"]),
)
@settings(max_examples=60, deadline=None)
def test_statistics_are_finite(n: int, dx: int, dy: int, kind: str) -> None:
    x, y = draw(n, dx, dy)
    match kind:
        case "binary":
            x, y = (x > 0).double(), (y > 0).double()
        case "copies":
            x, y = x[torch.arange(n) // 3], y[torch.arange(n) // 3]
        case "constant":
            x = torch.cat([x, torch.ones(n, 1)], dim=1) if dx < 64 else torch.ones(n, dx)
        case "huge":
            x, y = x * 1e300, y * 1e-300
        case "equal":
            y = x
    found = summarise(x, y)
    assert found.shape == (len(statistic_names()),)
    assert found.isfinite().all()
    assert found.abs().max() < 1e4


@pytest.mark.parametrize("kind", ["continuous", "half discrete", "discrete", "dependent"])
@pytest.mark.parametrize("d", [1, 3])
def test_ksg_by_tree_and_by_distances_are_one(kind: str, d: int) -> None:
    x, y = draw(150, d, d)
    if kind in ("half discrete", "discrete"):
        y = (2 * y).round()
    if kind == "discrete":
        x = (2 * x).round()
    if kind == "dependent":
        y = x**3
    scores = ranked(x[:, :1], y[:, :1]).scores.float()
    in_plane = neighbours.nearest_in_plane(scores[0].double().numpy())
    distances = [torch.cdist(part, part, p=torch.inf) for part in (scores[..., :1], scores[..., 1:])]
    terms = neighbours.ksg_terms(distances, (1, 3, 6, 12))
    expected = terms[0].mean(dim=0) + torch.special.digamma(torch.tensor(150.0, dtype=torch.float64))
    assert torch.allclose(in_plane["ksg"], expected, atol=1e-9)


@pytest.mark.parametrize(("n", "dx", "dy"), [(60, 1, 1), (120, 2, 3), (300, 4, 1)])
def test_ksg_is_that_of_the_baseline_on_scores(n: int, dx: int, dy: int) -> None:
    x, y = draw(n, dx, dy, seed=3)
    scores = ranked(x, y).scores[0].float().numpy()
    found = named(x, y)
    for position, k in enumerate((1, 3)):
        expected = (
            baseline("ksg-3").model_copy(update={"neighbours": k}).estimate(scores[:, :dx], scores[:, dx:])
        )
        # The baseline's noise may part what scores leave at one distance.
        assert found[f"neighbours.ksg.{position}"] == pytest.approx(expected.mi, abs=0.05)


def test_unbiased_gaussian_mi_is_that_of_the_baseline() -> None:
    x, y = draw(200, 3, 2)
    expected = baseline("gaussian-copula").estimate(
        x.numpy().astype(np.float32), y.numpy().astype(np.float32)
    )
    # Shrinkage by 0.003 is between the two.
    assert named(x, y)["gaussian.unbiased.0"] == pytest.approx(expected.mi, abs=0.01)


def test_half_ranks_of_ranks_are_their_doubles() -> None:
    rng = np.random.default_rng(0)
    ranks = np.column_stack([rng.permutation(40) for _ in range(3)]).astype(np.float32)
    assert np.array_equal(half_ranks(torch.from_numpy(ranks)).numpy(), 2 * ranks)
    ranks[ranks == 7] = 8
    expected = 2 * (stats.rankdata(ranks, axis=0) - 1)
    assert np.array_equal(half_ranks(torch.from_numpy(ranks)).numpy(), expected)


@pytest.mark.parametrize("n", [5, 100, 3000])
def test_tables_hold_quantiles(n: int) -> None:
    levels = (1 + np.arange(2 * n - 1) / 2) / (n + 1)
    tables = quantile_tables(n)
    assert np.allclose(tables[0], stats.norm.ppf(levels), atol=1e-12)
    for row, nu in enumerate(DEGREES_OF_FREEDOM, start=1):
        assert np.allclose(tables[row], stats.t.ppf(levels, nu), rtol=1e-5, atol=1e-12)
    assert np.array_equal(tables, -tables[:, ::-1])


def test_half_ranks_are_twice_average_ranks() -> None:
    values = np.random.default_rng(0).integers(0, 9, (50, 3)).astype(np.float64)
    assert np.array_equal(
        half_ranks(torch.from_numpy(values)).numpy(), 2 * (stats.rankdata(values, axis=0) - 1)
    )


def test_polynomials_are_orthonormal() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(12)
    basis = legendre(torch.from_numpy(nodes)[:, None], 6)[:, 0].numpy()
    assert np.allclose(basis.T @ (basis * weights[:, None]) / 2, np.eye(6), atol=1e-12)


def test_distance_correlation_is_that_of_the_centred_matrices() -> None:
    x, y = draw(70, 2, 3)
    samples = ranked(x, y)
    white = [part[0].numpy() for part in neighbours.whitened_blocks(samples, samples.scores)]
    centred = []
    for part in white:
        distance = cdist(part, part)
        m = len(distance)
        rows = distance.sum(axis=0)
        matrix = distance - (rows[:, None] + rows) / (m - 2) + distance.sum() / ((m - 1) * (m - 2))
        np.fill_diagonal(matrix, 0)
        centred.append(matrix)
    inner = [(centred[a] * centred[b]).sum() for a, b in ((0, 1), (0, 0), (1, 1))]
    expected = inner[0] / np.sqrt(inner[1] * inner[2])
    assert named(x, y)["metric.distance_correlation.0"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("values", [2, 5])
def test_the_order_of_many_tied_points_changes_nothing(values: int) -> None:
    rng = np.random.default_rng(values)
    x = torch.from_numpy(rng.integers(0, values, (1000, 2)).astype(np.float64))
    y = torch.from_numpy(rng.integers(0, values, (1000, 1)).astype(np.float64))
    order = torch.from_numpy(rng.permutation(1000))
    assert torch.allclose(summarise(x, y), summarise(x[order], y[order]), rtol=1e-4, atol=1e-4)


def test_a_subset_of_tied_points_is_spread_over_all_cells() -> None:
    cells = torch.from_numpy(np.random.default_rng(0).integers(0, 10, (2000, 2)).astype(np.float64))
    chosen = ranked(cells[:, :1], cells[:, 1:]).subset(512)
    assert len(torch.unique(chosen[0], dim=0)) > 95


@pytest.mark.parametrize(("n", "d"), [(200, 1), (200, 3)])
def test_t_copula_finds_its_degrees_of_freedom(n: int, d: int) -> None:
    rng = np.random.default_rng(5)
    found = {}
    for nu in (2.0, 1e6):
        z = rng.standard_normal((n, 2 * d)) * np.sqrt(nu / rng.chisquare(nu, (n, 1)))
        found[nu] = named(torch.from_numpy(z[:, :d]), torch.from_numpy(z[:, d:]))["tails.average.0"]
    assert found[2.0] < np.log(5) < found[1e6]


def test_the_subset_depends_on_the_points_alone() -> None:
    x, y = draw(2000, 2, 2)
    order = torch.randperm(2000, generator=torch.Generator().manual_seed(0))
    chosen = ranked(x, y).subset(512)[0]
    mirrored = -ranked(-y[order], -x[order]).subset(512)[0][:, [2, 3, 0, 1]]
    assert set(map(tuple, mirrored.tolist())) == set(map(tuple, chosen.tolist()))
    assert chosen.shape == (512, 4)


@pytest.mark.parametrize(("n", "dx", "dy"), [(50, 1, 1), (200, 2, 3)])
def test_smooth_statistics_are_near_and_have_gradients(n: int, dx: int, dy: int) -> None:
    x, y = draw(n, dx, dy)
    x.requires_grad_()
    smooth = summarise_smoothly(x, y)
    exact = summarise(x.detach(), y)
    spread = torch.stack([summarise(*draw(n, dx, dy, seed)) for seed in range(1, 30)]).std(dim=0)
    # Smoothing moves a statistic by far less than another sample of the same distribution does.
    assert ((smooth.detach() - exact).abs() <= 0.5 * spread + 1e-3).float().mean() > 0.96
    smooth.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0


def test_smooth_ranks_leave_the_subset_as_it_is() -> None:
    x, y = draw(1500, 3, 2)
    exact = ranked(x, y)
    smooth = Samples(
        smooth_half_ranks(torch.cat([x, y], dim=1))[None],
        3,
        exact.exact_ranks,
        exact.untied_ranks,
        smooth=True,
    )
    # Scores of two points differ by more than 1 in the mean.
    assert (smooth.subset(512) - exact.subset(512)).abs().mean() < 0.02


def test_discrete_columns_are_never_smoothed() -> None:
    x, y = draw(120, 2, 2)
    y = (2 * y).round()
    x.requires_grad_()
    y.requires_grad_()
    samples = partly_smooth(torch.cat([x, y], dim=1), Ranked.of(x, y))
    assert torch.equal(samples.ranks[..., 2:], samples.untied_ranks[..., 2:])
    assert not torch.equal(samples.ranks[..., :2], samples.untied_ranks[..., :2])
    summarise_smoothly(x, y).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0
    assert y.grad is not None
    assert y.grad.abs().sum() == 0


def test_a_few_ties_leave_a_column_smooth() -> None:
    x, y = draw(120, 1, 1)
    tied = torch.cat([x[:110], x[:10]])
    smooth = partly_smooth(torch.cat([tied, y], dim=1), Ranked.of(tied, y))
    assert not torch.equal(smooth.ranks[..., 0], smooth.untied_ranks[..., 0])
    assert (smooth.ranks - smooth.untied_ranks).abs().max() < 12


def test_threads_of_the_caller_stay_as_many() -> None:
    before = torch.get_num_threads()
    oracle.summarise_many([Ranked.of(*draw(20, 1, 1))] * 3, threads=2)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before
    assert statistics.summarise_many([]).shape == (0, len(statistic_names()))


def test_smooth_ranks_are_ranks_where_values_lie_apart() -> None:
    values = torch.arange(30, dtype=torch.float64)[:, None] ** 1.2
    assert torch.allclose(smooth_half_ranks(values), half_ranks(values), atol=0.7)


@pytest.mark.parametrize(("dx", "dy", "nu"), [(1, 1, 1.0), (3, 2, 4.0), (64, 1, 2.5), (64, 64, 30.0)])
def test_the_shared_scale_adds_what_the_distribution_says(dx: int, dy: int, nu: float) -> None:
    assert tails._excess(dx, dy, nu) == pytest.approx(tail_mutual_information(dx, dy, nu), abs=1e-10)
