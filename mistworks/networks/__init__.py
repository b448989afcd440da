"""Networks by name: a configuration says which network it is, and `build_network` makes it."""

from typing import Annotated

from pydantic import Field

from mistworks.config import FrozenConfig
from mistworks.networks.base import Network
from mistworks.networks.batch import Batch, group_by_shape, pad
from mistworks.networks.set_transformer import SetTransformer, SetTransformerConfig

NETWORKS: dict[str, tuple[type[FrozenConfig], type[Network]]] = {
    "set-transformer": (SetTransformerConfig, SetTransformer),
}

AnyNetworkConfig = Annotated[SetTransformerConfig, Field(discriminator="network")]

__all__ = [
    "NETWORKS",
    "AnyNetworkConfig",
    "Batch",
    "Network",
    "SetTransformer",
    "SetTransformerConfig",
    "build_network",
    "group_by_shape",
    "pad",
]


def build_network(config: AnyNetworkConfig) -> Network:
    """The network of a configuration, with fresh weights drawn from torch's generator."""
    return NETWORKS[config.network][1](config)
