"""Networks by name: a configuration says which network it is, and `build_network` makes it.

What estimates without torch is imported at once; what needs torch when it is first used.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.networks.config import AnyNetworkConfig, SetTransformerConfig, SummaryNetworkConfig
from mistworks.networks.perceptrons import Perceptrons
from mistworks.networks.predictor import Invariance, Prediction, Predictor

if TYPE_CHECKING:
    from mistworks.networks.base import Network
    from mistworks.networks.batch import Batch, group_by_shape, pad
    from mistworks.networks.set_transformer import SetTransformer
    from mistworks.networks.summary import SummaryNetwork

_HOMES = {
    "Batch": "mistworks.networks.batch",
    "Network": "mistworks.networks.base",
    "SetTransformer": "mistworks.networks.set_transformer",
    "SummaryNetwork": "mistworks.networks.summary",
    "group_by_shape": "mistworks.networks.batch",
    "pad": "mistworks.networks.batch",
}

__all__ = [
    "AnyNetworkConfig",
    "Batch",
    "Invariance",
    "Network",
    "Perceptrons",
    "Prediction",
    "Predictor",
    "SetTransformer",
    "SetTransformerConfig",
    "SummaryNetwork",
    "SummaryNetworkConfig",
    "build_network",
    "group_by_shape",
    "pad",
    "predictor_of",
    "reads_statistics",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'mistworks.networks' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def reads_statistics(config: AnyNetworkConfig) -> bool:
    """Whether the network of a configuration is trained on statistics of samples, not on the samples."""
    return config.reads == "statistics"


def build_network(config: AnyNetworkConfig, left_out: tuple[str, ...] = ()) -> "Network | SummaryNetwork":
    """The network of a configuration, to be trained, with fresh weights drawn from torch's generator.

    Args:
        config: the configuration.
        left_out: groups of families, for each of which a network over statistics has a further member.

    Raises:
        MistworksError: the network has no members that could leave groups out.
    """
    if isinstance(config, SummaryNetworkConfig):
        from mistworks.networks.summary import SummaryNetwork

        return SummaryNetwork(config, left_out)
    from mistworks.networks.set_transformer import SetTransformer

    if left_out:
        raise MistworksError(
            "Expected a network over statistics to leave families out, got set-transformer. Turn leave_out "
            "off."
        )
    return SetTransformer(config)


def predictor_of(config: AnyNetworkConfig, tensors: Mapping[str, FloatArray]) -> Predictor:
    """A trained network from its weights.

    Raises:
        MistworksError: they are not those of a network of this configuration; torch is needed and missing.
    """
    if isinstance(config, SummaryNetworkConfig):
        return Perceptrons(config, tensors)
    try:
        import torch
    except ModuleNotFoundError:
        raise MistworksError(
            f"Expected torch to use a network of kind {config.network}, which is not installed. Install it: "
            "pip install 'mistworks[torch]'."
        ) from None
    network = build_network(config)
    try:
        network.load_state_dict(
            {name: torch.from_numpy(np.array(values)) for name, values in tensors.items()}, strict=True
        )
    except RuntimeError as error:
        raise MistworksError(str(error).splitlines()[0]) from None
    return network.ready()
