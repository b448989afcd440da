import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import ndtri

import mistworks
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation import estimator as estimators
from mistworks.estimation.calibration import Calibration
from mistworks.estimation.estimator import LEVELS, Estimate, Estimator, TrainingRange
from mistworks.estimation.folder import read_config
from mistworks.networks import SetTransformerConfig, SummaryNetworkConfig, base, build_network
from mistworks.preparation import prepare as preparing

CONFIG = SetTransformerConfig(
    hidden=4,
    relation_hidden=8,
    heads=2,
    feedforward=8,
    inducing_points=3,
    seeds=2,
    head_hidden=16,
)
RANGE = TrainingRange(n=(10, 500), dx=(2, 32), dy=(2, 32))


def estimator_of(objective: Any = "pinball") -> Estimator:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return Estimator(build_network(CONFIG), CONFIG, objective, RANGE)


ESTIMATOR = estimator_of()
POINT_ESTIMATOR = estimator_of("squared-error")


def pair_of(seed: int, n: int, dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, dx)), rng.standard_normal((n, dy))


X, Y = pair_of(0, 30, 2, 3)


@pytest.fixture
def shipped_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the package looks for its own weights, none at first."""
    monkeypatch.setattr(estimators, "_SHIPPED_FOLDER", tmp_path / "weights")
    estimators._load_shipped.cache_clear()
    yield tmp_path / "weights"
    estimators._load_shipped.cache_clear()


def some_calibration() -> Calibration:
    """Fitted where the network is told to be half as wide as it should be, and too low."""
    rng = np.random.default_rng(7)
    target, z = rng.exponential(1.0, 400), ndtri(np.array(LEVELS))
    centre = target + 0.3 * rng.standard_normal(400) - 0.1
    quantiles = np.maximum(0, centre[:, None] + 0.15 * z)
    return Calibration.fit(quantiles, target, rng.integers(10, 500, 400), rng.integers(2, 64, 400), rng)


CALIBRATED = ESTIMATOR.with_calibration(some_calibration())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    ESTIMATOR.save(tmp_path / "model")
    return tmp_path / "model"


class TestEstimate:
    def test_quantiles_by_hand(self) -> None:
        estimate = Estimate(0.5, tuple(LEVELS))
        assert estimate.quantile(0.25) == pytest.approx(0.25)
        assert isinstance(estimate.quantile(0.25), float)
        np.testing.assert_allclose(estimate.quantile([0.1, 0.123]), [0.1, 0.123])
        assert estimate.interval(0.9) == pytest.approx((0.05, 0.95))
        assert estimate.interval() == estimate.interval(0.9)
        assert estimate.interval(0) == pytest.approx((0.5, 0.5))
        assert estimate.interval(0.998) == pytest.approx((0.001, 0.999))

    def test_it_is_frozen_hashable_and_readable(self) -> None:
        estimate = Estimate(0.5, tuple(LEVELS))
        with pytest.raises(dataclasses.FrozenInstanceError):
            estimate.mi = 1.0  # type: ignore[misc]
        assert hash(estimate) == hash(Estimate(0.5, tuple(LEVELS)))
        assert str(estimate) == "0.500 nats, 90 % interval 0.050 to 0.950"
        assert repr(estimate) == "Estimate(0.500 nats, 90 % interval 0.050 to 0.950)"
        assert str(Estimate(0.5)) == "0.500 nats"
        assert float(estimate) == estimate.mi

    @pytest.mark.parametrize("tau", [0, 1, -0.1, 1.1, [0.5, 0.0], float("nan")])
    def test_levels_out_of_range_are_refused(self, tau: Any) -> None:
        with pytest.raises(MistworksError, match=r"Expected quantile levels from 0\.001 to 0\.999, got"):
            Estimate(0.5, tuple(LEVELS)).quantile(tau)

    @pytest.mark.parametrize("level", [-0.1, 0.9999, 1.5])
    def test_interval_levels_out_of_range_are_refused(self, level: float) -> None:
        with pytest.raises(MistworksError, match="level of an interval"):
            Estimate(0.5, tuple(LEVELS)).interval(level)

    @pytest.mark.parametrize("ask", [lambda e: e.quantile(0.5), lambda e: e.interval()])
    def test_a_point_estimator_has_no_quantiles(self, ask: Callable[[Estimate], Any]) -> None:
        with pytest.raises(MistworksError, match="Train one with objective pinball"):
            ask(POINT_ESTIMATOR.estimate(X, Y))


class TestMean:
    def test_by_hand(self) -> None:
        assert Estimate(0.5, tuple(LEVELS)).mean == pytest.approx(0.5)
        steps = Estimate(0.0, tuple(0.0 if level < 0.75 else 4.0 for level in LEVELS))
        assert steps.mean == pytest.approx(4 * (1 - 0.7475), abs=1e-9)
        assert Estimate(0.7).mean == 0.7

    def test_of_an_exponential_distribution_it_is_the_scale(self) -> None:
        quantiles = -2 * np.log1p(-np.array(LEVELS))
        assert Estimate(0.0, tuple(quantiles)).mean == pytest.approx(2, rel=2e-3)

    def test_the_median_is_the_quantile_at_one_half(self) -> None:
        estimate = CALIBRATED.estimate(X, Y)
        assert estimate.median == estimate.quantile(0.5) == estimate.mi
        with pytest.raises(MistworksError, match="Train one with objective pinball"):
            _ = Estimate(0.7).median


class TestCalibrated:
    def test_quantiles_are_those_of_the_calibration(self) -> None:
        plain, calibrated = ESTIMATOR.estimate(X, Y), CALIBRATED.estimate(X, Y)
        assert CALIBRATED.calibration is not None
        expected = CALIBRATED.calibration.apply(np.array([plain.quantiles]), np.array([30]), np.array([5]))
        np.testing.assert_allclose(calibrated.quantiles, expected[0], rtol=1e-12)
        assert np.subtract(*calibrated.interval()) < 1.5 * np.subtract(*plain.interval())
        assert CALIBRATED.with_calibration(None).estimate(X, Y) == plain

    def test_many_agree_with_one_at_a_time(self) -> None:
        pairs = [pair_of(seed, 10 + 7 * seed, 1 + seed % 3, 2) for seed in range(9)]
        together = [estimate.quantiles for estimate in CALIBRATED.estimate_many(pairs)]
        alone = [CALIBRATED.estimate(x, y).quantiles for x, y in pairs]
        np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-4)

    def test_a_point_estimator_has_nothing_to_calibrate(self) -> None:
        with pytest.raises(MistworksError, match="got one trained with objective squared-error"):
            POINT_ESTIMATOR.with_calibration(some_calibration())

    def test_it_is_told(self) -> None:
        assert repr(CALIBRATED) == (
            "Estimator(set-transformer, pinball, calibrated, trained on n 10…500, dx 2…32, dy 2…32)"
        )


class TestInfinite:
    def test_functions_are_looked_for_where_the_interval_leaves_room(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []

        def is_function(*sides: object) -> bool:
            asked.append(sides)
            return True

        monkeypatch.setattr(preparing, "is_function", is_function)
        plain = ESTIMATOR.estimate(X, Y)
        monkeypatch.setattr(estimators, "_MAY_BE_INFINITE", plain.quantile(0.95))
        assert ESTIMATOR.estimate(X, Y) == plain
        assert asked == []
        monkeypatch.setattr(estimators, "_MAY_BE_INFINITE", plain.quantile(0.95) - 1e-6)
        with pytest.warns(MistworksWarning, match="a lower bound \\(1 of 2 samples are such\\)"):
            first, second = ESTIMATOR.estimate_many([(X, Y), (X, np.ones(len(X)))])
        assert len(asked) == 1
        assert first.mi == pytest.approx(plain.mi)
        assert (first.interval()[1], second.interval()[1]) == (np.inf, 0.0)


class TestOutside:
    """Warnings about samples far outside what the network was trained on, and refusals."""

    @pytest.mark.parametrize(
        ("n", "dx", "dy", "message"),
        [
            (5001, 2, 2, "the sample has 5,001 points, and the estimator was trained on 10 to 500"),
            (30, 65, 2, "the sample has 65 columns in x, and the estimator was trained on 2 to 32"),
            (30, 2, 65, "the sample has 65 columns in y"),
        ],
    )
    def test_sizes(self, n: int, dx: int, dy: int, message: str) -> None:
        with pytest.warns(MistworksWarning, match=message) as told:
            ESTIMATOR.estimate(*pair_of(0, n, dx, dy))
        assert [warning.filename for warning in told] == [__file__]

    def test_repeated_points(self) -> None:
        with pytest.warns(MistworksWarning, match="10 of 40 points are exact copies of others") as told:
            mistworks.estimate(np.r_[X, X[:10]], np.r_[Y, Y[:10]], model=ESTIMATOR)
        assert [warning.filename for warning in told] == [__file__]

    def test_functions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Of an estimator that was not trained no interval reaches far.
        monkeypatch.setattr(estimators, "_MAY_BE_INFINITE", 0.0)
        with pytest.warns(
            MistworksWarning, match="one side .* is a function of the other .* a lower bound"
        ) as told:
            mistworks.estimate(X, X[:, 0] + X[:, 1], model=ESTIMATOR)
        assert [warning.filename for warning in told] == [__file__]

    def test_many_are_told_of_once(self) -> None:
        pairs = [(X, Y), *((np.r_[X, X[:k]], np.r_[Y, Y[:k]]) for k in (9, 10))]
        with pytest.warns(MistworksWarning, match=r"^9 of 39 points .* \(2 of 3 samples are such\)$") as told:
            ESTIMATOR.estimate_many(pairs)
        assert [warning.filename for warning in told] == [__file__]

    @pytest.mark.filterwarnings("error")
    def test_what_was_trained_on_and_a_little_beyond_is_not_told_of(self) -> None:
        for n, dx, dy in ((10, 2, 32), (5, 1, 1), (5000, 2, 2), (20, 64, 2)):
            ESTIMATOR.estimate(*pair_of(0, n, dx, dy))
        ESTIMATOR.estimate(np.round(X, 1), Y)
        ESTIMATOR.estimate(np.ones(30), Y)
        for classes in (np.arange(30) % 3, np.arange(30) % 2 == 0, [f"k{k % 7}" for k in range(30)]):
            ESTIMATOR.estimate(X, classes)
            ESTIMATOR.estimate(classes, classes)

    def test_the_network_s_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(ESTIMATOR.network), "max_dimension", 4)
        monkeypatch.setattr(type(ESTIMATOR.network), "min_points", 8)
        constant = np.ones((30, 3))
        ESTIMATOR.estimate(np.hstack([X, constant]), Y)
        with pytest.raises(MistworksError, match=r"up to 4 columns that are not constant .* got 5 in y"):
            ESTIMATOR.estimate(*pair_of(0, 30, 2, 5))
        with pytest.raises(
            MistworksError, match="Expected 8 points or more for the network set-transformer, got 7"
        ):
            ESTIMATOR.estimate(*pair_of(0, 7, 2, 2))


class TestEstimating:
    def test_the_point_estimate_is_the_median_or_the_mean(self) -> None:
        estimate = ESTIMATOR.estimate(X, Y)
        assert estimate.mi == estimate.quantile(0.5)
        assert POINT_ESTIMATOR.estimate(X, Y).quantiles is None

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 999), n=st.integers(5, 40), dx=st.integers(1, 5), dy=st.integers(1, 5))
    def test_quantiles_are_finite_ordered_and_not_negative(self, seed: int, n: int, dx: int, dy: int) -> None:
        estimate = ESTIMATOR.estimate(*pair_of(seed, n, dx, dy))
        assert estimate.quantiles is not None
        quantiles = np.array(estimate.quantiles)
        assert np.all(np.isfinite(quantiles))
        assert quantiles[0] >= 0
        assert np.all(np.diff(quantiles) >= 0)

    def test_estimates_are_the_same_every_time(self) -> None:
        assert ESTIMATOR.estimate(X, Y) == ESTIMATOR.estimate(X, Y)

    @settings(max_examples=15, deadline=None)
    @given(
        shapes=st.lists(
            st.tuples(st.integers(5, 40), st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=8
        )
    )
    def test_many_agree_with_one_at_a_time_in_order(self, shapes: list[tuple[int, int, int]]) -> None:
        pairs = [pair_of(seed, *shape) for seed, shape in enumerate(shapes)]
        together = [estimate.mi for estimate in ESTIMATOR.estimate_many(pairs)]
        alone = [ESTIMATOR.estimate(x, y).mi for x, y in pairs]
        np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-4)

    def test_many_may_be_an_iterator_or_nothing(self) -> None:
        assert ESTIMATOR.estimate_many(iter([(X, Y)])) == [ESTIMATOR.estimate(X, Y)]
        assert ESTIMATOR.estimate_many([]) == []

    def test_parts_computed_at_once_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        padded: list[int] = []
        inner = base.pad

        def recorded(pairs: Any) -> Any:
            batch = inner(pairs)
            padded.append(batch.x.numel() + batch.y.numel())
            return batch

        monkeypatch.setattr(base, "pad", recorded)
        monkeypatch.setattr(type(ESTIMATOR.network), "batch_cells", 1000)
        ESTIMATOR.estimate_many([pair_of(seed, 30, 2, 3) for seed in range(40)])
        assert max(padded) <= 1000
        assert sum(padded) == 40 * 30 * 5

    @pytest.mark.parametrize("estimator", [ESTIMATOR, POINT_ESTIMATOR])
    @pytest.mark.parametrize("constant", [0.0, 1.0, -1e300, 0.1])
    def test_constant_columns_carry_nothing(self, estimator: Estimator, constant: float) -> None:
        column = np.full((30, 1), constant)
        assert estimator.estimate(np.hstack([column, X, column]), Y) == estimator.estimate(X, Y)
        assert estimator.estimate(Y, np.hstack([X, column])) == estimator.estimate(Y, X)

    @pytest.mark.parametrize("estimator", [ESTIMATOR, POINT_ESTIMATOR, CALIBRATED])
    @pytest.mark.parametrize("constant", [0.0, 1.0, -1e300, 0.1])
    def test_a_constant_side_has_mutual_information_0(self, estimator: Estimator, constant: float) -> None:
        column = np.full(30, constant)
        for pair in ((column, Y), (X, column), (column, column), (np.full((30, 2), constant), Y)):
            estimate = estimator.estimate(*pair)
            assert (estimate.mi, estimate.mean) == (0, 0)
            if estimate.quantiles is not None:
                assert estimate.interval(0.9) == (0, 0)
        between = estimator.estimate_many([(X, Y), (column, Y), (Y, X)])
        assert [made.mi == 0 for made in between] == [False, True, False]

    def test_all_holders_give_the_same(self) -> None:
        expected = ESTIMATOR.estimate(X, Y)
        for hold in (np.ndarray.tolist, torch.from_numpy, pd.DataFrame):
            assert ESTIMATOR.estimate(hold(X), hold(Y)) == expected  # type: ignore[operator]

    def test_gradient_mode_and_threads_are_left_alone(self) -> None:
        threads = torch.get_num_threads()
        ESTIMATOR.estimate(X, Y)
        assert torch.is_grad_enabled()
        assert torch.get_num_threads() == threads

    def test_bad_input_is_refused(self) -> None:
        with pytest.raises(MistworksError, match="same number of rows, got 30 and 29"):
            ESTIMATOR.estimate(X, Y[1:])


def of_statistics() -> Estimator:
    config = SummaryNetworkConfig(hidden=16, blocks=1)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return Estimator(build_network(config), config, "pinball", RANGE, some_calibration())


SUMMARY = of_statistics()

ODD = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, 1e300, -1e300, 1e-300, 5e-324]),
    st.integers(-2, 2).map(float),
)


@st.composite
def odd_samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Ties, copies, constants and extremes, with some rows repeated."""
    n, dx, dy = draw(st.integers(5, 12)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    table = draw(arrays.arrays(np.float64, (n, dx + dy), elements=ODD))
    rows = draw(st.lists(st.integers(0, n - 1), min_size=5, max_size=15))
    return table[rows, :dx], table[rows, dx:]


@pytest.mark.filterwarnings("ignore::mistworks.errors.MistworksWarning")
class TestAnySample:
    @pytest.mark.parametrize("estimator", [ESTIMATOR, CALIBRATED, SUMMARY])
    @settings(max_examples=60, deadline=None)
    @given(pair=odd_samples())
    def test_estimates_are_finite_ordered_and_not_negative(
        self, estimator: Estimator, pair: tuple[np.ndarray, np.ndarray]
    ) -> None:
        estimate = estimator.estimate(*pair)
        values = np.array([estimate.mi, estimate.mean, *(estimate.quantiles or ())])
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        assert (np.diff(values[2:]) >= 0).all()

    @pytest.mark.parametrize("estimator", [ESTIMATOR, CALIBRATED, SUMMARY])
    @pytest.mark.parametrize(
        "change",
        [
            lambda side: np.exp(100 * side),
            lambda side: np.sign(side) * np.abs(side) ** 40,
            lambda side: 1e30 * side,
            lambda side: 1e-30 * side,
            lambda side: 2.0**40 + side,
            lambda side: np.log1p(np.exp(side)),
        ],
    )
    def test_increasing_maps_change_nothing_at_all(
        self, estimator: Estimator, change: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        x, y = (np.round(4096 * side) / 4096 for side in (X, Y))
        assert len(np.unique(change(x))) == len(np.unique(x)), "the map made ties"
        assert estimator.estimate(change(x), y) == estimator.estimate(x, y)
        assert estimator.estimate(x, change(y)) == estimator.estimate(x, y)


class TestSaving:
    @pytest.mark.parametrize("estimator", [ESTIMATOR, POINT_ESTIMATOR, CALIBRATED])
    def test_what_is_loaded_gives_equal_estimates(self, tmp_path: Path, estimator: Estimator) -> None:
        estimator.save(tmp_path / "deep" / "model")
        loaded = mistworks.load(tmp_path / "deep" / "model")
        assert loaded.estimate(X, Y) == estimator.estimate(X, Y)
        assert loaded.network_config == estimator.network_config
        assert loaded.objective == estimator.objective
        assert loaded.training_range == RANGE
        assert loaded.calibration == estimator.calibration
        for name, value in estimator.network.tensors().items():
            np.testing.assert_array_equal(value, loaded.network.tensors()[name])

    def test_a_fresh_process_gives_equal_estimates(self, saved: Path) -> None:
        np.savez(saved.parent / "pair.npz", x=X, y=Y)
        program = (
            "import sys, numpy as np, torch, mistworks\n"
            f"torch.set_num_threads({torch.get_num_threads()})\n"
            "pair = np.load(sys.argv[2])\n"
            "print(mistworks.estimate(pair['x'], pair['y'], model=sys.argv[1]).mi.hex())"
        )
        command = [sys.executable, "-c", program, str(saved), str(saved.parent / "pair.npz")]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
        )
        assert float.fromhex(done.stdout.strip()) == ESTIMATOR.estimate(X, Y).mi

    def test_only_two_files_are_left(self, saved: Path) -> None:
        assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]
        assert [path.name for path in saved.parent.iterdir()] == ["model"]

    def test_saving_again_replaces_the_model_and_its_card(self, saved: Path) -> None:
        (saved / "README.md").write_text("the model before")
        mistworks.load(saved)
        POINT_ESTIMATOR.save(saved)
        assert mistworks.load(saved).objective == "squared-error"
        assert not (saved / "README.md").exists()

    def test_a_folder_of_version_1_is_read(self, saved: Path) -> None:
        path = saved / "config.json"
        values = json.loads(path.read_text())
        del values["calibration"]
        values["training_range"]["ties"] = False
        values |= {"format_version": 1, "config_sha256": ""}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        values["config_sha256"] = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps(values, indent=2) + "\n")
        loaded = mistworks.load(saved)
        assert loaded.estimate(X, Y) == ESTIMATOR.estimate(X, Y)
        assert loaded.calibration is None
        assert loaded.training_range == RANGE

    def test_the_hash_of_the_weights_is_not_that_of_the_calibration(self) -> None:
        assert CALIBRATED.weights_sha256 == ESTIMATOR.weights_sha256
        assert CALIBRATED.sha256 != ESTIMATOR.sha256 == ESTIMATOR.weights_sha256

    def test_the_configuration_is_read_by_people_too(self, tmp_path: Path) -> None:
        CALIBRATED.save(tmp_path / "model")
        lines = (tmp_path / "model" / "config.json").read_text().splitlines()
        assert len(lines) < 60
        assert '  "n": [10, 500],' in lines

    def test_a_folder_of_other_things_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("x")
        with pytest.raises(MistworksError, match=r"got thesis\.tex\. Choose another folder"):
            ESTIMATOR.save(tmp_path)
        assert (tmp_path / "thesis.tex").read_text() == "x"

    def test_the_range_is_that_of_an_index(self) -> None:
        from tests.support.sources import MemorySource

        index = MemorySource.gaussian(20, seed=0).index
        found = TrainingRange.of(index)
        assert found.n == (index.n.min(), index.n.max())
        assert found.dx == (index.dx.min(), index.dx.max())


