"""The estimator: from samples to mutual information with its uncertainty, saved as a folder."""

import hashlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from mistworks.dataset import FloatArray, IntArray
from mistworks.errors import MistworksError
from mistworks.estimation.calibration import Calibration
from mistworks.estimation.entropy_cap import capped, joint_entropies
from mistworks.estimation.estimate import LEVELS, Estimate
from mistworks.estimation.folder import (
    CONFIG_FILE,
    ModelConfig,
    Objective,
    pack,
    read_model,
    read_witnesses,
    unpack,
    write_model,
)
from mistworks.estimation.loaders import address_of, load_address
from mistworks.estimation.notices import Notice, notices_of, notices_of_unfamiliar, warn_of
from mistworks.estimation.training_range import TrainingRange
from mistworks.networks import AnyNetworkConfig, Prediction, Predictor, predictor_of
from mistworks.networks.blocks import AnyBlock
from mistworks.preparation.prepare import LOWER_BOUND, Prepared, prepare
from mistworks.statistics.table import SummaryBlock

if TYPE_CHECKING:
    from torch import Tensor

_SHIPPED_FOLDER = Path(__file__).parents[1] / "weights"
_SHIPPED_LOCK = threading.Lock()
_MIDDLE, _HIGH = LEVELS.index(0.5), LEVELS.index(0.95)
_LEAST_PER_THREAD = 4
# Nats. If one side is a function of the other, intervals reach beyond this. Checking for functions takes a
# third of the time of an estimate, and most samples are spared it.
_MAY_BE_INFINITE = 2.0


class Trained(Protocol):
    """A predictor, or a trained network that becomes one."""

    def ready(self) -> Predictor:
        """Return the predictor."""


