import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mistworks
from mistworks import estimation
from mistworks.errors import MistworksError
from mistworks.estimation import LEVELS, Estimate, Estimator, TrainingRange
from mistworks.networks import SetTransformerConfig, build_network

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
        assert repr(estimate) == "Estimate(mi=0.5)"
        assert str(Estimate(0.5)) == "0.500 nats"

    @pytest.mark.parametrize("tau", [0, 1, -0.1, 1.1, [0.5, 0.0], float("nan")])
    def test_levels_out_of_range_are_refused(self, tau: Any) -> None:
        with pytest.raises(MistworksError, match=r"quantile levels lie between 0\.001 and 0\.999"):
            Estimate(0.5, tuple(LEVELS)).quantile(tau)

    @pytest.mark.parametrize("level", [-0.1, 0.9999, 1.5])
    def test_interval_levels_out_of_range_are_refused(self, level: float) -> None:
        with pytest.raises(MistworksError, match="level of an interval"):
            Estimate(0.5, tuple(LEVELS)).interval(level)

    @pytest.mark.parametrize("ask", [lambda e: e.quantile(0.5), lambda e: e.interval()])
    def test_a_point_estimator_has_no_quantiles(self, ask: Callable[[Estimate], Any]) -> None:
        with pytest.raises(MistworksError, match="train one with objective pinball"):
            ask(POINT_ESTIMATOR.estimate(X, Y))


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
        inner = estimation.pad

        def recorded(pairs: Any) -> Any:
            batch = inner(pairs)
            padded.append(batch.x.numel() + batch.y.numel())
            return batch

        monkeypatch.setattr(estimation, "pad", recorded)
        monkeypatch.setattr(estimation, "_MAX_CELLS", 1000)
        ESTIMATOR.estimate_many([pair_of(seed, 30, 2, 3) for seed in range(40)])
        assert max(padded) <= 1000
        assert sum(padded) == 40 * 30 * 5

    @pytest.mark.parametrize("estimator", [ESTIMATOR, POINT_ESTIMATOR])
    @pytest.mark.parametrize("constant", [0.0, 1.0, -1e300, 0.1])
    def test_constant_columns_give_a_number(self, estimator: Estimator, constant: float) -> None:
        for x in (np.full((20, 2), constant), np.column_stack([np.full(30, constant), X[:, 0]])):
            assert np.isfinite(estimator.estimate(x, Y[: len(x)]).mi)
        assert np.isfinite(estimator.estimate(np.full(30, constant), np.full(30, constant)).mi)

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
        with pytest.raises(MistworksError, match="as many rows as one another, and 30 and 29"):
            ESTIMATOR.estimate(X, Y[1:])


class TestSaving:
    @pytest.mark.parametrize("estimator", [ESTIMATOR, POINT_ESTIMATOR])
    def test_what_is_loaded_gives_equal_estimates(self, tmp_path: Path, estimator: Estimator) -> None:
        estimator.save(tmp_path / "deep" / "model")
        loaded = mistworks.load(tmp_path / "deep" / "model")
        assert loaded.estimate(X, Y) == estimator.estimate(X, Y)
        assert loaded.network_config == estimator.network_config
        assert loaded.objective == estimator.objective
        assert loaded.training_range == RANGE
        for name, value in estimator.network.state_dict().items():
            assert torch.equal(value, loaded.network.state_dict()[name])

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
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
        )
        assert float.fromhex(done.stdout.strip()) == ESTIMATOR.estimate(X, Y).mi

    def test_only_two_files_are_left(self, saved: Path) -> None:
        assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]
        assert [path.name for path in saved.parent.iterdir()] == ["model"]

    def test_saving_again_replaces(self, saved: Path) -> None:
        POINT_ESTIMATOR.save(saved)
        assert mistworks.load(saved).objective == "squared-error"

    def test_a_folder_of_other_things_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("x")
        with pytest.raises(MistworksError, match=r"it holds thesis\.tex; choose another folder"):
            ESTIMATOR.save(tmp_path)
        assert (tmp_path / "thesis.tex").read_text() == "x"

    def test_the_range_is_that_of_an_index(self) -> None:
        from tests.sources import MemorySource

        index = MemorySource.gaussian(20, seed=0).index
        found = TrainingRange.of(index)
        assert found.n == (index.n.min(), index.n.max())
        assert found.dx == (index.dx.min(), index.dx.max())


class TestLoadingRefusals:
    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MistworksError, match=r"config\.json is missing"):
            mistworks.load(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_a_missing_file(self, saved: Path, name: str) -> None:
        (saved / name).unlink()
        with pytest.raises(MistworksError, match=f"{name} is missing"):
            mistworks.load(saved)

    def test_edited_weights(self, saved: Path) -> None:
        path = saved / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        with pytest.raises(MistworksError, match="is not the file that was saved: its SHA-256"):
            mistworks.load(saved)

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("objective", "squared-error", "was edited"),
            ("training_range", {"n": [1, 2], "dx": [1, 2], "dy": [1, 2]}, "was edited"),
            ("surprise", 1, "surprise is not a known key"),
            ("network", {"network": "perceptron"}, "was edited"),
            ("format_version", 2, "is of format version 2, and this version of Mistworks reads 1"),
            ("format", "other", "is not the configuration of an estimator"),
        ],
    )
    def test_edited_configuration(self, saved: Path, key: str, value: Any, message: str) -> None:
        path = saved / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
        with pytest.raises(MistworksError, match=message):
            mistworks.load(saved)

    @pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
    def test_something_else_than_a_configuration(self, saved: Path, text: str) -> None:
        (saved / "config.json").write_text(text)
        with pytest.raises(MistworksError, match=r"is not JSON|is not the configuration"):
            mistworks.load(saved)

    def test_weights_of_another_network_are_refused_though_their_hash_is_right(self, saved: Path) -> None:
        from safetensors.torch import load_file, save

        weights = load_file(saved / "model.safetensors")
        del weights["seeds"]
        content = save(weights)
        (saved / "model.safetensors").write_bytes(content)
        card = estimation._read_card(saved)
        card = card.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
        card = card.model_copy(update={"config_sha256": card.digest()})
        (saved / "config.json").write_text(card.model_dump_json())
        with pytest.raises(MistworksError, match="do not fit the network"):
            mistworks.load(saved)


class TestPackage:
    def test_estimate_takes_an_estimator_or_a_folder(self, saved: Path) -> None:
        expected = ESTIMATOR.estimate(X, Y)
        assert mistworks.estimate(X, Y, model=ESTIMATOR) == expected
        assert mistworks.estimate(X, Y, model=saved) == expected
        assert mistworks.estimate(X, Y, model=str(saved)) == expected

    @pytest.mark.skipif(
        (Path(mistworks.__file__).parent / "weights" / "config.json").exists(), reason="weights are shipped"
    )
    def test_without_weights_the_way_to_some_is_told(self) -> None:
        with pytest.raises(MistworksError, match="`mistworks pipeline --preset quick`"):
            mistworks.estimate(X, Y)

    def test_importing_the_package_does_not_import_torch(self) -> None:
        program = (
            "import sys, mistworks; dir(mistworks); print('torch' in sys.modules, mistworks.__version__)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
        assert done.stdout.split() == ["False", mistworks.__version__]

    def test_public_names_are_there_and_others_are_not(self) -> None:
        assert {name for name in mistworks.__all__ if hasattr(mistworks, name)} == set(mistworks.__all__)
        with pytest.raises(AttributeError, match="no attribute 'estimat'"):
            mistworks.estimat  # noqa: B018
