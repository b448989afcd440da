"""The estimator a user holds: samples in, mutual information with its uncertainty out; saved as two files."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from mistworks.config import FrozenConfig
from mistworks.dataset import Index
from mistworks.errors import MistworksError
from mistworks.files import flush_folder, write_whole
from mistworks.inputs import check_pair
from mistworks.networks import AnyNetworkConfig, Batch, Network, build_network, group_by_shape, pad

Objective = Literal["pinball", "squared-error"]

FORMAT_VERSION = 1
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

LEVELS: tuple[float, ...] = (0.001, *(level / 200 for level in range(1, 200)), 0.999)
"""Levels at which quantiles are computed; between them they are interpolated linearly."""

_MAX_CELLS = 2**16
_MAX_COUNT = 256


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mutual information of one sample, in nats.

    Attributes:
        mi: the point estimate in nats, at least 0: the median for a network trained with the pinball loss,
            the mean for one trained with the squared error.
        quantiles: quantiles in nats at ``LEVELS``, not decreasing; None for the squared error.
    """

    mi: float
    quantiles: tuple[float, ...] | None = field(default=None, repr=False)

    @overload
    def quantile(self, tau: float) -> float: ...
    @overload
    def quantile(self, tau: Sequence[float] | NDArray[np.floating[Any]]) -> NDArray[np.float64]: ...
    def quantile(self, tau: ArrayLike) -> float | NDArray[np.float64]:
        """Quantiles in nats at levels between 0.001 and 0.999: a float for a float, an array for an array.

        Raises:
            MistworksError: a level is outside, or the model was trained with the squared error.
        """
        if self.quantiles is None:
            raise MistworksError(
                "this model gives a point estimate only, since it was trained with objective squared-error; "
                "train one with objective pinball to have quantiles and intervals"
            )
        levels = np.asarray(tau, dtype=np.float64)
        if not np.all((levels >= LEVELS[0]) & (levels <= LEVELS[-1])):
            raise MistworksError(
                f"quantile levels lie between {LEVELS[0]} and {LEVELS[-1]}, and {tau!r} came; ask for others"
            )
        values = np.interp(levels, LEVELS, self.quantiles)
        return float(values) if levels.ndim == 0 else values

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The central interval, in nats, which holds the true value with probability ``level``.

        Raises:
            MistworksError: level is not between 0 and 0.998, or the model was trained with the squared error.
        """
        if not 0 <= level <= LEVELS[-1] - LEVELS[0]:
            raise MistworksError(
                f"the level of an interval lies between 0 and {LEVELS[-1] - LEVELS[0]:.3f}, and {level} "
                "came; ask for another"
            )
        margin = max((1 - level) / 2, LEVELS[0])
        return self.quantile(margin), self.quantile(1 - margin)

    def __str__(self) -> str:
        if self.quantiles is None:
            return f"{self.mi:.3f} nats"
        low, high = self.interval(0.9)
        return f"{self.mi:.3f} nats, 90 % interval {low:.3f} to {high:.3f}"


class TrainingRange(FrozenConfig):
    """Least and greatest n, dx and dy among the datasets a network was trained on."""

    n: tuple[int, int]
    dx: tuple[int, int]
    dy: tuple[int, int]

    @classmethod
    def of(cls, index: Index) -> "TrainingRange":
        """The range of an index."""
        return cls(
            n=(int(index.n.min()), int(index.n.max())),
            dx=(int(index.dx.min()), int(index.dx.max())),
            dy=(int(index.dy.min()), int(index.dy.max())),
        )


class _ModelCard(FrozenConfig):
    """What ``config.json`` holds."""

    format: Literal["mistworks-model"] = "mistworks-model"
    format_version: int
    network: AnyNetworkConfig
    objective: Objective
    training_range: TrainingRange
    weights_sha256: str
    config_sha256: str = ""

    def digest(self) -> str:
        """SHA-256 of everything else in the card."""
        bare = self.model_copy(update={"config_sha256": ""})
        return hashlib.sha256(bare.canonical_json().encode()).hexdigest()


class Estimator:
    """A trained network with what is needed to use it.

    Attributes:
        network: the network, in evaluation mode.
        network_config: its configuration.
        objective: the loss it was trained with.
        training_range: sizes of the datasets it was trained on; beyond them it extrapolates.
    """

    def __init__(
        self,
        network: Network,
        network_config: AnyNetworkConfig,
        objective: Objective,
        training_range: TrainingRange,
    ) -> None:
        self.network = network.eval()
        self.network_config = network_config
        self.objective: Objective = objective
        self.training_range = training_range

    def estimate(self, x: object, y: object) -> Estimate:
        """Mutual information of the sample x of shape (n, dx) or (n,) and y of shape (n, dy) or (n,).

        Raises:
            MistworksError: x and y are not a sample the network can read; see `mistworks.inputs`.
        """
        return self.estimate_many([(x, y)])[0]

    def estimate_many(self, pairs: Iterable[tuple[object, object]]) -> list[Estimate]:
        """Estimates of many pairs, in their order; pairs of like shape are computed together.

        The result for a pair does not depend on the others, up to rounding, and memory for the computation is
        bounded whatever their number is.
        """
        checked = [check_pair(x, y) for x, y in pairs]
        if not checked:
            return []
        n = np.array([len(x) for x, _ in checked])
        dx = np.array([x.shape[1] for x, _ in checked])
        dy = np.array([y.shape[1] for _, y in checked])
        estimates: dict[int, Estimate] = {}
        for group in group_by_shape(n, dx, dy, _MAX_CELLS, _MAX_COUNT):
            batch = pad([checked[position] for position in group])
            estimates.update(zip(group.tolist(), self._estimate_batch(batch), strict=True))
        return [estimates[position] for position in range(len(checked))]

    def _estimate_batch(self, batch: Batch) -> list[Estimate]:
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            representation = self.network.encode(batch.to(device))
            if self.objective == "squared-error":
                return [Estimate(float(value)) for value in self.network.decode(representation).cpu()]
            rows = quantiles_in_order(self.network, representation).cpu().double().tolist()
        middle = LEVELS.index(0.5)
        return [Estimate(row[middle], tuple(row)) for row in rows]

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json``: a folder that is there whole or not at all.

        Raises:
            MistworksError: the folder holds something other than a saved estimator.
        """
        folder = Path(folder)
        others = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        if set(others) - {WEIGHTS_FILE, CONFIG_FILE}:
            raise MistworksError(
                f"{folder} must be a new folder or a saved estimator, and it holds {', '.join(others[:3])}; "
                "choose another folder"
            )
        weights = self._weights()
        card = _ModelCard(
            format_version=FORMAT_VERSION,
            network=self.network_config,
            objective=self.objective,
            training_range=self.training_range,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
        )
        card = card.model_copy(update={"config_sha256": card.digest()})
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        write_whole(beside / WEIGHTS_FILE, weights)
        write_whole(
            beside / CONFIG_FILE, (json.dumps(card.model_dump(mode="json"), indent=2) + "\n").encode()
        )
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
        flush_folder(folder.parent)

    @classmethod
    def load(cls, folder: str | Path) -> "Estimator":
        """Read what `save` wrote.

        Raises:
            MistworksError: a file is missing, was edited, or is of another version of the format.
        """
        folder = Path(folder)
        card = _read_card(folder)
        weights = _read(folder / WEIGHTS_FILE)
        if hashlib.sha256(weights).hexdigest() != card.weights_sha256:
            raise MistworksError(
                f"{folder / WEIGHTS_FILE} is not the file that was saved: its SHA-256 differs from the one "
                f"in {CONFIG_FILE}; copy the folder again or train again"
            )
        network = build_network(card.network)
        try:
            network.load_state_dict(load_tensors(weights), strict=True)
        except (RuntimeError, SafetensorError) as error:
            raise MistworksError(
                f"the weights in {folder} do not fit the network in {CONFIG_FILE} "
                f"({str(error).splitlines()[0]}); load them with the version of Mistworks that saved them"
            ) from None
        return cls(network, card.network, card.objective, card.training_range)

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of ``model.safetensors`` as `save` writes it: equal exactly for equal weights."""
        return hashlib.sha256(self._weights()).hexdigest()

    def _weights(self) -> bytes:
        state = self.network.state_dict()
        return save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})

    def __repr__(self) -> str:
        ranges = ", ".join(f"{name} {low}…{high}" for name, (low, high) in self.training_range)
        return f"Estimator({self.network_config.network}, {self.objective}, trained on {ranges})"


def quantiles_in_order(network: Network, representation: Tensor) -> Tensor:
    """Quantiles at ``LEVELS`` in order, shape (B, len(LEVELS)), from representations of shape (B, h).

    The network's own quantiles may cross. Sorting them on a fixed grid of levels is never further from the
    true quantiles (Chernozhukov, Fernández-Val, Galichon, "Quantile and probability curves without crossing",
    Econometrica 2010), and it leaves the network free of constraints that would slow its training.
    """
    levels = torch.tensor(LEVELS, dtype=torch.float32, device=representation.device)
    return network.decode(representation, levels.expand(len(representation), -1)).sort(dim=1).values


def load(folder: str | Path) -> Estimator:
    """Read an estimator from the folder it was saved to.

    Raises:
        MistworksError: a file is missing, was edited, or is of another version of the format.
    """
    return Estimator.load(folder)


def estimate(x: object, y: object, model: Estimator | str | Path | None = None) -> Estimate:
    """Mutual information I(X;Y) in nats of a sample.

    Args:
        x: n points of X, shape (n, dx) or (n,): an array, a tensor, a DataFrame or a list.
        y: n points of Y, shape (n, dy) or (n,).
        model: an estimator or the folder of one; None for the weights that come with the package.

    Raises:
        MistworksError: x and y are not a sample, or there are no weights.
    """
    if isinstance(model, Estimator):
        return model.estimate(x, y)
    return (_shipped() if model is None else load(model)).estimate(x, y)


@lru_cache(maxsize=1)
def _shipped() -> Estimator:
    folder = Path(__file__).parent / "weights"
    if not (folder / CONFIG_FILE).is_file():
        raise MistworksError(
            "this version comes without weights; pass model= an estimator or the folder of one, which "
            "`mistworks pipeline --preset quick` makes"
        )
    return load(folder)


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


def _read_card(folder: Path) -> _ModelCard:
    path = folder / CONFIG_FILE
    content = _read(path)
    try:
        values = json.loads(content)
    except ValueError:
        raise MistworksError(f"{path} is not JSON; copy the folder again or train again") from None
    if not isinstance(values, dict) or values.get("format") != "mistworks-model":
        raise MistworksError(f"{path} is not the configuration of an estimator; pass the folder of one")
    if values.get("format_version") != FORMAT_VERSION:
        raise MistworksError(
            f"{path} is of format version {values.get('format_version')}, and this version of Mistworks "
            f"reads {FORMAT_VERSION}; load it with the version that saved it"
        )
    try:
        card = _ModelCard.parse(values)
    except MistworksError as error:
        raise MistworksError(f"{path} was edited: {error}; copy the folder again") from None
    if card.digest() != card.config_sha256:
        raise MistworksError(f"{path} was edited: its SHA-256 is not its own; copy the folder again")
    return card


__all__ = ["LEVELS", "Estimate", "Estimator", "TrainingRange", "estimate", "load"]
