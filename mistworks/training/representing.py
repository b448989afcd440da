"""What a network makes of a batch, be it of samples or of statistics of samples."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mistworks.coverage import FEW_DISTINCT, TrainingRange
from mistworks.dataset import Dataset
from mistworks.errors import MistworksError
from mistworks.networks import Network, SummaryNetwork, group_by_shape, pad
from mistworks.statistics import statistic_names
from mistworks.statistics.table import Summary, SummaryBlock
from mistworks.training.batching import AnySource, Item

_DATASETS_FOR_SCALES = 20_000
_NOT_STATISTICS = (
    "a network over statistics is trained on statistics, and samples came; pass those that `mistworks "
    "summarise` keeps in the store"
)


def represented(network: Network, batch: list[Item], max_cells: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Representations of a batch, in parts of like shape where it holds samples.

    Yields:
        Positions of a part in the batch, shape (P,), and its representations, shape (P, h); in training a
        network with several members yields one a dataset and member.

    Raises:
        MistworksError: the batch holds samples and the network reads statistics, or the reverse.
    """
    if isinstance(network, SummaryNetwork):
        summaries = [item for item in batch if isinstance(item, Summary)]
        if len(summaries) < len(batch):
            raise MistworksError(_NOT_STATISTICS)
        table = torch.from_numpy(np.stack([item.statistics for item in summaries]))
        representation = network.encode_statistics(table)
        yield torch.arange(len(batch)).repeat(len(representation) // len(batch)), representation
        return
    pairs = [(item.x, item.y) for item in batch if isinstance(item, Dataset)]
    if len(pairs) < len(batch):
        raise MistworksError(
            "this network is trained on samples, and statistics of samples came; pass the store itself"
        )
    n = np.array([len(x) for x, _ in pairs])
    dx = np.array([x.shape[1] for x, _ in pairs])
    dy = np.array([y.shape[1] for _, y in pairs])
    for group in group_by_shape(n, dx, dy, max_cells, len(batch)):
        yield torch.from_numpy(group), network.encode(pad([pairs[row] for row in group]))


def range_of(source: AnySource) -> TrainingRange:
    """The range of a split that is not empty; one partition tells whether it has discrete columns."""
    block = source.partition(0)
    if not isinstance(block, SummaryBlock):
        return TrainingRange.of(source.index, block)
    repeated = block.statistics[:, statistic_names().index("ties.greatest.0")]
    ties = bool((repeated > 1.0 - FEW_DISTINCT).any())
    return TrainingRange.of(source.index).model_copy(update={"ties": ties})


def first_statistics(source: AnySource) -> Tensor:
    """Statistics of the first datasets of a split, shape (N, S), as many as give a good scale.

    Raises:
        MistworksError: the source holds samples.
    """
    blocks: list[Tensor] = []
    for number in range(len(source.partition_bounds)):
        block = source.partition(number)
        if not isinstance(block, SummaryBlock):
            raise MistworksError(_NOT_STATISTICS)
        blocks.append(torch.from_numpy(block.statistics))
        if sum(map(len, blocks)) >= _DATASETS_FOR_SCALES:
            break
    return torch.cat(blocks)[:_DATASETS_FOR_SCALES]
