"""The estimator a user holds: samples in, mutual information with its uncertainty out; saved as two files."""

import hashlib
import threading
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from mistworks.calibration import Calibration
from mistworks.coverage import TrainingRange
from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.inputs import check_pair, check_tensors, ranked_pair, without_constants
from mistworks.loaders import load_address, scheme
from mistworks.model_folder import CONFIG_FILE, ModelConfig, Objective, read_model, write_model
from mistworks.networks import (
    AnyNetworkConfig,
    Batch,
    Network,
    SummaryNetwork,
    build_network,
    group_by_shape,
    pad,
)
from mistworks.quantiles import LEVELS, Estimate
from mistworks.statistics import summarise_smoothly

_MAX_COUNT = 256

_SHIPPED_FOLDER = Path(__file__).parent / "weights"
_SHIPPED_LOCK = threading.Lock()


class Estimator:
    """A trained network with what is needed to use it.

    Attributes:
        network: the network, in evaluation mode.
        network_config: its configuration.
        objective: the loss it was trained with.
        training_range: sizes of the datasets it was trained on; beyond them it extrapolates.
        calibration: what brings the quantiles to their promised coverage; None leaves them as they are.

    Raises:
        MistworksError: a calibration is given to a model without quantiles.
    """

    def __init__(
        self,
        network: Network,
        network_config: AnyNetworkConfig,
        objective: Objective,
        training_range: TrainingRange,
        calibration: Calibration | None = None,
    ) -> None:
        if calibration is not None and objective == "squared-error":
            raise MistworksError(
                "a calibration is for quantiles, and a model trained with objective squared-error has none; "
                "leave the calibration out"
            )
        self.network = network.eval()
        self.network_config = network_config
        self.objective: Objective = objective
        self.training_range = training_range
        self.calibration = calibration

    def with_calibration(self, calibration: Calibration | None) -> "Estimator":
        """The same network with another calibration, or with none.

        Raises:
            MistworksError: the model has no quantiles to calibrate.
        """
        return Estimator(self.network, self.network_config, self.objective, self.training_range, calibration)

    def estimate(self, x: object, y: object) -> Estimate:
        """Mutual information of the sample x of shape (n, dx) or (n,) and y of shape (n, dy) or (n,).

        Constant columns are left out: they carry no information. Where all of x or all of y is constant, the
        estimate and every quantile are 0.

        Raises:
            MistworksError: x and y are not a sample the network can read; see `mistworks.inputs`.

        Warns:
            MistworksWarning: the sample is far outside what the network was trained on.
        """
        return self._estimate_all([(x, y)], stack_level=3)[0]

    def estimate_many(self, pairs: Iterable[tuple[object, object]]) -> list[Estimate]:
        """Estimates of many pairs, in their order; pairs of like shape are computed together.

        The result for a pair does not depend on the others, up to rounding, and memory for the computation is
        bounded whatever their number is. Errors and warnings are those of `estimate`; one warning tells of
        all pairs.
        """
        return self._estimate_all(pairs, stack_level=3)

    def _estimate_all(self, pairs: Iterable[tuple[object, object]], stack_level: int) -> list[Estimate]:
        read = ranked_pair if "increasing" in self.network.invariances else check_pair
        samples = [without_constants(*read(x, y)) for x, y in pairs]
        for x, y in samples:
            self._require_readable(x, y)
        self._warn_if_outside(samples, stack_level + 1)
        n = np.array([len(x) for x, _ in samples])
        dx = np.array([x.shape[1] for x, _ in samples])
        dy = np.array([y.shape[1] for _, y in samples])
        estimates = [self._nothing] * len(samples)
        cells = self.network.batch_cells
        left = np.flatnonzero(dx * dy)
        for group in group_by_shape(n[left], dx[left], dy[left], cells, _MAX_COUNT):
            positions = left[group].tolist()
            batch = pad([samples[position] for position in positions])
            for position, estimate in zip(positions, self._estimate_batch(batch), strict=True):
                estimates[position] = estimate
        return estimates

    def differentiable(self, x: Tensor, y: Tensor) -> Tensor:
        """The estimate of one sample with a gradient in its values, for instance to maximise it.

        Ranks and counts are smoothed (see `mistworks.statistics.summarise_smoothly`), which of continuous
        columns moves the estimate by far less than another sample of the same distribution would. Where the
        estimate is 0, so is the gradient. It does not warn outside the training range.

        Args:
            x: shape (n, dx), n up to 2,000, floating-point; memory is n² values a column.
            y: shape (n, dy).

        Returns:
            The point estimate in nats, shape ().

        Raises:
            MistworksError: the network does not read statistics, or x and y are not such tensors.
        """
        if not isinstance(self.network, SummaryNetwork):
            raise MistworksError(
                f"the network {self.network_config.network} has no smooth version; take a network over "
                "statistics, such as the one that comes with the package"
            )
        check_tensors(x, y)
        x, y = (side.cpu()[:, (side != side[0]).any(dim=0).cpu()] for side in (x, y))
        self._require_readable(x, y)
        if not (x.shape[1] and y.shape[1]):
            return 0.0 * (x.sum() + y.sum()).double()
        representation = self.network.encode_statistics(summarise_smoothly(x, y)[None].to(self._device))
        if self.objective == "squared-error":
            return self.network.decode(representation)[0]
        n, d = torch.tensor([len(x)]), torch.tensor([x.shape[1] + y.shape[1]])
        return self._quantiles(representation, n, d)[0, LEVELS.index(0.5)]

    def estimate_statistics(self, statistics: FloatArray, n: IntArray, d: IntArray) -> list[Estimate]:
        """Estimates of samples that are known by their statistics, for a network that reads those.

        Args:
            statistics: shape (B, S), see `mistworks.statistics`.
            n: number of points, shape (B,).
            d: dx + dy, shape (B,).

        Raises:
            MistworksError: the network reads samples.
        """
        if not isinstance(self.network, SummaryNetwork):
            raise MistworksError(
                f"the network {self.network_config.network} reads samples, and statistics of samples came; "
                "pass the samples"
            )
        with torch.inference_mode():
            table = torch.from_numpy(statistics).to(self._device)
            representation = self.network.encode_statistics(table)
            return self._read_out(representation, torch.from_numpy(n), torch.from_numpy(d))

    def _estimate_batch(self, batch: Batch) -> list[Estimate]:
        with torch.inference_mode():
            return self._read_out(self.network.encode(batch.to(self._device)), batch.n, batch.dx + batch.dy)

    def _read_out(self, representation: Tensor, n: Tensor, d: Tensor) -> list[Estimate]:
        if self.objective == "squared-error":
            return [Estimate(float(value)) for value in self.network.decode(representation).cpu()]
        middle = LEVELS.index(0.5)
        rows = self._quantiles(representation, n, d).tolist()
        return [Estimate(row[middle], tuple(row)) for row in rows]

    def _quantiles(self, representation: Tensor, n: Tensor, d: Tensor) -> Tensor:
        """Calibrated quantiles at ``LEVELS``, shape (B, len(LEVELS)), float64."""
        quantiles = quantiles_in_order(self.network, representation).cpu().double()
        return quantiles if self.calibration is None else self.calibration.apply(quantiles, n, d)

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def _nothing(self) -> Estimate:
        """The estimate where X or Y is constant."""
        return Estimate(0.0, None if self.objective == "squared-error" else (0.0,) * len(LEVELS))

    def _require_readable(self, x: FloatArray | Tensor, y: FloatArray | Tensor) -> None:
        name, network = self.network_config.network, self.network
        for side, values in (("x", x), ("y", y)):
            if values.shape[1] > network.max_dimension:
                raise MistworksError(
                    f"the network {name} reads up to {network.max_dimension} columns that are not constant, "
                    f"and {side} has {values.shape[1]}; reduce the dimension first, by principal components "
                    "for instance"
                )
        if len(x) < network.min_points:
            raise MistworksError(
                f"the network {name} needs {network.min_points} points or more, and {len(x)} came; pass more"
            )
        if network.max_points is not None and len(x) > network.max_points:
            raise MistworksError(
                f"the network {name} reads up to {network.max_points:,} points, and {len(x):,} came; pass a "
                "random part of them"
            )

    def _warn_if_outside(self, samples: Sequence[tuple[FloatArray, FloatArray]], stack_level: int) -> None:
        told = [told for x, y in samples if (told := self.training_range.outside(x, y))]
        if told:
            of = f" ({len(told)} of {len(samples)} samples are such)" if len(samples) > 1 else ""
            warnings.warn(
                f"{told[0]}; the estimate and its intervals may be far off{of}",
                MistworksWarning,
                stacklevel=stack_level,
            )

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json``: a folder that is there whole or not at all.

        A ``README.md`` in the folder, the model card, goes when the folder is replaced: it tells of the
        model before.

        Raises:
            MistworksError: the folder holds something other than a saved estimator.
        """
        weights = self._weights()
        config = ModelConfig(
            network=self.network_config,
            objective=self.objective,
            training_range=self.training_range,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            calibration=self.calibration,
        )
        write_model(Path(folder), config, weights)

    @classmethod
    def load(cls, folder: str | Path) -> "Estimator":
        """Read what `save` wrote.

        Raises:
            MistworksError: a file is missing, was edited, or is of another version of the format.
        """
        config, weights = read_model(Path(folder))
        network = build_network(config.network)
        try:
            network.load_state_dict(load_tensors(weights), strict=True)
        except (RuntimeError, SafetensorError) as error:
            raise MistworksError(
                f"the weights in {folder} do not fit the network in {CONFIG_FILE} "
                f"({str(error).splitlines()[0]}); load them with the version of Mistworks that saved them"
            ) from None
        return cls(network, config.network, config.objective, config.training_range, config.calibration)

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of ``model.safetensors`` as `save` writes it: equal exactly for equal weights."""
        return hashlib.sha256(self._weights()).hexdigest()

    @property
    def sha256(self) -> str:
        """SHA-256 of weights and calibration: that of the weights alone without a calibration."""
        if self.calibration is None:
            return self.weights_sha256
        return hashlib.sha256(f"{self.weights_sha256}/{self.calibration.sha256}".encode()).hexdigest()

    def _weights(self) -> bytes:
        state = self.network.state_dict()
        return save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})

    def __repr__(self) -> str:
        calibrated = ", calibrated" if self.calibration is not None else ""
        return (
            f"Estimator({self.network_config.network}, {self.objective}{calibrated}, trained on "
            f"{self.training_range})"
        )


