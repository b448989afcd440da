import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mistworks.errors import MistworksError
from mistworks.networks import SetTransformerConfig, group_by_shape, pad
from mistworks.training import (
    Progress,
    TrainingConfig,
    TrainingResult,
    plan_epoch,
    read_batches,
    train,
    validate,
)
from mistworks.training.losses import pinball, squared_error
from mistworks.training.samples import stratified_levels
from mistworks.training.trainer import learning_rate
from tests.support.sources import MemorySource

NETWORK = SetTransformerConfig(
    hidden=4,
    relation_hidden=8,
    heads=2,
    feedforward=8,
    self_attention_blocks=1,
    induced_attention_blocks=1,
    inducing_points=2,
    relation_blocks=1,
    seeds=1,
    head_layers=2,
    head_hidden=16,
)
SOURCE = MemorySource.gaussian(40, seed=1)
VALIDATION = MemorySource.gaussian(12, seed=2)


def config_of(**changes: Any) -> TrainingConfig:
    base = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "validate_every": 4, "checkpoint_every": 3}
    return TrainingConfig(**{**base, **changes})


def run(
    folder: Path, config: TrainingConfig, on_progress: Callable[[Progress], None] | None = None
) -> TrainingResult:
    return train(
        SOURCE, VALIDATION, NETWORK, config, folder, "data-1", on_progress or (lambda progress: None)
    )


def weights(result: TrainingResult) -> dict[str, torch.Tensor]:
    best, final = result.estimator.network.state_dict(), result.final_estimator.network.state_dict()
    return {f"best.{name}": value for name, value in best.items()} | dict(final.items())


def assert_same_weights(first: TrainingResult, second: TrainingResult) -> None:
    for name, value in weights(first).items():
        assert torch.equal(value, weights(second)[name]), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return run(tmp_path_factory.mktemp("whole"), config_of())


class TestLosses:
    def test_squared_error_by_hand(self) -> None:
        loss = squared_error(torch.tensor([1.0, 2.0]), torch.tensor([1.5, 0.0]))
        assert loss.tolist() == [0.25, 4.0]

    def test_pinball_by_hand(self) -> None:
        tau = torch.tensor([[0.25, 0.5]])
        loss = pinball(torch.tensor([[1.0, 4.0]]), torch.tensor([2.0]), tau)
        assert loss.tolist() == pytest.approx([(0.25 * 1 + 0.5 * 2) / 2])

    @pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
    def test_pinball_is_least_at_the_quantile(self, level: float) -> None:
        sample = torch.from_numpy(np.random.default_rng(0).exponential(size=4001))
        candidates = torch.linspace(0, 3, 601, dtype=torch.float64)
        losses = [
            float(pinball(value.expand(4001, 1), sample, torch.full((4001, 1), level)).mean())
            for value in candidates
        ]
        assert candidates[int(np.argmin(losses))] == pytest.approx(float(sample.quantile(level)), abs=0.01)


class TestBatching:
    @settings(max_examples=50, deadline=None)
    @given(
        sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any),
        batch_size=st.integers(1, 12),
        window=st.integers(1, 9),
        epoch=st.integers(0, 5),
    )
    def test_every_dataset_comes_once_an_epoch(
        self, sizes: list[int], batch_size: int, window: int, epoch: int
    ) -> None:
        stops = np.cumsum(sizes).tolist()
        bounds = list(zip([0, *stops[:-1]], stops, strict=True))
        plan = plan_epoch(bounds, 7, epoch, batch_size, window)
        rows = [plan.order[plan.rows(step)].tolist() for step in range(len(plan))]
        assert sorted(chain.from_iterable(rows)) == list(range(sum(sizes)))
        assert all(len(row) == batch_size for row in rows[:-1])
        assert rows[-1]

    def test_orders_follow_from_seed_and_epoch(self) -> None:
        orders = [
            plan_epoch(SOURCE.partition_bounds, s, e, 8, 2).order for s, e in [(0, 0), (0, 1), (1, 0), (0, 0)]
        ]
        assert np.array_equal(orders[0], orders[3])
        assert not np.array_equal(orders[0], orders[1])
        assert not np.array_equal(orders[0], orders[2])

    def test_resuming_gives_the_same_batches_and_reads_nothing_of_what_was_consumed(self) -> None:
        source = MemorySource.gaussian(64, seed=3, size=8)
        plan = plan_epoch(source.partition_bounds, 0, 0, 8, 2)
        whole = [[dataset.mi for dataset in batch] for batch in read_batches(source, plan)]
        assert sorted(source.reads) == list(range(8))
        source.reads.clear()
        rest = [[dataset.mi for dataset in batch] for batch in read_batches(source, plan, first_step=5)]
        assert rest == whole[5:]
        assert len(source.reads) == 4

    def test_held_partitions_are_bounded_by_the_window(self) -> None:
        source = MemorySource.gaussian(64, seed=3, size=8)
        plan = plan_epoch(source.partition_bounds, 0, 0, 4, 2)
        seen = [len(source.reads) for _ in read_batches(source, plan)]
        assert seen[3] <= 2
        assert seen[7] <= 4

    def test_no_datasets_is_an_error(self) -> None:
        with pytest.raises(MistworksError, match="Expected datasets in the training split, got none"):
            plan_epoch([], 0, 0, 8, 2)


