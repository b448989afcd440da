"""Checkpoints of a training run: safetensors and JSON, replaced completely or not at all.

``checkpoint.json`` names the file of tensors that belongs to it and the SHA-256 of that file. The tensors are
written first, under a new name, and older ones are removed last, so that a consistent pair exists at every
instant.

No state of a random generator is stored: all random numbers of step s follow from (seed, s).
"""

import hashlib
import json
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import TrainingRange
from mistworks.files import naming, write_whole
from mistworks.networks import AnyNetworkConfig
from mistworks.training.config import TrainingConfig

CHECKPOINT_FILE = "checkpoint.json"
FORMAT_VERSION = 1


class CurvePoint(FrozenConfig):
    """The state of training at one validation.

    Attributes:
        step: steps taken.
        training_loss: mean since the previous point; nats for pinball, nats² for squared error.
        validation_loss: the same on the validation data; pinball is the mean over `estimation.LEVELS`.
        mse: mean squared error of the point estimate on the validation data, nats².
        bias: mean error of the point estimate on the validation data, nats.
        datasets_per_second: training speed since the previous point, without validation.
    """

    step: int
    training_loss: float
    validation_loss: float
    mse: float
    bias: float
    datasets_per_second: float


class Identity(FrozenConfig):
    """The run that a checkpoint folder belongs to."""

    network: AnyNetworkConfig
    training: TrainingConfig
    data_hash: str


class Checkpoint(FrozenConfig):
    """The content of ``checkpoint.json``.

    Attributes:
        step: number of steps taken.
        finished: whether training is complete.
        training_range: sizes of the training datasets.
        best_step: the step with the lowest validation loss so far; 0 before the first validation.
        history: one point per validation.
        tensors_file: the file of weights and optimiser state that belongs to this checkpoint.
        tensors_sha256: SHA-256 of that file.
    """

    format: Literal["mistworks-checkpoint"] = "mistworks-checkpoint"
    format_version: Literal[1] = 1
    identity: Identity
    step: int
    finished: bool
    training_range: TrainingRange
    best_step: int
    history: tuple[CurvePoint, ...]
    loss_sum: float
    loss_steps: int
    tensors_file: str = ""
    tensors_sha256: str = ""


def write_checkpoint(folder: Path, checkpoint: Checkpoint, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint and remove the previous one.

    Raises:
        MistworksError: there is no room or no permission to write. The previous checkpoint remains.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    content = save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    digest = hashlib.sha256(content).hexdigest()
    name = f"step-{checkpoint.step:09d}-{digest[:8]}.safetensors"
    write_whole(folder / name, content)
    complete = checkpoint.model_copy(update={"tensors_file": name, "tensors_sha256": digest})
    write_whole(
        folder / CHECKPOINT_FILE, (json.dumps(complete.model_dump(mode="json"), indent=1) + "\n").encode()
    )
    for old in [*folder.glob("step-*.safetensors"), *folder.glob(".*.tmp")]:
        if old.name != name:
            old.unlink(missing_ok=True)


def read_checkpoint(folder: Path, identity: Identity) -> tuple[Checkpoint, dict[str, Tensor]] | None:
    """Read the checkpoint of a folder; None if there is none yet.

    Raises:
        MistworksError: the checkpoint belongs to another configuration or other data, or is damaged.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        checkpoint = Checkpoint.parse(path.read_text())
    except (MistworksError, UnicodeDecodeError) as error:
        raise MistworksError(
            f"Expected a checkpoint of this version of Mistworks in {path}, got another "
            f"({str(error).rstrip('.')}). Choose another folder, or remove it."
        ) from None
    _require_same(checkpoint.identity, identity, folder)
    tensors_path = folder / checkpoint.tensors_file
    content = tensors_path.read_bytes() if tensors_path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != checkpoint.tensors_sha256:
        raise MistworksError(
            f"Expected {tensors_path} with the SHA-256 in {CHECKPOINT_FILE}, got a missing or damaged file. "
            f"Remove {folder} and train again."
        )
    return checkpoint, load_tensors(content)


def pack(network: nn.Module, optimiser: torch.optim.AdamW, best: dict[str, Tensor]) -> dict[str, Tensor]:
    """Collect weights, AdamW's moments and the best weights so far in one flat mapping."""
    tensors = {f"weights.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for name, parameter in network.named_parameters():
        for key, value in optimiser.state[parameter].items():
            tensors[f"{key}.{name}"] = value
    return tensors


def unpack(tensors: dict[str, Tensor], network: nn.Module, optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    """Restore the state from `pack`, and return the best weights."""
    network.load_state_dict(_under(tensors, "weights."), strict=True)
    for name, parameter in network.named_parameters():
        keys = ("step", "exp_avg", "exp_avg_sq")
        state = {
            key: tensors[f"{key}.{name}"].to(parameter.device) for key in keys if f"{key}.{name}" in tensors
        }
        if state:
            optimiser.state[parameter] = state
    return _under(tensors, "best.")


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _require_same(saved: Identity, expected: Identity, folder: Path) -> None:
    differing = [
        f"{part}.{key} ({before.get(key)!r} there, {now.get(key)!r} now)"
        for part in ("network", "training")
        for before, now in [(getattr(saved, part).model_dump(), getattr(expected, part).model_dump())]
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]
    if saved.data_hash != expected.data_hash:
        differing.append("the training data")
    if differing:
        raise MistworksError(
            f"Expected the checkpoint of this run in {folder}, got one of another, which differs in "
            f"{', '.join(differing)}. Choose another folder, or remove this one."
        )


__all__ = [
    "CHECKPOINT_FILE",
    "FORMAT_VERSION",
    "Checkpoint",
    "CurvePoint",
    "Identity",
    "pack",
    "read_checkpoint",
    "unpack",
    "write_checkpoint",
]
