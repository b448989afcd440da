"""The folder of a saved estimator: weights in safetensors, the rest in JSON, both hashed."""

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
    """The content of ``config.json``.

    Attributes:
        format: always ``"mistworks-model"``.
        format_version: format version of this file.
        network: configuration of the network.
        objective: the loss it was trained with.
        training_range: sizes of the datasets it was trained on.
        weights_sha256: SHA-256 of ``model.safetensors``.
        calibration: calibration of the quantiles, or None.
        witnesses: groups of families. For each, ``witnesses.safetensors`` has a network trained without it.
            Empty once the estimator is calibrated.
        witnesses_sha256: SHA-256 of that file, empty without it.
        config_sha256: SHA-256 of everything else in the file.
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
    """Serialise tensors by name as safetensors: bytes are equal if and only if tensors are."""
    from safetensors.numpy import save

    return save(dict(tensors))


def unpack(content: bytes) -> dict[str, FloatArray]:
    """Read the output of `pack`.

    Raises:
        MistworksError: the bytes are not in this format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except SafetensorError as error:
        raise MistworksError(f"Expected tensors in the format safetensors, got: {error}.") from None


def write_model(folder: Path, config: ModelConfig, weights: bytes, witnesses: bytes | None = None) -> None:
    """Write ``model.safetensors`` and ``config.json``. The folder is written completely or not at all.

    A ``README.md`` in the folder, the model card, is removed when the folder is replaced, since it describes
    the former estimator.

    Raises:
        MistworksError: the folder holds something other than a saved estimator, or cannot be written.
    """
    others = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if set(others) - {WEIGHTS_FILE, WITNESSES_FILE, CONFIG_FILE, CARD_FILE}:
        raise MistworksError(
            f"Expected a new folder or a saved estimator at {folder}, got {', '.join(others[:3])}. Choose "
            "another folder."
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
    """Read the configuration and the weights that `write_model` wrote.

    Raises:
        MistworksError: a file is missing, was edited, or has another version.
    """
    config = read_config(folder)
    return config, _read_hashed(folder / WEIGHTS_FILE, config.weights_sha256)


def read_witnesses(folder: Path, config: ModelConfig) -> dict[str, dict[str, FloatArray]]:
    """Read the weights of the witnesses, by the group of families that each was trained without.

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
            f"Expected {path} with the SHA-256 in {CONFIG_FILE}, got another. Copy the folder again, or "
            "train again."
        )
    return content


def read_config(folder: Path) -> ModelConfig:
    """Read only the configuration.

    Raises:
        MistworksError: the file is missing, was edited, or has another version.
    """
    path = folder / CONFIG_FILE
    content = _read(path)
    try:
        values = json.loads(content)
    except ValueError:
        raise MistworksError(
            f"Expected JSON in {path}, got something else. Copy the folder again, or train again."
        ) from None
    if not isinstance(values, dict) or values.get("format") != "mistworks-model":
        raise MistworksError(
            f"Expected the configuration of an estimator in {path}, got something else. Pass the folder of "
            "an estimator."
        )
    if values.get("format_version") not in READABLE_VERSIONS:
        raise MistworksError(
            f"Expected format version {' or '.join(map(str, READABLE_VERSIONS))} of {path}, got "
            f"{values.get('format_version')}. Load it with the version of Mistworks that saved it."
        )
    if _digest(values) != values.get("config_sha256"):
        raise MistworksError(f"Expected {path} as it was saved, got an edited file. Copy the folder again.")
    network = values.get("network")
    if isinstance(network, dict) and network.get("network") == "summary":
        # The first weights over statistics did not record the version.
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
            f"Expected {path} of this version of Mistworks, got another ({str(error).rstrip('.')}). Load it "
            "with the version that saved it, or train again."
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MistworksError(
            f"Expected {WEIGHTS_FILE} and {CONFIG_FILE} in an estimator's folder, got no {path}. Pass the "
            "folder of an estimator."
        ) from None
    except OSError as error:
        raise MistworksError(
            f"Expected to read {path}, got: {error.strerror}. Pass the folder of an estimator."
        ) from None


def _digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of the content of the file, whichever keys its version has."""
    bare = {**values, "config_sha256": ""}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _readable_json(values: Mapping[str, Any]) -> str:
    """Format JSON in lines, each list of numbers on one line."""
    text = json.dumps(values, indent=1)
    return re.sub(r"\[([^][{}\"]+)\]", lambda match: f"[{' '.join(match[1].split())}]", text) + "\n"


__all__ = [
    "CARD_FILE",
    "CONFIG_FILE",
    "FORMAT_VERSION",
    "READABLE_VERSIONS",
    "WEIGHTS_FILE",
    "WITNESSES_FILE",
    "ModelConfig",
    "Objective",
    "pack",
    "read_config",
    "read_model",
    "read_witnesses",
    "unpack",
    "write_model",
]
