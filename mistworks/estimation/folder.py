"""The folder that an estimator is saved to: weights in safetensors, the rest in JSON, both hashed."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mistworks.config import FrozenConfig
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.calibration import Calibration
from mistworks.estimation.training_range import TrainingRange
from mistworks.files import flush_folder, naming, write_whole
from mistworks.networks import AnyNetworkConfig
from mistworks.statistics.layout import VERSION

Objective = Literal["pinball", "squared-error"]

FORMAT_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
WEIGHTS_FILE = "model.safetensors"
WITNESSES_FILE = "witnesses.safetensors"
CONFIG_FILE = "config.json"
CARD_FILE = "README.md"


class ModelConfig(FrozenConfig):
    """What ``config.json`` holds.

    Attributes:
        format: always ``"mistworks-model"``.
        format_version: of this file.
        network: configuration of the network.
        objective: the loss it was trained with.
        training_range: sizes of the datasets it was trained on.
        weights_sha256: of ``model.safetensors``.
        calibration: of the quantiles, None without one.
        witnesses: groups of families, for each of which ``witnesses.safetensors`` has a network that was
            trained without it; none once the estimator is calibrated.
        witnesses_sha256: of that file, empty without one.
        config_sha256: of everything else in the file.
    """

    format: Literal["mistworks-model"] = "mistworks-model"
    format_version: int = FORMAT_VERSION
    network: AnyNetworkConfig
    objective: Objective
    training_range: TrainingRange
    weights_sha256: str
    calibration: Calibration | None = None
    witnesses: tuple[str, ...] = ()
    witnesses_sha256: str = ""
    config_sha256: str = ""

    def digest(self) -> str:
        """SHA-256 of everything else in the file."""
        return _digest(self.model_dump(mode="json"))


def pack(tensors: Mapping[str, FloatArray]) -> bytes:
    """Tensors by name in the format safetensors; equal bytes exactly for equal tensors."""
    from safetensors.numpy import save

    return save(dict(tensors))


def unpack(content: bytes) -> dict[str, FloatArray]:
    """What `pack` wrote.

    Raises:
        MistworksError: it is something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except SafetensorError as error:
        raise MistworksError(f"Expected tensors in the format safetensors, got: {error}.") from None


def write_model(folder: Path, config: ModelConfig, weights: bytes, witnesses: bytes | None = None) -> None:
    """Write ``model.safetensors`` and ``config.json``: a folder that is there whole or not at all.

    A ``README.md`` in the folder, the model card, goes when the folder is replaced: it tells of the model
    before.

    Raises:
        MistworksError: the folder holds something other than a saved estimator, or cannot be written.
    """
    others = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if set(others) - {WEIGHTS_FILE, WITNESSES_FILE, CONFIG_FILE, CARD_FILE}:
        raise MistworksError(
            f"{folder} must be a new folder or a saved estimator, and it holds {', '.join(others[:3])}; "
            "choose another folder"
        )
    if witnesses is not None:
        config = config.model_copy(update={"witnesses_sha256": hashlib.sha256(witnesses).hexdigest()})
    config = config.model_copy(update={"config_sha256": config.digest()})
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    with naming(folder):
        beside.mkdir(parents=True)
    write_whole(beside / WEIGHTS_FILE, weights)
    if witnesses is not None:
        write_whole(beside / WITNESSES_FILE, witnesses)
    write_whole(beside / CONFIG_FILE, _readable_json(config.model_dump(mode="json")).encode())
    if folder.exists():
        shutil.rmtree(folder)
    beside.rename(folder)
    flush_folder(folder.parent)


def read_model(folder: Path) -> tuple[ModelConfig, bytes]:
    """The configuration and the weights that `write_model` wrote.

    Raises:
        MistworksError: a file is missing, was edited, or is of another version of Mistworks.
    """
    config = read_config(folder)
    return config, _read_hashed(folder / WEIGHTS_FILE, config.weights_sha256)


def read_witnesses(folder: Path, config: ModelConfig) -> dict[str, dict[str, FloatArray]]:
    """By group of families the weights of the network that was trained without it; empty without any.

    Raises:
        MistworksError: the file is missing or was edited.
    """
    if not config.witnesses:
        return {}
    tensors = unpack(_read_hashed(folder / WITNESSES_FILE, config.witnesses_sha256))
    return {
        group: {
            name.partition("/")[2]: values for name, values in tensors.items() if name.startswith(f"{group}/")
        }
        for group in config.witnesses
    }


def _read_hashed(path: Path, sha256: str) -> bytes:
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise MistworksError(
            f"{path} is not the file that was saved: its SHA-256 differs from the one "
            f"in {CONFIG_FILE}; copy the folder again or train again"
        )
    return content


def read_config(folder: Path) -> ModelConfig:
    """The configuration alone.

    Raises:
        MistworksError: the file is missing, was edited, or is of another version of Mistworks.
    """
    path = folder / CONFIG_FILE
    content = _read(path)
    try:
        values = json.loads(content)
    except ValueError:
        raise MistworksError(f"{path} is not JSON; copy the folder again or train again") from None
    if not isinstance(values, dict) or values.get("format") != "mistworks-model":
        raise MistworksError(f"{path} is not the configuration of an estimator; pass the folder of one")
    if values.get("format_version") not in READABLE_VERSIONS:
        raise MistworksError(
            f"{path} is of format version {values.get('format_version')}, and this version of Mistworks "
            f"reads {' and '.join(map(str, READABLE_VERSIONS))}; load it with the version that saved it"
        )
    if _digest(values) != values.get("config_sha256"):
        raise MistworksError(f"{path} was edited: its SHA-256 is not its own; copy the folder again")
    network = values.get("network")
    if isinstance(network, dict) and network.get("network") == "summary":
        # The first weights over statistics did not tell the version.
        version = network.get("statistics", "1")
        if version != VERSION:
            raise MistworksError(
                f"Expected weights over statistics {VERSION} in {folder}, got weights over statistics "
                f"{version}, which this version of Mistworks does not compute. Load them with the version "
                "that saved them, or train again."
            )
    try:
        return ModelConfig.parse(values)
    except MistworksError as error:
        raise MistworksError(
            f"{path} is of another version of Mistworks: {error}; load it with the version that saved it, or "
            "train again"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MistworksError(
            f"{path} is missing; an estimator's folder holds {WEIGHTS_FILE} and {CONFIG_FILE}, so pass one"
        ) from None
    except OSError as error:
        raise MistworksError(
            f"{path} cannot be read ({error.strerror}); pass an estimator's folder"
        ) from None


def _digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of what the file says, whichever keys its version has."""
    bare = {**values, "config_sha256": ""}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _readable_json(values: Mapping[str, Any]) -> str:
    """JSON in lines, each list of numbers on one."""
    text = json.dumps(values, indent=1)
    return re.sub(r"\[([^][{}\"]+)\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"
