"""A fitted modality: features of both halves, and the flow of each, in one file of safetensors."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.modality.config import Fit, Half, ModalityConfig
from mistworks.modality.flow import SplineFlow

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_HALVES: tuple[Half, ...] = ("training", "held-out")
_FORMAT = "mistworks-modality-1"
# One entry only: with several, safetensors would write them in any order.
_METADATA = "mistworks"


@dataclass(frozen=True, eq=False)
class Features:
    """Whitened principal components: x → (x − m) A, with covariance I on the rows they are fitted on.

    Attributes:
        mean: m, shape (p,).
        matrix: A, shape (p, components).
    """

    mean: Array
    matrix: Array

    @classmethod
    def fit(cls, rows: Array, components: int) -> Self:
        """Fit the components to rows of shape (N, p). The largest entry of each direction is positive.

        Raises:
            MistworksError: the rows vary in fewer directions.
        """
        mean = rows.mean(axis=0)
        _, scales, directions = np.linalg.svd(rows - mean, full_matrices=False)
        varied = int((scales > 1e-9 * max(float(scales[0]), 1e-300)).sum()) if len(scales) else 0
        if varied < components:
            raise MistworksError(
                f"Expected rows that vary in at least {components} directions, got {varied}. Lower "
                "components."
            )
        directions = directions[:components]
        largest = np.abs(directions).argmax(axis=1)
        signs = np.sign(directions[np.arange(components), largest])
        scale = np.sqrt(len(rows) - 1) / scales[:components]
        return cls(mean, (directions * (signs * scale)[:, None]).T.copy())

    def __call__(self, rows: NDArray[np.floating]) -> Array:
        """Compute features of rows of shape (n, …), shape (n, components).

        Raises:
            MistworksError: the rows have another size.
        """
        flat = np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)
        if flat.shape[1] != len(self.mean):
            raise MistworksError(
                f"Expected rows of {len(self.mean)} values, as the modality was fitted on, got "
                f"{flat.shape[1]}. Give the same measurements."
            )
        return (flat - self.mean) @ self.matrix


@dataclass(frozen=True, eq=False)
class HalfOfRows:
    """One half of a modality.

    Attributes:
        features: shape (n, components).
        labels: numbers of the labels, shape (n,); empty if the rows have none.
        flow: bijection between features and latents, trained on this half.
        loss: mean negative log-density in nats of the other half under the flow.
        gaussian_loss: the same under a normal distribution with this half's mean and covariance.
    """

    features: Array
    labels: Codes
    flow: SplineFlow
    loss: float
    gaussian_loss: float


@dataclass(frozen=True, eq=False)
class Modality:
    """Rows of real data as features, in two halves. Features and flows of one half never see the other.

    Only the principal components are shared: they are fitted on the training half.

    Attributes:
        config: what it was fitted from.
        features: the map from rows to features.
        training: the half that estimators learn from.
        held_out: the half that they are tested on.
    """

    config: ModalityConfig
    features: Features
    training: HalfOfRows
    held_out: HalfOfRows

    @property
    def halves(self) -> Mapping[Half, HalfOfRows]:
        """Both halves by name."""
        return {"training": self.training, "held-out": self.held_out}

    @property
    def labels(self) -> int:
        """Number of labels, 0 if the rows have none."""
        labels = self.training.labels
        return int(labels.max()) + 1 if len(labels) else 0

    @cached_property
    def content(self) -> bytes:
        """The file: equal bytes for equal modalities."""
        from safetensors.numpy import save

        tensors: dict[str, NDArray[np.generic]] = {"mean": self.features.mean, "matrix": self.features.matrix}
        for half, held in self.halves.items():
            tensors[f"{half}.features"], tensors[f"{half}.labels"] = held.features, held.labels
            tensors[f"{half}.losses"] = np.array([held.loss, held.gaussian_loss])
            tensors |= held.flow.tensors(f"{half}.flow")
        # A path is where the rows were, and no part of what they are.
        config = self.config.model_dump(mode="json", exclude={"source": {"path"}})
        text = json.dumps({"format": _FORMAT, "config": config}, sort_keys=True)
        contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
        return save(contiguous, metadata={_METADATA: text})

    @property
    def fit(self) -> Fit:
        """The reference by which stores name it."""
        return Fit(
            key=self.config.key,
            sha256=hashlib.sha256(self.content).hexdigest(),
            components=self.config.components,
            labels=self.labels,
        )

    def save(self, folder: str | Path) -> Path:
        """Write its file into a folder, whole or not at all, and return the path."""
        from mistworks.files import write_whole

        path = Path(folder) / self.fit.file
        write_whole(path, self.content)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load the file of a modality.

        Raises:
            MistworksError: it cannot be read, or is not such a file.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise MistworksError(
                f"Expected the file of a modality at {path}, got: {error.strerror}. Correct the path."
            ) from None
        return cls.of(content, str(path))

    @classmethod
    def of(cls, content: bytes, place: str) -> Self:
        """Restore a modality from the bytes of its file.

        Args:
            content: the bytes.
            place: where they were read, for messages.

        Raises:
            MistworksError: they are not the file of a modality.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(content)
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            described = json.loads(header["__metadata__"][_METADATA])
        except (SafetensorError, ValueError, KeyError) as error:
            raise MistworksError(
                f"Expected the file of a modality at {place}, got something else ({error})."
            ) from None
        if described["format"] != _FORMAT:
            raise MistworksError(
                f"Expected a modality of format {_FORMAT} at {place}, got {described['format']}. Use the "
                "version of Mistworks that wrote it."
            )
        config = described["config"]
        if config["source"]["source"] == "file":
            config["source"]["path"] = place
        training, held_out = (
            HalfOfRows(
                tensors[f"{half}.features"],
                tensors[f"{half}.labels"],
                SplineFlow.of(tensors, f"{half}.flow"),
                *tensors[f"{half}.losses"].tolist(),
            )
            for half in _HALVES
        )
        features = Features(tensors["mean"], tensors["matrix"])
        return cls(ModalityConfig.parse(config), features, training, held_out)


__all__ = ["Features", "HalfOfRows", "Modality"]
