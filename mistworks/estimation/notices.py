"""The warnings of an estimator: samples out of range, unusual, unfamiliar, or without a bound."""

from collections.abc import Sequence
from dataclasses import dataclass

from mistworks.dataset import FloatArray
from mistworks.errors import warn
from mistworks.estimation.estimate import UNFAMILIAR, Estimate
from mistworks.estimation.training_range import TrainingRange
from mistworks.networks.predictor import Predictor
from mistworks.preparation.prepare import Prepared


@dataclass(frozen=True, slots=True)
class Notice:
    """One kind of warning.

    Attributes:
        kind: see `mistworks.errors.MistworksWarning`.
        text: message about the first such sample, without a full stop.
        count: number of such samples.
    """

    kind: str
    text: str
    count: int


def notices_of(samples: Sequence[Prepared], training_range: TrainingRange) -> list[Notice]:
    """Return what is unusual about samples, whatever their estimates are."""
    outside = [each for sample in samples if (each := training_range.outside(sample))]
    notes = [note for sample in samples for note in sample.notes]
    notices = []
    if outside:
        text = f"{outside[0]}; the estimate and its intervals may be far off"
        notices.append(Notice(f"outside the training range in {outside[0].what}", text, len(outside)))
    if notes:
        notices.append(Notice("repeated points", notes[0], len(notes)))
    return notices


def notices_of_unfamiliar(
    estimates: Sequence[Estimate], statistics: FloatArray | None, network: Predictor
) -> list[Notice]:
    """Return what is unlike the training data in the first unfamiliar sample.

    Args:
        estimates: estimates of B samples.
        statistics: statistics of the same samples, shape (B, S); None if the network reads samples.
        network: names the strange statistics.
    """
    rows = [
        row
        for row, estimate in enumerate(estimates)
        if estimate.familiarity is not None and estimate.familiarity < UNFAMILIAR
    ]
    if not rows or statistics is None:
        return []
    what = network.strangest(statistics[rows[0]])
    because = f": {what}" if what else ""
    text = (
        f"the sample is less like the training data than {1 - UNFAMILIAR:.0%} of them are like each "
        f"other{because}; its interval is wider for this reason, and may still be too narrow"
    )
    return [Notice(f"unfamiliar in {what}", text, len(rows))]


def warn_of(notices: Sequence[Notice], samples: int) -> None:
    """Warn once per notice.

    Args:
        notices: the warnings.
        samples: number of samples that were estimated together.
    """
    for notice in notices:
        share = f" ({notice.count} of {samples} samples are such)" if samples > 1 else ""
        warn(notice.text, notice.kind, share)


__all__ = ["Notice", "notices_of", "notices_of_unfamiliar", "warn_of"]
