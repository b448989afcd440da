"""Train a network resumably: an interrupted run ends with the same weights as an uninterrupted one."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimator, TrainingRange
from mistworks.networks import AnyNetworkConfig
from mistworks.training.batching import AnySource, plan_epoch
from mistworks.training.checkpoint import (
    Checkpoint,
    CurvePoint,
    Identity,
    pack,
    read_checkpoint,
    unpack,
    write_checkpoint,
)
from mistworks.training.config import TrainingConfig
from mistworks.training.lessons import lesson_of
from mistworks.training.validation import validate


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of training.

    Attributes:
        step: steps taken.
        steps: number of steps of the whole training.
        training_loss: loss of this step.
        learning_rate: learning rate of this step.
        datasets_per_second: speed since the last validation.
        point: point of the curve, at steps that end with a validation.
    """

    step: int
    steps: int
    training_loss: float
    learning_rate: float
    datasets_per_second: float
    point: CurvePoint | None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
    """A finished training run.

    Attributes:
        estimator: estimator with the weights of the lowest validation loss.
        final_estimator: estimator with the weights of the last step.
        history: one point per validation.
        best_step: the step of ``estimator``.
        steps: number of steps taken.
    """

    estimator: Estimator
    final_estimator: Estimator
    history: tuple[CurvePoint, ...]
    best_step: int
    steps: int