class TestLoadingRefusals:
    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MistworksError, match=r"got no .*config\.json"):
            mistworks.load(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_a_missing_file(self, saved: Path, name: str) -> None:
        (saved / name).unlink()
        with pytest.raises(MistworksError, match=f"got no .*{name}"):
            mistworks.load(saved)

    def test_edited_weights(self, saved: Path) -> None:
        path = saved / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        with pytest.raises(MistworksError, match=r"model\.safetensors with the SHA-256 .* got another"):
            mistworks.load(saved)

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("objective", "squared-error", "got an edited file"),
            ("training_range", {"n": [1, 2], "dx": [1, 2], "dy": [1, 2]}, "got an edited file"),
            ("surprise", 1, "got an edited file"),
            ("network", {"network": "perceptron"}, "got an edited file"),
            (
                "format_version",
                4,
                "Expected format version 1 or 2 or 3 of .*, got 4",
            ),
            ("format_version", 1, "got an edited file"),
            ("calibration", CALIBRATED.calibration.model_dump(), "got an edited file"),  # type: ignore[union-attr]
            ("format", "other", "Expected the configuration of an estimator in"),
        ],
    )
    def test_edited_configuration(self, saved: Path, key: str, value: Any, message: str) -> None:
        path = saved / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
        with pytest.raises(MistworksError, match=message):
            mistworks.load(saved)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"network": {"network": "summary", "statistics": "2"}}, "statistics 3 .* over statistics 2"),
            ({"network": {"network": "summary"}}, "Expected weights over statistics 3 .* over statistics 1"),
            ({"surprise": 1}, r"this version of Mistworks, got another \(.*\)\. Load it with the"),
        ],
    )
    def test_another_version_of_mistworks(self, saved: Path, change: dict[str, Any], message: str) -> None:
        path = saved / "config.json"
        values = {**json.loads(path.read_text()), **change, "config_sha256": ""}
        written = json.dumps(values, sort_keys=True, separators=(",", ":"))
        values["config_sha256"] = hashlib.sha256(written.encode()).hexdigest()
        path.write_text(json.dumps(values))
        with pytest.raises(MistworksError, match=message):
            mistworks.load(saved)

    @pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
    def test_something_else_than_a_configuration(self, saved: Path, text: str) -> None:
        (saved / "config.json").write_text(text)
        with pytest.raises(
            MistworksError, match=r"Expected JSON in|Expected the configuration of an estimator in"
        ):
            mistworks.load(saved)

    def test_weights_of_another_network_are_refused_though_their_hash_is_right(self, saved: Path) -> None:
        from safetensors.torch import load_file, save

        weights = load_file(saved / "model.safetensors")
        del weights["seeds"]
        content = save(weights)
        (saved / "model.safetensors").write_bytes(content)
        config = read_config(saved)
        config = config.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
        config = config.model_copy(update={"config_sha256": config.digest()})
        (saved / "config.json").write_text(config.model_dump_json())
        with pytest.raises(MistworksError, match="do not fit their configuration"):
            mistworks.load(saved)


