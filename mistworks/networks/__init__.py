"""Networks: a configuration says which network it is, and `build_network` builds it.

Classes that estimate without torch are imported at once, others at first use.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.extras import how_to_install
from mistworks.networks.config import (
    AnyNetworkConfig,
    NetworkConfig,
    SampleNetworkConfig,
    SetTransformerConfig,
    SummaryNetworkConfig,
)
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
    "NetworkConfig",
    "Perceptrons",
    "Prediction",
    "Predictor",
    "SampleNetworkConfig",
    "SetTransformer",
    "SetTransformerConfig",
    "SummaryNetwork",
    "SummaryNetworkConfig",
    "build_network",
    "group_by_shape",
    "pad",
    "predictor_of",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'mistworks.networks' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def build_network(config: AnyNetworkConfig, left_out: tuple[str, ...] = ()) -> Any:
    """Build the untrained network of a configuration, with weights drawn from torch's generator.

    Args:
        config: the configuration.
        left_out: groups of families. For each, the network gets an additional member, trained without that
            group.

    Raises:
        MistworksError: the network has no members, so it cannot leave groups out.
    """
    return _located(config.network_class).fresh(config, left_out)


def predictor_of(config: AnyNetworkConfig, tensors: Mapping[str, FloatArray]) -> Predictor:
    """Restore a trained network from its weights.

    Raises:
        MistworksError: the weights do not fit the configuration, or torch is needed and missing.
    """
    try:
        predictor_class = _located(config.predictor_class)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MistworksError(
            f"Expected torch for a network of kind {config.network}, which is not installed. "
            f"{how_to_install('torch')}."
        ) from None
    predictor: Predictor = predictor_class.restored(config, tensors)
    return predictor


def _located(name: str) -> Any:
    """Import the class that a configuration names."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
