"""The configuration of a modality."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field

from mistworks.config import FrozenConfig

Half = Literal["training", "held-out"]
"""Part of the rows: what is fitted and trained on, or what is kept for tests."""

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DigitsSource(FrozenConfig):
    """The 1,797 images of digits that come with scikit-learn, 8 × 8 pixels each, and their 10 labels."""

    source: Literal["digits"] = "digits"


class FileSource(FrozenConfig):
    """Rows of a file of NumPy arrays (.npz): ``rows``, shape (N, …), and for pairs by label ``labels``, (N,).

    Attributes:
        path: path of the file, relative to the working directory. Not part of the identity of a modality.
        sha256: hash of the content, see `mistworks.modality.rows.Rows.sha256`; not checked if None.
    """

    source: Literal["file"] = "file"
    path: Annotated[str, Field(min_length=1)]
    sha256: _Sha256 | None = None


AnySource = Annotated[DigitsSource | FileSource, Field(discriminator="source")]


class FlowConfig(FrozenConfig):
    """A neural spline flow (Durkan et al. 2019) and its training.

    Attributes:
        transforms: number of autoregressive transforms.
        hidden: widths of the hidden layers of each.
        bins: bins of each spline.
        epochs: maximum passes over the rows.
        batch_size: rows per step.
        learning_rate: learning rate of AdamW, followed by half a cosine.
        weight_decay: weight decay of AdamW.
        kept_apart: share of the rows of a half on which the best epoch is chosen.
    """

    transforms: Annotated[int, Field(ge=1, le=16)] = 3
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=1)] = (64, 64)
    bins: Annotated[int, Field(ge=2, le=64)] = 8
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 60
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.3
    kept_apart: Annotated[float, Field(gt=0, le=0.5)] = 0.1


class ModalityConfig(FrozenConfig):
    """Rows of real data, their features, the two halves, and the flows that carry latents to the features.

    Attributes:
        name: the estimator is registered as ``mist-`` and this name.
        source: where the rows come from.
        components: number of features: whitened principal components, fitted on the training half.
        held_out: share of the rows that only the test split uses.
        carried: share of pairs carried by the flow among the datasets, in splits that a preset does not spell
            out. The others are pairs by label.
        seed: seed of the halves and of the flows.
        flow: the flows, one per half.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    source: AnySource
    components: Annotated[int, Field(ge=2, le=64)] = 8
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.5
    carried: Annotated[float, Field(ge=0, le=1)] = 0.5
    seed: Annotated[int, Field(ge=0)] = 0
    flow: FlowConfig = FlowConfig()

    @property
    def key(self) -> str:
        """Hash of everything that the fit depends on: of a file the hash of its content, not its path."""
        kept = self.model_dump(mode="json", exclude={"name": True, "carried": True, "source": {"path"}})
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Fit(FrozenConfig):
    """A reference to a fitted modality, by which stores name it.

    Attributes:
        key: see `ModalityConfig.key`.
        sha256: SHA-256 of its file.
        components: number of features.
        labels: number of labels, 0 if the rows have none.
    """

    key: str
    sha256: _Sha256
    components: Annotated[int, Field(ge=1)]
    labels: Annotated[int, Field(ge=0)]

    @property
    def file(self) -> str:
        """Name of its file."""
        return file_of(self.key)


def file_of(key: str) -> str:
    """Name of the file of the modality with a key."""
    return f"modality-{key}.safetensors"


__all__ = [
    "AnySource",
    "DigitsSource",
    "FileSource",
    "Fit",
    "FlowConfig",
    "Half",
    "ModalityConfig",
    "file_of",
]
