"""What sizes a split has, and whether it has discrete columns."""

from mistworks.coverage import FEW_DISTINCT, TrainingRange
from mistworks.statistics import statistic_names
from mistworks.statistics.table import SummaryBlock
from mistworks.training.batching import AnySource


def range_of(source: AnySource) -> TrainingRange:
    """The range of a split that is not empty; one partition tells whether it has discrete columns."""
    block = source.partition(0)
    if not isinstance(block, SummaryBlock):
        return TrainingRange.of(source.index, block)
    repeated = block.statistics[:, statistic_names().index("ties.greatest.0")]
    ties = bool((repeated > 1.0 - FEW_DISTINCT).any())
    return TrainingRange.of(source.index).model_copy(update={"ties": ties})
