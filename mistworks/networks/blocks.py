"""The partitions that a network learns from: samples, or the statistics of samples."""

from mistworks.dataset import Block, FloatArray
from mistworks.errors import MistworksError
from mistworks.statistics.table import SummaryBlock

AnyBlock = Block | SummaryBlock
"""A partition of samples, or of the statistics of samples."""


def samples_of(block: AnyBlock) -> Block:
    """Return the block itself, which must hold samples.

    Raises:
        MistworksError: it holds statistics.
    """
    if isinstance(block, SummaryBlock):
        raise MistworksError(
            "Expected samples for this network, got statistics of samples. Pass the store itself."
        )
    return block


def statistics_of(block: AnyBlock) -> FloatArray:
    """Return the statistics that a block holds, shape (N, S).

    Raises:
        MistworksError: it holds samples.
    """
    if not isinstance(block, SummaryBlock):
        raise MistworksError(
            "Expected statistics of samples for this network, got samples. Pass those that `mistworks "
            "summarise` keeps in the store."
        )
    return block.statistics


__all__ = ["AnyBlock", "samples_of", "statistics_of"]