def quantiles_in_order(network: Network, representation: Tensor) -> Tensor:
    """Quantiles at ``LEVELS`` in order, shape (B, len(LEVELS)), from representations of shape (B, h).

    The network's own quantiles may cross. Sorting them on a fixed grid of levels is never further from the
    true quantiles (Chernozhukov, Fernández-Val, Galichon, "Quantile and probability curves without crossing",
    Econometrica 2010), and it leaves the network free of constraints that would slow its training.
    """
    levels = torch.tensor(LEVELS, dtype=torch.float32, device=representation.device)
    return network.decode(representation, levels.expand(len(representation), -1)).sort(dim=1).values


def load(folder: str | Path) -> Estimator:
    """Read an estimator from the folder it was saved to, or a registered one.

    Args:
        folder: what `Estimator.save` wrote; or an address such as ``"models:/mist@champion"`` or
            ``"models:/mist/3"``, looked up in the registry that ``MLFLOW_TRACKING_URI`` names.

    Raises:
        MistworksError: a file is missing, was edited, or is of another version of the format; there is no
            such registered estimator, or ``mistworks[pipeline]`` is not installed.
    """
    if isinstance(folder, str) and scheme(folder) is not None:
        return load_address(folder)
    return Estimator.load(folder)


def estimate(x: object, y: object, model: Estimator | str | Path | None = None) -> Estimate:
    """Mutual information I(X;Y) in nats of a sample.

    Constant columns carry no information and are left out: where all of x or all of y is constant, the
    estimate and its intervals are 0.

    Args:
        x: n points of X, shape (n, dx) or (n,): an array, a tensor, a DataFrame or a list.
        y: n points of Y, shape (n, dy) or (n,).
        model: an estimator or the folder of one; None for the weights that come with the package.

    Raises:
        MistworksError: x and y are not a sample, or there are no weights.

    Warns:
        MistworksWarning: the sample is far outside what the model was trained on.
    """
    if not isinstance(model, Estimator):
        model = _shipped() if model is None else load(model)
    return model._estimate_all([(x, y)], stack_level=3)[0]


def _shipped() -> Estimator:
    """The estimator that comes with the package, read once.

    Raises:
        MistworksError: this version comes without weights.
    """
    with _SHIPPED_LOCK:
        return _load_shipped()


@lru_cache(maxsize=1)
def _load_shipped() -> Estimator:
    if not (_SHIPPED_FOLDER / CONFIG_FILE).is_file():
        raise MistworksError(
            "this version comes without weights; pass model= an estimator or the folder of one, which "
            "`mistworks pipeline --preset quick` makes"
        )
    return load(_SHIPPED_FOLDER)


__all__ = ["LEVELS", "Estimate", "Estimator", "TrainingRange", "estimate", "load"]
