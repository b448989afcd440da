"""Fit a modality: halves, principal components, and a flow per half, trained by zuko on one thread."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.extras import imported
from mistworks.modality.config import FlowConfig, Half, ModalityConfig
from mistworks.modality.flow import Layer, SplineFlow, Transform
from mistworks.modality.modality import Features, HalfOfRows, Modality
from mistworks.modality.rows import Rows, read_rows, resolved
from mistworks.randomness import stream

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_LEAST_OF_A_LABEL = 2
_OTHER: Mapping[Half, Half] = MappingProxyType({"training": "held-out", "held-out": "training"})


def fit_modality(
    config: ModalityConfig, on_progress: Callable[[float], None] = lambda share: None
) -> Modality:
    """Fit a modality. On one machine, the same rows and configuration give the same bytes.

    Each half gets a flow of its own, trained in double precision on one thread, with the weights of the epoch
    that is best on rows of this half that were kept apart.

    Args:
        config: what to fit.
        on_progress: called with the share of epochs done.

    Raises:
        MistworksError: the rows cannot be read or do not suffice, or zuko is not installed.
    """
    config = resolved(config)
    rows = read_rows(config.source)
    if rows.labels is None and config.carried < 1:
        raise MistworksError(
            f"Expected labels beside the rows of {config.name} for pairs by label, got none. Add labels, or "
            "set carried to 1; an estimator that is adapted by flows alone does not transfer to labels."
        )
    parts = _halves(rows, config)
    features = Features.fit(rows.values[parts["training"]], config.components)
    held = {half: features(rows.values[places]) for half, places in parts.items()}
    fitted: dict[Half, HalfOfRows] = {}
    for number, (half, other) in enumerate(_OTHER.items()):
        labels = np.empty(0, dtype=np.int64) if rows.labels is None else rows.labels[parts[half]]
        _require_told(held[half], labels, half)
        flow, loss = _train(
            held[half],
            held[other],
            config.flow,
            stream(config.seed, half, "flow", 0),
            partial(_report, on_progress, number),
        )
        fitted[half] = HalfOfRows(held[half], labels, flow, loss, _gaussian_loss(held[half], held[other]))
    return Modality(config, features, fitted["training"], fitted["held-out"])


def _report(on_progress: Callable[[float], None], done: int, share: float) -> None:
    on_progress((done + share) / len(_OTHER))


def _halves(rows: Rows, config: ModalityConfig) -> dict[Half, Codes]:
    """Split the rows at random, each label by itself, and return the positions of each half in order."""
    rng = stream(config.seed, "rows", "halves", 0)
    labels = np.zeros(len(rows.values), dtype=np.int64) if rows.labels is None else rows.labels
    training: list[Codes] = []
    held_out: list[Codes] = []
    for label in range(int(labels.max()) + 1):
        places = rng.permutation(np.flatnonzero(labels == label))
        count = round(config.held_out * len(places))
        if min(count, len(places) - count) < _LEAST_OF_A_LABEL:
            raise MistworksError(
                f"Expected at least {_LEAST_OF_A_LABEL} rows of each label in each half, got {len(places)} "
                f"rows of label number {label} with held_out = {config.held_out}. Leave rare labels out, or "
                "change held_out."
            )
        held_out.append(places[:count])
        training.append(places[count:])
    return {"training": np.sort(np.concatenate(training)), "held-out": np.sort(np.concatenate(held_out))}


def _require_told(features: Array, labels: Codes, half: Half) -> None:
    """Refuse rows whose features do not tell their label: pairs by label would have less information."""
    if not len(labels):
        return
    kept = np.ascontiguousarray(features, dtype=np.float32)
    _, place = np.unique(kept, axis=0, return_inverse=True)
    together = len(np.unique(np.column_stack([place.ravel(), labels]), axis=0))
    if together > int(place.max()) + 1:
        raise MistworksError(
            f"Expected rows with the same features to have the same label, got others in the {half} half. "
            "Raise components, or leave repeated rows out."
        )


def _gaussian_loss(features: Array, other: Array) -> float:
    """Mean negative log-density of other rows under a normal distribution fitted to these, in nats."""
    away = other - features.mean(axis=0)
    covariance = np.cov(features.T)
    _, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
    return float(0.5 * (log_determinant + (away * np.linalg.solve(covariance, away.T).T).sum(axis=1).mean()))


def _train(
    features: Array,
    other: Array,
    config: FlowConfig,
    rng: np.random.Generator,
    on_progress: Callable[[float], None],
) -> tuple[SplineFlow, float]:
    """Train a flow on the rows of a half, and return it with the loss of the other half."""
    torch = imported("torch", "the flows of a modality", "pipeline")
    zuko = imported("zuko", "the flows of a modality", "pipeline")
    order = rng.permutation(len(features))
    apart = max(1, round(config.kept_apart * len(features)))
    kept, learned = (torch.from_numpy(features[places]) for places in (order[:apart], order[apart:]))
    with _deterministic(torch, int(rng.integers(2**63))):
        flow = zuko.flows.NSF(
            features.shape[1],
            transforms=config.transforms,
            bins=config.bins,
            hidden_features=config.hidden,
        ).double()
        steps = config.epochs * -(-len(learned) // config.batch_size)
        optimiser = torch.optim.AdamW(
            flow.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        best, weights = np.inf, flow.state_dict()
        for epoch in range(config.epochs):
            places = torch.from_numpy(rng.permutation(len(learned)))
            for batch in places.split(config.batch_size):
                loss = -flow().log_prob(learned[batch]).mean()
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
                optimiser.step()
                schedule.step()
            apart_loss = _loss(flow, kept)
            if apart_loss < best:
                best = apart_loss
                weights = {name: tensor.clone() for name, tensor in flow.state_dict().items()}
            on_progress((epoch + 1) / config.epochs)
        if not np.isfinite(best):
            raise MistworksError(
                f"Expected a flow with a finite loss, got {best}. Lower the learning_rate of flow, now "
                f"{config.learning_rate:g}."
            )
        flow.load_state_dict(weights)
        return _exported(flow), _loss(flow, torch.from_numpy(other))


def _loss(flow: Any, rows: "Tensor") -> float:
    import torch

    with torch.no_grad():
        return float(-flow().log_prob(rows).mean())


@contextmanager
def _deterministic(torch: Any, seed: int) -> Iterator[None]:
    """Run torch on one thread from a seed, since sums split between threads differ in their last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _exported(flow: Any) -> SplineFlow:
    """Return the weights of a flow of zuko, masks applied."""
    transforms = []
    for transform in flow.transform.transforms:
        layers = [
            Layer(_array((layer.mask * layer.weight).T), _array(layer.bias))
            for layer in transform.hyper
            if hasattr(layer, "mask")
        ]
        transforms.append(Transform(_array(transform.order).astype(np.int64), tuple(layers)))
    return SplineFlow(tuple(transforms))


def _array(tensor: "Tensor") -> NDArray[Any]:
    return np.ascontiguousarray(tensor.detach().numpy())


__all__ = ["fit_modality"]