class TestSchedule:
    def test_warm_up_then_cosine(self) -> None:
        config = config_of(warmup_steps=10, learning_rate=1e-3, final_learning_rate=0.1)
        rates = [learning_rate(config, step, 200) for step in range(201)]
        assert rates[10] == max(rates) == pytest.approx(1e-3)
        assert all(before < after for before, after in pairwise(rates[:11]))
        assert all(before > after for before, after in pairwise(rates[10:]))
        assert rates[200] == pytest.approx(1e-4)

    def test_levels_are_stratified_and_follow_from_the_step(self) -> None:
        tau = stratified_levels(config_of(levels=4), 3, 100)
        assert torch.equal(torch.floor(tau * 4), torch.arange(4.0).expand(100, 4))
        assert torch.equal(tau, stratified_levels(config_of(levels=4), 3, 100))
        assert not torch.equal(tau, stratified_levels(config_of(levels=4), 4, 100))


class TestResuming:
    def test_an_interrupted_run_ends_in_the_same_weights(
        self, tmp_path: Path, uninterrupted: TrainingResult
    ) -> None:
        class StopError(Exception):
            pass

        def stop_at(step: int) -> Callable[[Progress], None]:
            def stop(progress: Progress) -> None:
                if progress.step == step:
                    raise StopError

            return stop

        for step in (5, 8):
            with pytest.raises(StopError):
                run(tmp_path, config_of(), stop_at(step))
        result = run(tmp_path, config_of())
        assert_same_weights(result, uninterrupted)
        strip = [point.model_copy(update={"datasets_per_second": 0}) for point in result.history]
        assert strip == [p.model_copy(update={"datasets_per_second": 0}) for p in uninterrupted.history]
        assert result.best_step == uninterrupted.best_step

    def test_sigkill_then_resume_ends_in_the_same_weights(
        self, tmp_path: Path, uninterrupted: TrainingResult
    ) -> None:
        program = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from tests.mistworks.training.test_training import run, config_of\n"
            "def wait_at(progress):\n"
            "    if progress.step == int(sys.argv[2]):\n"
            "        print('there', flush=True)\n"
            "        time.sleep(600)\n"
            "run(Path(sys.argv[1]), config_of(), wait_at)"
        )
        for step in (4, 8):
            command = [sys.executable, "-c", program, str(tmp_path), str(step)]
            with subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE) as child:
                assert child.stdout is not None
                assert child.stdout.readline() == b"there\n"
                child.kill()
            assert child.returncode == -signal.SIGKILL
        assert json.loads((tmp_path / "checkpoint.json").read_text())["step"] == 6
        assert_same_weights(run(tmp_path, config_of()), uninterrupted)

    def test_interrupt_saves_the_step_and_is_passed_on(
        self, tmp_path: Path, uninterrupted: TrainingResult
    ) -> None:
        def interrupt(progress: Progress) -> None:
            if progress.step == 4:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)

        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, config_of(), interrupt)
        assert signal.getsignal(signal.SIGINT) is before
        assert json.loads((tmp_path / "checkpoint.json").read_text())["step"] in (4, 5)
        assert_same_weights(run(tmp_path, config_of()), uninterrupted)

    def test_a_thread_can_train(self, tmp_path: Path, uninterrupted: TrainingResult) -> None:
        results: list[TrainingResult] = []
        thread = threading.Thread(target=lambda: results.append(run(tmp_path, config_of())))
        thread.start()
        thread.join()
        assert_same_weights(results[0], uninterrupted)

    def test_a_finished_folder_is_only_read(self, tmp_path: Path) -> None:
        first = run(tmp_path, config_of())
        SOURCE.reads.clear()
        steps: list[int] = []
        second = run(tmp_path, config_of(), lambda progress: steps.append(progress.step))
        assert not SOURCE.reads
        assert not steps
        assert_same_weights(first, second)
        assert second.history == first.history

    def test_one_pair_of_files_is_left(self, tmp_path: Path) -> None:
        run(tmp_path, config_of())
        assert len(list(tmp_path.iterdir())) == 2

    def test_global_state_is_left_as_it_was(self, tmp_path: Path) -> None:
        threads, random = torch.get_num_threads(), torch.get_rng_state()
        run(tmp_path, config_of(epochs=1))
        assert torch.get_num_threads() == threads
        assert torch.equal(torch.get_rng_state(), random)