class TestPackage:
    def test_estimate_takes_an_estimator_or_a_folder(self, saved: Path) -> None:
        expected = ESTIMATOR.estimate(X, Y)
        assert mistworks.estimate(X, Y, model=ESTIMATOR) == expected
        assert mistworks.estimate(X, Y, model=saved) == expected
        assert mistworks.estimate(X, Y, model=str(saved)) == expected

    def test_the_weights_that_come_with_the_package_are_read_once_by_many_threads(
        self, shipped_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        CALIBRATED.save(shipped_folder)
        read: list[Any] = []
        monkeypatch.setattr(estimators, "load", lambda folder: read.append(folder) or Estimator.load(folder))
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(lambda _: mistworks.estimate(X, Y), range(8)))
        assert read == [shipped_folder]
        assert made == [CALIBRATED.estimate(X, Y)] * 8

    def test_damaged_weights_are_refused(self, shipped_folder: Path) -> None:
        ESTIMATOR.save(shipped_folder)
        (shipped_folder / "model.safetensors").write_bytes(b"")
        with pytest.raises(MistworksError, match=r"model\.safetensors with the SHA-256 .* got another"):
            mistworks.estimate(X, Y)

    @pytest.mark.usefixtures("shipped_folder")
    def test_without_weights_the_way_to_some_is_told(self) -> None:
        with pytest.raises(MistworksError, match="`mistworks pipeline --preset quick`"):
            mistworks.estimate(X, Y)

    def test_what_an_estimate_does_not_need_is_not_imported(self, saved: Path) -> None:
        program = (
            "import sys, mistworks\n"
            "mistworks.estimate(list(range(9)), list(range(9)), model=sys.argv[1])\n"
            "print([name for name in sys.argv[2:] if name in sys.modules])"
        )
        needless = ("scipy.stats", "pandas", "mistworks.distributions", "mistworks.baselines", "matplotlib")
        done = subprocess.run(
            [sys.executable, "-c", program, str(saved), *needless],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
        assert done.stdout.strip() == "[]"

    def test_importing_the_package_imports_nothing_else(self) -> None:
        program = (
            "import sys, importlib, typing; before = set(sys.modules); import mistworks; dir(mistworks); "
            "print(*set(sys.modules) - before, mistworks.__version__)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
        assert done.stdout.split() == ["mistworks", mistworks.__version__]

    def test_public_names_are_there_and_others_are_not(self) -> None:
        assert {name for name in mistworks.__all__ if hasattr(mistworks, name)} == set(mistworks.__all__)
        with pytest.raises(AttributeError, match="no attribute 'estimat'"):
            mistworks.estimat  # noqa: B018
