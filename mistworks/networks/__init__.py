"""Networks by name: a configuration says which network it is, and `build_network` makes it."""

from typing import Annotated

from pydantic import Field

from mistworks.config import FrozenConfig
from mistworks.networks.base import Network
from mistworks.networks.batch import Batch, group_by_shape, pad
from mistworks.networks.set_transformer import SetTransformer, SetTransformerConfig
from mistworks.networks.summary import SummaryNetwork, SummaryNetworkConfig

NETWORKS: dict[str, tuple[type[FrozenConfig], type[Network]]] = {
    "set-transformer": (SetTransformerConfig, SetTransformer),
    "summary": (SummaryNetworkConfig, SummaryNetwork),
}

AnyNetworkConfig = Annotated[SetTransformerConfig | SummaryNetworkConfig, Field(discriminator="network")]

__all__ = [
    "NETWORKS",
    "AnyNetworkConfig",
    "Batch",
    "Network",
    "SetTransformer",
    "SetTransformerConfig",
    "SummaryNetwork",
    "SummaryNetworkConfig",
    "build_network",
    "group_by_shape",
    "pad",
    "reads_statistics",
]


def reads_statistics(config: AnyNetworkConfig) -> bool:
    """Whether the network of a configuration is trained on statistics of samples, not on the samples."""
    return issubclass(NETWORKS[config.network][1], SummaryNetwork)


def build_network(config: AnyNetworkConfig) -> Network:
    """The network of a configuration, with fresh weights drawn from torch's generator."""
    return NETWORKS[config.network][1](config)