class TestRefusals:
    def test_a_folder_of_another_configuration(self, tmp_path: Path) -> None:
        run(tmp_path, config_of(epochs=1))
        with pytest.raises(MistworksError, match=r"training\.learning_rate \(0\.003 there, 0\.1 now\)"):
            run(tmp_path, config_of(epochs=1, learning_rate=0.1))

    def test_a_folder_of_other_data(self, tmp_path: Path) -> None:
        run(tmp_path, config_of(epochs=1))
        with pytest.raises(MistworksError, match=r"differs in the training data\. Choose another folder"):
            train(SOURCE, VALIDATION, NETWORK, config_of(epochs=1), tmp_path, "data-2")

    def test_a_damaged_checkpoint(self, tmp_path: Path) -> None:
        run(tmp_path, config_of(epochs=1))
        tensors = next(tmp_path.glob("*.safetensors"))
        tensors.write_bytes(tensors.read_bytes()[:-1] + b"?")
        with pytest.raises(MistworksError, match=r"with the SHA-256 in .* damaged file"):
            run(tmp_path, config_of(epochs=1))
        (tmp_path / "checkpoint.json").write_text("{")
        with pytest.raises(MistworksError, match="Expected a checkpoint of this version"):
            run(tmp_path, config_of(epochs=1))

    @pytest.mark.parametrize("empty", ["training", "validation"])
    def test_an_empty_split(self, tmp_path: Path, empty: str) -> None:
        nothing = MemorySource([])
        source, validation = (nothing, VALIDATION) if empty == "training" else (SOURCE, nothing)
        with pytest.raises(MistworksError, match=f"Expected datasets in the {empty} split, got none"):
            train(source, validation, NETWORK, config_of(), tmp_path, "d")

    def test_a_loss_that_is_not_finite(self, tmp_path: Path) -> None:
        broken = MemorySource.gaussian(24, seed=1)
        broken.datasets[3] = replace(broken.datasets[3], mi=float("nan"))
        with pytest.raises(
            MistworksError, match=r"finite loss and gradient at step .*, got a loss of nan.*learning_rate"
        ):
            train(broken, VALIDATION, NETWORK, config_of(), tmp_path, "d")

    @pytest.mark.parametrize(
        ("key", "value"),
        [("epochs", 0), ("learning_rate", -1), ("objective", "mse"), ("batchsize", 3), ("seed", -1)],
    )
    def test_settings_out_of_range(self, key: str, value: Any) -> None:
        with pytest.raises(MistworksError, match=f"Expected .*{key}"):
            TrainingConfig.parse({key: value})


def test_micro_batches_do_not_change_the_gradient(tmp_path: Path) -> None:
    split = run(tmp_path / "a", config_of(epochs=1, micro_batch_cells=1))
    whole = run(tmp_path / "b", config_of(epochs=1, micro_batch_cells=10**6))
    for name, value in weights(split).items():
        torch.testing.assert_close(value, weights(whole)[name], atol=2e-4, rtol=2e-3)


def test_progress_and_history_agree(tmp_path: Path) -> None:
    seen: list[Progress] = []
    result = run(tmp_path, config_of(), seen.append)
    assert [progress.step for progress in seen] == list(range(1, 11))
    assert tuple(progress.point for progress in seen if progress.point) == result.history
    assert [point.step for point in result.history] == [4, 8, 10]
    assert result.history[0].training_loss == pytest.approx(np.mean([p.training_loss for p in seen[:4]]))
    assert all(progress.datasets_per_second > 0 for progress in seen)
    final = validate(result.final_estimator, VALIDATION)
    assert (final.mse, final.bias) == (result.history[-1].mse, result.history[-1].bias)
    best = validate(result.estimator, VALIDATION)
    assert best.loss == min(point.validation_loss for point in result.history)


def test_validation_may_be_a_part(tmp_path: Path) -> None:
    estimator = run(tmp_path, config_of(epochs=1)).estimator
    VALIDATION.reads.clear()
    validate(estimator, VALIDATION, max_datasets=1)
    assert VALIDATION.reads == [0]


def test_padded_batches_stay_within_the_bound() -> None:
    index = SOURCE.index
    for group in group_by_shape(index.n, index.dx, index.dy, 500, 8):
        batch = pad([(SOURCE.datasets[row].x, SOURCE.datasets[row].y) for row in group])
        assert len(batch) == 1 or batch.x.numel() + batch.y.numel() <= 500


@pytest.mark.parametrize("objective", ["pinball", "squared-error"])
def test_training_on_gaussians_beats_the_prior_mean(tmp_path: Path, objective: Any) -> None:
    source = MemorySource.gaussian(1500, seed=10, n=(40, 80), d=(1, 2), size=500)
    unseen = MemorySource.gaussian(150, seed=11, n=(40, 80), d=(1, 2), size=50)
    network = NETWORK.model_copy(update={"hidden": 8, "relation_hidden": 16, "head_hidden": 32})
    config = config_of(epochs=3, batch_size=25, learning_rate=5e-3, warmup_steps=10, objective=objective)
    config = config.model_copy(update={"validate_every": 90, "checkpoint_every": 1000})
    result = train(source, unseen, network, config, tmp_path, "d")
    assert result.history[-1].mse < 0.35 * unseen.index.mi.var()
    assert abs(result.history[-1].bias) < 0.15
