"""The estimator of I(X;Y|Z): a network over what another estimator says of the parts of a triple."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mistworks.conditional.network import ConditionalConfig, ConditionalNetwork
from mistworks.conditional.reduction import Reduced, reduce
from mistworks.conditional.summary import MOST_POINTS, Question, ask, read
from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError, MistworksWarning, warn
from mistworks.estimation.calibration import Calibration
from mistworks.estimation.estimate import LEVELS, LEVELS_Z, UNFAMILIAR, Estimate
from mistworks.estimation.estimator import Estimator, load, shipped
from mistworks.estimation.folder import pack, unpack
from mistworks.estimation.many import BatchEstimator, Model
from mistworks.estimation.notices import Notice, warn_of
from mistworks.files import write_whole
from mistworks.preparation.prepare import LOWER_BOUND
from mistworks.preparation.reading import read_sides

_FOLDER = Path(__file__).parents[1] / "weights" / "conditional"
_WEIGHTS, _CONFIG = "model.safetensors", "config.json"
_MIDDLE = LEVELS.index(0.5)
# Columns of all samples that are estimated together.
_PART_CELLS = 2**22
_NOTHING = Estimate(0.0, (0.0,) * len(LEVELS))

ConditionalTriple = tuple[object, object, object]


class ConditionalModel(FrozenConfig):
    """What ``config.json`` holds.

    Attributes:
        format: always ``"mistworks-conditional"``.
        network: sizes of the network.
        calibration: of its quantiles.
        estimator_sha256: of the estimator over which both were fitted.
        weights_sha256: of ``model.safetensors``.
    """

    format: Literal["mistworks-conditional"] = "mistworks-conditional"
    network: ConditionalConfig
    calibration: Calibration
    estimator_sha256: str
    weights_sha256: str


@dataclass(frozen=True, eq=False)
class ConditionalEstimator:
    """A network over triples with its calibration.

    Attributes:
        network: what predicts.
        calibration: brings its quantiles to their promised coverage.
        estimator_sha256: of the estimator whose estimates the network was fitted on.
    """

    network: ConditionalNetwork
    calibration: Calibration
    estimator_sha256: str

    def estimate_many(self, triples: Iterable[ConditionalTriple], base: BatchEstimator) -> list[Estimate]:
        """Conditional mutual information of triples (x, y, z), in their order.

        Args:
            triples: sides of n points each, or what `mistworks.preparation.reading.read_sides` reads.
            base: the estimator of mutual information that is asked.

        Raises:
            MistworksError: a triple is not a sample.
        """
        estimates: list[Estimate] = []
        bounds = 0
        for part in _parts(triples):
            done, infinite = self._estimate_part(part, base)
            estimates += done
            bounds += infinite
        notices = [Notice("lower bound", LOWER_BOUND, bounds)] if bounds else []
        unlike = sum(
            estimate.familiarity is not None and estimate.familiarity < UNFAMILIAR for estimate in estimates
        )
        if unlike:
            notices.append(
                Notice(
                    "unfamiliar",
                    "the sample is less like the triples of the calibration than "
                    f"{1 - UNFAMILIAR:.0%} of them are like each other; its interval is wider for that, and "
                    "may still be too narrow",
                    unlike,
                )
            )
        warn_of(notices, len(estimates))
        return estimates

    def _estimate_part(self, samples: Sequence[Reduced], base: BatchEstimator) -> tuple[list[Estimate], int]:
        """Estimates, and how many of them are lower bounds."""
        estimates = [_NOTHING] * len(samples)
        plain = [i for i, sample in enumerate(samples) if sample.x.d and sample.y.d and not sample.z.d]
        asked = [i for i, sample in enumerate(samples) if 0 not in sample.sizes]
        questions = [ask(samples[i]) for i in asked]
        pairs = [(samples[i].x.side, samples[i].y.side) for i in plain]
        with warnings.catch_warnings():
            # What is unusual about the parts says little of the whole.
            warnings.simplefilter("ignore", MistworksWarning)
            answers = base.estimate_many(
                [*pairs, *(pair for question in questions for pair in question.pairs)]
            )
        for i, estimate in zip(plain, answers, strict=False):
            estimates[i] = estimate
        if not questions:
            return _with_sizes(estimates, samples), 0
        starts = len(plain) + np.cumsum([0, *(len(question.pairs) for question in questions)])
        parts = [answers[start:stop] for start, stop in pairwise(starts.tolist())]
        infinite = 0
        for i, estimate, part, question in zip(
            asked, self._answers([samples[i] for i in asked], questions, parts), parts, questions, strict=True
        ):
            unbounded = _is_infinite(question, part)
            infinite += unbounded
            estimates[i] = _unbounded(estimate, question, part) if unbounded else estimate
        return _with_sizes(estimates, samples), infinite

    def _answers(
        self, samples: Sequence[Reduced], questions: Sequence[Question], parts: Sequence[Sequence[Estimate]]
    ) -> list[Estimate]:
        rows = [read(question, part) for question, part in zip(questions, parts, strict=True)]
        features, candidates = (np.stack(column) for column in zip(*rows, strict=True))
        n, d = (np.array(column) for column in zip(*((s.n, sum(s.sizes)) for s in samples), strict=True))
        quantiles, strangeness = self.network.predict(features, candidates)
        quantiles = self.calibration.apply(quantiles, n, d, strangeness)
        familiarity: Sequence[float | None] = [None] * len(questions)
        if self.calibration.widening is not None:
            familiarity = self.calibration.widening.familiarity(strangeness).tolist()
        return [
            _estimate(_capped(row, question.cap), familiar)
            for row, question, familiar in zip(quantiles, questions, familiarity, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``config.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = pack(self.network.tensors)
        config = ConditionalModel(
            network=self.network.config,
            calibration=self.calibration,
            estimator_sha256=self.estimator_sha256,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
        )
        write_whole(folder / _WEIGHTS, weights)
        text = json.dumps(config.model_dump(mode="json"), indent=1)
        write_whole(folder / _CONFIG, f"{text}\n".encode())

    @classmethod
    def load(cls, folder: Path) -> "ConditionalEstimator":
        """Read what `save` wrote.

        Raises:
            MistworksError: a file is missing, was edited, or is of another version of Mistworks.
        """
        try:
            config = ConditionalModel.parse((folder / _CONFIG).read_text())
            weights = (folder / _WEIGHTS).read_bytes()
        except OSError as error:
            raise MistworksError(
                f"Expected {_CONFIG} and {_WEIGHTS} in {folder}, got: {error.strerror}. Install Mistworks "
                "again, or fit them with `python benchmarks/conditional.py --fit`."
            ) from None
        if hashlib.sha256(weights).hexdigest() != config.weights_sha256:
            raise MistworksError(
                f"Expected {folder / _WEIGHTS} as it was saved, got another file. Install Mistworks again."
            )
        network = ConditionalNetwork(config.network, unpack(weights))
        return cls(network, config.calibration, config.estimator_sha256)


def conditional(x: object, y: object, z: object, model: Model = None) -> Estimate:
    """Conditional mutual information I(X;Y|Z) of one sample, in nats: see `conditional_many`."""
    return conditional_many([(x, y, z)], model)[0]


def conditional_many(triples: Iterable[ConditionalTriple], model: Model = None) -> list[Estimate]:
    """Conditional mutual information I(X;Y|Z) of many samples, in nats, in their order.

    A network that was fitted on simulated triples of known truth reads what the estimator says of the parts
    of a triple (see `mistworks.conditional.summary`); its quantiles are calibrated on others. Where X or Y is
    constant, or Z determines it, the estimate is 0; where Z is constant, it is that of I(X;Y).

    Args:
        triples: sides x, y and z of n points each, shapes (n, dx), (n, dy) and (n, dz).
        model: an estimator, what `mistworks.load` takes, or None for the weights that come with the package.

    Raises:
        MistworksError: a triple is not a sample, or there is no such model.

    Warns:
        MistworksWarning: intervals were calibrated with another estimator, or a sample is unlike the triples
            of the calibration.
    """
    estimator = shipped_conditional()
    if model is None:
        return estimator.estimate_many(triples, shipped())
    base: BatchEstimator = load(model) if isinstance(model, str | Path) else model
    if base is shipped():
        return estimator.estimate_many(triples, base)
    if not isinstance(base, Estimator) or base.sha256 != estimator.estimator_sha256:
        warn(
            "intervals of conditional mutual information were calibrated with the estimator that comes with "
            "the package, and with another they may be too narrow"
        )
    return estimator.estimate_many(triples, base)


@lru_cache(maxsize=1)
def shipped_conditional() -> ConditionalEstimator:
    """The conditional estimator that comes with the package, read once.

    Raises:
        MistworksError: this version comes without its weights.
    """
    return ConditionalEstimator.load(_FOLDER)


def _parts(triples: Iterable[ConditionalTriple]) -> Iterator[list[Reduced]]:
    part: list[Reduced] = []
    cells = 0
    for triple in triples:
        sample = _read(*triple)
        part.append(sample)
        cells += sample.n * sum(sample.sizes)
        if cells > _PART_CELLS:
            yield part
            part, cells = [], 0
    if part:
        yield part


def _read(x: object, y: object, z: object) -> Reduced:
    return _part_of(reduce(*read_sides([("x", x), ("y", y), ("z", z)])))


def _part_of(sample: Reduced) -> Reduced:
    """The sample, or of a large one as many points as the calibration knows."""
    if sample.n <= MOST_POINTS or 0 in sample.sizes:
        return sample
    warn(f"the network reads up to {MOST_POINTS:,} points, and a part of the {sample.n:,} was used")
    rows = sample.some_rows(MOST_POINTS)
    return reduce(*(part.side.rows(rows) for part in (sample.x, sample.y, sample.z)))


def _with_sizes(estimates: Sequence[Estimate], samples: Sequence[Reduced]) -> list[Estimate]:
    return [replace(one, n_used=sample.n) for one, sample in zip(estimates, samples, strict=True)]


def _capped(quantiles: NDArray[np.float64], cap: tuple[float, float] | None) -> NDArray[np.float64]:
    """Quantiles of which none exceeds that of the entropy of a side: I(X;Y|Z) ≤ min(H(X), H(Y))."""
    if cap is None:
        return quantiles
    return np.minimum(quantiles, np.maximum(cap[0] + LEVELS_Z * cap[1], 0.0))


def _estimate(quantiles: NDArray[np.float64], familiarity: float | None) -> Estimate:
    row = tuple(quantiles.tolist())
    return Estimate(row[_MIDDLE], row, familiarity)


def _is_infinite(question: Question, part: Sequence[Estimate]) -> bool:
    """Whether X is a function of Y and Z, or Y of X and Z, and not of Z alone."""
    of = dict(zip(question.asked, part, strict=False))
    infinite = {name: np.isinf(of[name].quantile(LEVELS[-1])) for name in ("x_yz", "x_z", "y_xz", "y_z")}
    return bool((infinite["x_yz"] and not infinite["x_z"]) or (infinite["y_xz"] and not infinite["y_z"]))


def _unbounded(estimate: Estimate, question: Question, part: Sequence[Estimate]) -> Estimate:
    """The same with infinite quantiles above the median, which is a lower bound by the chain rule."""
    of = {name: one.mi for name, one in zip(question.asked, part, strict=False)}
    least = max(of["x_yz"] - of["x_z"], of["y_xz"] - of["y_z"], estimate.mi)
    assert estimate.quantiles is not None
    above = (np.inf,) * (len(LEVELS) - _MIDDLE - 1)
    return replace(estimate, mi=least, quantiles=(*estimate.quantiles[:_MIDDLE], least, *above))


__all__ = [
    "ConditionalEstimator",
    "ConditionalModel",
    "conditional",
    "conditional_many",
    "shipped_conditional",
]