def train(
    source: AnySource,
    validation_source: AnySource,
    network_config: AnyNetworkConfig,
    training_config: TrainingConfig,
    checkpoint_folder: str | Path,
    data_hash: str,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> TrainingResult:
    """Train, or continue from the folder's checkpoint; a finished run is only read.

    An interrupt (SIGINT) is held back until the end of the step, which is saved before KeyboardInterrupt is
    raised. On one machine with one number of threads, weights are the same to the bit however often a run is
    interrupted.

    Args:
        source: training split, or its statistics for a network that reads statistics.
        validation_source: validation split, like the training split as samples or as statistics.
        network_config: the network to train.
        training_config: settings of the training.
        checkpoint_folder: folder of the checkpoints. It belongs to one configuration and one ``data_hash``.
        data_hash: hash of the content of both splits.
        on_progress: called after each step.

    Raises:
        MistworksError: the folder belongs to another run or is damaged, a split is empty, or the loss is no
            longer finite.
    """
    folder = Path(checkpoint_folder)
    identity = Identity(network=network_config, training=training_config, data_hash=data_hash)
    with _threads(training_config.threads):
        run = _Run(source, validation_source, identity, folder, on_progress)
        if not run.finished:
            with _held_interrupt() as interrupted:
                run.train(interrupted)
        return run.result()


class _Run:
    """The state of one training run."""

    def __init__(
        self,
        source: AnySource,
        validation_source: AnySource,
        identity: Identity,
        folder: Path,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._source, self._validation_source = source, validation_source
        self._identity, self._folder, self._on_progress = identity, folder, on_progress
        self._config = identity.training
        self._lesson = lesson_of(identity.network, identity.training, source)
        self._network = self._lesson.network
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(),
            lr=self._config.learning_rate,
            weight_decay=self._config.weight_decay,
            fused=True,
        )
        self._batches = -(-len(source) // self._config.batch_size)
        self._step, self._best_step, self.finished = 0, 0, False
        self._history: list[CurvePoint] = []
        self._best: dict[str, Tensor] = {}
        self._loss_sum, self._loss_steps = 0.0, 0
        self._seconds, self._datasets = 0.0, 0
        self._range: TrainingRange | None = None
        self._restore()

    def _restore(self) -> None:
        saved = read_checkpoint(self._folder, self._identity)
        if saved is None:
            return
        checkpoint, tensors = saved
        self._best = unpack(tensors, self._network, self._optimiser)
        self._step, self._best_step = checkpoint.step, checkpoint.best_step
        self._history, self.finished = list(checkpoint.history), checkpoint.finished
        self._loss_sum, self._loss_steps = checkpoint.loss_sum, checkpoint.loss_steps
        self._range = checkpoint.training_range

    def train(self, interrupted: threading.Event) -> None:
        """Take all remaining steps."""
        self._range = TrainingRange.of(self._source.index) if len(self._source) else None
        config = self._config
        if self._step == 0 and len(self._source):
            self._lesson.begin()
        steps = config.epochs * self._batches
        for epoch in range(self._step // max(self._batches, 1), config.epochs):
            plan = plan_epoch(
                self._source.partition_bounds,
                config.seed,
                epoch,
                config.batch_size,
                config.shuffle_partitions,
            )
            for count, batch in self._lesson.batches(plan, self._step - epoch * self._batches):
                self._advance(count, batch, steps)
                if interrupted.is_set():
                    if not self.finished:
                        self._save()
                    raise KeyboardInterrupt

    def _advance(self, count: int, batch: Any, steps: int) -> None:
        began = time.perf_counter()
        rate = learning_rate(self._config, self._step, steps)
        loss = self._optimise(batch, rate)
        self._step += 1
        self._loss_sum, self._loss_steps = self._loss_sum + loss, self._loss_steps + 1
        self._seconds += time.perf_counter() - began
        self._datasets += count
        speed = self._datasets / self._seconds
        self.finished = self._step == steps
        point = None
        if self.finished or self._step % self._config.validate_every == 0:
            point = self._validate(speed)
        if self.finished or self._step % self._config.checkpoint_every == 0:
            self._save()
        self._on_progress(Progress(self._step, steps, loss, rate, speed, point))

    def _optimise(self, batch: Any, rate: float) -> float:
        """Take a step of AdamW on a batch, and return its mean loss."""
        loss = self._lesson.backward(batch, self._step)
        norm = torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._config.gradient_clip)
        total, length = torch.stack([loss, norm]).tolist()
        self._require_finite(total, length)
        for group_settings in self._optimiser.param_groups:
            group_settings["lr"] = rate
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return float(total)

    def _require_finite(self, loss: float, norm: float) -> None:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise MistworksError(
                f"Expected a finite loss and gradient at step {self._step + 1}, got a loss of {loss} and a "
                f"gradient norm of {norm}. Lower learning_rate (now {self._config.learning_rate:g}) or "
                "gradient_clip and train again."
            )

    def _validate(self, speed: float) -> CurvePoint:
        figures = validate(self._estimator(), self._validation_source, self._config.validation_datasets)
        if not (math.isfinite(figures.loss) and math.isfinite(figures.mse)):
            raise MistworksError(
                f"Expected a finite validation loss at step {self._step}, got {figures.loss} with an MSE of "
                f"{figures.mse}. Lower learning_rate (now {self._config.learning_rate:g}) and train again."
            )
        point = CurvePoint(
            step=self._step,
            training_loss=self._loss_sum / self._loss_steps,
            validation_loss=figures.loss,
            mse=figures.mse,
            bias=figures.bias,
            datasets_per_second=speed,
        )
        best = min((earlier.validation_loss for earlier in self._history), default=math.inf)
        if point.validation_loss < best:
            self._best_step = self._step
            self._best = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}
        self._history.append(point)
        self._loss_sum, self._loss_steps, self._seconds, self._datasets = 0.0, 0, 0.0, 0
        return point

    def _save(self) -> None:
        checkpoint = Checkpoint(
            identity=self._identity,
            step=self._step,
            finished=self.finished,
            training_range=self._training_range,
            best_step=self._best_step,
            history=tuple(self._history),
            loss_sum=self._loss_sum,
            loss_steps=self._loss_steps,
        )
        write_checkpoint(self._folder, checkpoint, pack(self._network, self._optimiser, self._best))

    @property
    def _training_range(self) -> TrainingRange:
        if self._range is None:
            raise MistworksError("Expected datasets in the training split, got none. Generate some first.")
        return self._range

    def _estimator(self) -> Estimator:
        """Return an estimator with the current weights."""
        return Estimator(
            self._network,
            self._identity.network,
            self._config.objective,
            self._training_range,
            witnesses=self._network.witnesses(),
        )

    def result(self) -> TrainingResult:
        """Return the result of a finished run."""
        final = self._estimator()
        self._network.load_state_dict(self._best, strict=True)
        return TrainingResult(
            estimator=self._estimator(),
            final_estimator=final,
            history=tuple(self._history),
            best_step=self._best_step,
            steps=self._step,
        )


def learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    """Return the rate of a step: linear warm-up, then half a cosine down to ``final_learning_rate``.

    Args:
        config: the training configuration.
        step: steps taken before this one.
        steps: number of steps of the whole training.
    """
    warmup = min(config.warmup_steps, steps // 10)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(steps - warmup, 1)
    lowest = config.final_learning_rate
    return config.learning_rate * (lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * share)))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _held_interrupt() -> Iterator[threading.Event]:
    """Hold SIGINT back as an event. Do nothing outside the main thread, where signals never arrive."""
    event = threading.Event()

    def remember(number: int, frame: FrameType | None) -> None:
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, remember)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


__all__ = ["Progress", "TrainingResult", "learning_rate", "train"]