class Estimator:
    """A trained network with everything needed to use it.

    Attributes:
        network: the predictor.
        network_config: its configuration.
        objective: the loss it was trained with.
        training_range: sizes of the datasets it was trained on; beyond them it extrapolates.
        calibration: gives intervals their nominal coverage; None leaves quantiles as the network predicts
            them.
        witnesses: networks trained without a group of families, by group. A calibration learns from them how
            wrong the estimator is on unseen families; estimates do not use them.

    Raises:
        MistworksError: the network has no quantiles to calibrate, and a calibration is given.
    """

    def __init__(
        self,
        network: Trained,
        network_config: AnyNetworkConfig,
        objective: Objective,
        training_range: TrainingRange,
        calibration: Calibration | None = None,
        witnesses: Mapping[str, Predictor] | None = None,
    ) -> None:
        if calibration is not None and objective == "squared-error":
            raise MistworksError(
                "Expected a network with quantiles to calibrate, got one trained with objective "
                "squared-error. Leave the calibration out."
            )
        self.network = network.ready()
        self.network_config = network_config
        self.objective: Objective = objective
        self.training_range = training_range
        self.calibration = calibration
        self.witnesses = dict(witnesses or {})

    def with_calibration(self, calibration: Calibration | None) -> "Estimator":
        """Return the same network with another calibration or none, and without witnesses.

        Raises:
            MistworksError: the network has no quantiles to calibrate.
        """
        return Estimator(self.network, self.network_config, self.objective, self.training_range, calibration)

    def estimate(self, x: object, y: object) -> Estimate:
        """Estimate mutual information from x of shape (n, dx) or (n,) and y of shape (n, dy) or (n,).

        Columns that carry no information are left out, see `mistworks.preparation`. If all of x or all of y
        is constant, the estimate and every quantile are 0. No quantile exceeds the entropy of a discrete
        side, up to the uncertainty of that entropy. If one side is a function of the other up to rounding,
        quantiles above the median are infinite, and the median is a lower bound; this is checked if the
        interval reaches beyond 2 nats.

        Raises:
            MistworksError: x and y are not a sample the network can read; see `mistworks.preparation`.

        Warns:
            MistworksWarning: the sample is unlike the training data, or otherwise unusual. The warning says
                how.
        """
        return self.estimate_many([(x, y)])[0]

    def estimate_many(self, pairs: Iterable[tuple[object, object]]) -> list[Estimate]:
        """Estimate many pairs together, in order.

        The result for a pair does not depend on the others, up to rounding, and memory is bounded whatever
        their number. Errors and warnings are those of `estimate`; one warning of each kind covers all pairs.
        """
        samples, observed = self._observe(pairs)
        estimates = [self._nothing] * len(samples)
        varying = [position for position, sample in enumerate(samples) if not sample.constant]
        notices = notices_of(samples, self.training_range)
        bounds = 0
        if varying:
            prediction = self.network.predict([observed[position] for position in varying], mean=self._mean)
            entropies: Sequence[float | None] = [None] * len(varying)
            if prediction.statistics is not None:
                entropies = joint_entropies(prediction.statistics)
            rows = zip(varying, self._read_out(prediction), entropies, strict=True)
            for position, estimate, joint_entropy in rows:
                sample = samples[position]
                infinite = _may_be_infinite(estimate) and sample.infinite
                estimates[position] = replace(
                    _unbounded(estimate) if infinite else estimate,
                    joint_entropy=joint_entropy if sample.classes else None,
                )
                bounds += infinite
            of_varying = [estimates[position] for position in varying]
            notices += notices_of_unfamiliar(of_varying, prediction.statistics, self.network)
        if bounds:
            notices.append(Notice("lower bound", LOWER_BOUND, bounds))
        warn_of(notices, len(samples))
        return [replace(each, n_used=sample.n) for each, sample in zip(estimates, samples, strict=True)]

    def _observe(self, pairs: Iterable[tuple[object, object]]) -> tuple[list[Prepared], list[Any]]:
        """Return samples and the network's input for each, None for constant ones; one thread per core."""

        def observe(pair: tuple[object, object]) -> tuple[Prepared, Any]:
            sample = prepare(*pair)
            self.network.require_readable(sample.n, sample.dx, sample.dy, self.network_config.network)
            return sample, None if sample.constant else self.network.observe(sample)

        pairs = list(pairs)
        # Asking for the number of cores is slow.
        threads = len(pairs) // _LEAST_PER_THREAD
        threads = min(os.cpu_count() or 1, threads) if threads > 1 else 1
        if threads > 1:
            from concurrent.futures import ThreadPoolExecutor

            # The first is done alone, so that no thread waits for the imports of another.
            read = [observe(pairs[0])]
            with ThreadPoolExecutor(threads) as pool:
                read += pool.map(observe, pairs[1:])
        else:
            read = [observe(pair) for pair in pairs]
        return [sample for sample, _ in read], [seen for _, seen in read]

    def estimate_block(self, block: AnyBlock, rows: IntArray) -> list[Estimate]:
        """Estimate some datasets of a partition, whether it holds samples or statistics.

        Args:
            block: the partition.
            rows: positions of the datasets in it, shape (B,).

        Raises:
            MistworksError: the partition holds statistics, and the network reads samples.
        """
        if isinstance(block, SummaryBlock):
            return self.estimate_statistics(block.statistics[rows])
        return self.estimate_many((block[row].x, block[row].y) for row in rows.tolist())

    def estimate_statistics(self, statistics: FloatArray) -> list[Estimate]:
        """Estimate samples from their statistics, with a network that reads statistics.

        Args:
            statistics: shape (B, S), see `mistworks.statistics`.

        Raises:
            MistworksError: the network reads samples.
        """
        return self._read_out(self.network.predict_statistics(statistics, mean=self._mean))

    def differentiable(self, x: "Tensor", y: "Tensor") -> "Tensor":
        """Estimate one sample with gradients in its values, for instance to maximise the estimate.

        Ranks and counts are smoothed (see `mistworks.statistics.summarise_smoothly`). For continuous columns
        this changes the estimate far less than another sample of the same distribution would. If the estimate
        is 0, so is the gradient. There is no warning outside the training range. Needs torch.

        Args:
            x: shape (n, dx), n up to 2,000, floating-point; memory is n² values per column.
            y: shape (n, dy).

        Returns:
            The point estimate in nats, shape ().

        Raises:
            MistworksError: the network does not read statistics, or x and y are not tensors of this kind.
        """
        from mistworks.estimation.inputs import check_tensors

        check_tensors(x, y)
        x, y = (side.cpu()[:, (side != side[0]).any(dim=0).cpu()] for side in (x, y))
        self.network.require_readable(len(x), x.shape[1], y.shape[1], self.network_config.network)
        if not (x.shape[1] and y.shape[1]):
            return 0.0 * (x.sum() + y.sum()).double()
        quantiles, prediction = self.network.smooth_quantiles(x, y)
        if self._mean:
            return quantiles.mean()
        if self.calibration is None:
            return quantiles[0, _MIDDLE]
        plain = quantiles.detach().numpy()
        below, share = self.calibration.median_position(plain, prediction.n, prediction.d)
        return quantiles[0, below].lerp(quantiles[0, below + 1], share)

    @property
    def _mean(self) -> bool:
        return self.objective == "squared-error"

    def _read_out(self, prediction: Prediction) -> list[Estimate]:
        if prediction.quantiles is None:
            assert prediction.mean is not None
            return [Estimate(value) for value in prediction.mean.tolist()]
        quantiles = prediction.quantiles
        familiarity: Sequence[float | None] = [None] * len(quantiles)
        if self.calibration is not None:
            sizes = prediction.n, prediction.d
            quantiles = self.calibration.apply(quantiles, *sizes, prediction.strangeness)
            familiarity = self._familiarity(prediction) or familiarity
        if prediction.statistics is not None:
            quantiles = capped(quantiles, prediction.statistics)
        rows = zip(quantiles.tolist(), familiarity, strict=True)
        return [Estimate(row[_MIDDLE], tuple(row), familiar) for row, familiar in rows]

    def _familiarity(self, prediction: Prediction) -> list[float] | None:
        widening = None if self.calibration is None else self.calibration.widening
        if widening is None or prediction.strangeness is None:
            return None
        values: list[float] = widening.familiarity(prediction.strangeness).tolist()
        return values

    @property
    def _nothing(self) -> Estimate:
        """The estimate if X or Y is constant."""
        return Estimate(0.0, None if self._mean else (0.0,) * len(LEVELS))

    def save(self, folder: str | Path) -> None:
        """Write ``model.safetensors`` and ``config.json``. The folder is written completely or not at all.

        A ``README.md`` in the folder, the model card, is removed when the folder is replaced, since it
        describes the former estimator.

        Raises:
            MistworksError: the folder holds something other than a saved estimator.
        """
        weights = pack(self.network.tensors())
        witnesses = {
            f"{group}/{name}": values
            for group, network in self.witnesses.items()
            for name, values in network.tensors().items()
        }
        config = ModelConfig(
            network=self.network_config,
            objective=self.objective,
            training_range=self.training_range,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            calibration=self.calibration,
            witnesses=tuple(self.witnesses),
        )
        write_model(Path(folder), config, weights, pack(witnesses) if witnesses else None)

    @classmethod
    def load(cls, folder: str | Path) -> "Estimator":
        """Load a saved estimator.

        Raises:
            MistworksError: a file is missing, was edited, or has another format version.
        """
        config, weights = read_model(Path(folder))
        try:
            network = predictor_of(config.network, unpack(weights))
            witnesses = {
                group: predictor_of(config.network.witness, tensors)
                for group, tensors in read_witnesses(Path(folder), config).items()
            }
        except MistworksError as error:
            raise MistworksError(
                f"The weights in {folder} do not fit their configuration. {error} Or load them with the "
                "version of Mistworks that saved them."
            ) from None
        return cls(
            network, config.network, config.objective, config.training_range, config.calibration, witnesses
        )

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of ``model.safetensors`` as `save` writes it: equal if and only if weights are equal."""
        return hashlib.sha256(pack(self.network.tensors())).hexdigest()

    @property
    def sha256(self) -> str:
        """SHA-256 of weights and calibration, or of the weights if there is no calibration."""
        if self.calibration is None:
            return self.weights_sha256
        return hashlib.sha256(f"{self.weights_sha256}/{self.calibration.sha256}".encode()).hexdigest()

    def __repr__(self) -> str:
        calibrated = ", calibrated" if self.calibration is not None else ""
        return (
            f"Estimator({self.network_config.network}, {self.objective}{calibrated}, trained on "
            f"{self.training_range})"
        )


def _may_be_infinite(estimate: Estimate) -> bool:
    """Whether an estimate leaves room for infinite mutual information."""
    highest = estimate.mi if estimate.quantiles is None else estimate.quantiles[_HIGH]
    return highest > _MAY_BE_INFINITE


def _unbounded(estimate: Estimate) -> Estimate:
    """Return the estimate with infinite quantiles above the median, which is a lower bound."""
    if estimate.quantiles is None:
        return estimate
    above = (np.inf,) * (len(LEVELS) - _MIDDLE - 1)
    return replace(estimate, quantiles=(*estimate.quantiles[: _MIDDLE + 1], *above))


def load(folder: str | Path) -> Estimator:
    """Load an estimator from its folder, or from the registry.

    Args:
        folder: a folder that `Estimator.save` wrote; or the name of a registered estimator,
            ``"mist@champion"``, ``"mist/3"`` or ``"models:/mist@champion"``, looked up in the registry that
            ``MLFLOW_TRACKING_URI`` names, or in the folder ``mistworks-data`` without this variable.

    Raises:
        MistworksError: a file is missing, was edited, or has another format version; the registered estimator
            does not exist, or ``mistworks[pipeline]`` is not installed.
    """
    if isinstance(folder, str) and address_of(folder) is not None:
        return cast("Estimator", load_address(folder))
    return Estimator.load(folder)


def shipped() -> Estimator:
    """Return the estimator that comes with the package, the default of `estimate`. It is loaded once.

    Raises:
        MistworksError: this version comes without weights.
    """
    with _SHIPPED_LOCK:
        return _load_shipped()


@lru_cache(maxsize=1)
def _load_shipped() -> Estimator:
    if not (_SHIPPED_FOLDER / CONFIG_FILE).is_file():
        raise MistworksError(
            "Expected weights in this version of Mistworks, got none. Pass an estimator or its folder as "
            "model=; `mistworks pipeline --preset quick` trains one."
        )
    return load(_SHIPPED_FOLDER)


__all__ = ["LEVELS", "Estimate", "Estimator", "TrainingRange", "load", "shipped"]
