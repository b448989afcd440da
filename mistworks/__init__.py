"""Mistworks: estimate the mutual information of a sample by a network trained on many. The names below are
imported at first use, so that ``import mistworks`` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mistworks.channel import ChannelInformation, channel_information
    from mistworks.classification import ClassifierBounds, classifier_bounds
    from mistworks.decomposition import Decomposition, decompose
    from mistworks.dependence import estimate
    from mistworks.errors import MistworksError, MistworksWarning
    from mistworks.estimation.estimator import Estimate, Estimator, load, shipped
    from mistworks.estimation.independence import IndependenceTest, independence_test
    from mistworks.estimation.many import estimate_many
    from mistworks.estimation.selection import FeatureScore, FeatureScores, feature_scores
    from mistworks.plots.composition import plot
    from mistworks.selection import SelectedColumn, Selection, select
    from mistworks.selection.selector import MutualInformationSelector
    from mistworks.series.lag_profile import LagProfile, lag_profile
    from mistworks.series.transfer_entropy import TransferEntropy, transfer_entropy
    from mistworks.stores import open_store
    from mistworks.tables.matrix import matrix
    from mistworks.tables.result import Matrix

__version__ = "0.1.0"

__all__ = [
    "ChannelInformation",
    "ClassifierBounds",
    "Decomposition",
    "Estimate",
    "Estimator",
    "FeatureScore",
    "FeatureScores",
    "IndependenceTest",
    "LagProfile",
    "Matrix",
    "MistworksError",
    "MistworksWarning",
    "MutualInformationSelector",
    "SelectedColumn",
    "Selection",
    "TransferEntropy",
    "__version__",
    "channel_information",
    "classifier_bounds",
    "decompose",
    "estimate",
    "estimate_many",
    "feature_scores",
    "independence_test",
    "lag_profile",
    "load",
    "matrix",
    "open_store",
    "plot",
    "select",
    "shipped",
    "transfer_entropy",
]

_HOMES = {
    "ChannelInformation": "mistworks.channel",
    "ClassifierBounds": "mistworks.classification",
    "Decomposition": "mistworks.decomposition",
    "Estimate": "mistworks.estimation.estimator",
    "Estimator": "mistworks.estimation.estimator",
    "FeatureScore": "mistworks.estimation.selection",
    "FeatureScores": "mistworks.estimation.selection",
    "IndependenceTest": "mistworks.estimation.independence",
    "LagProfile": "mistworks.series.lag_profile",
    "Matrix": "mistworks.tables.result",
    "MistworksError": "mistworks.errors",
    "MistworksWarning": "mistworks.errors",
    "MutualInformationSelector": "mistworks.selection.selector",
    "SelectedColumn": "mistworks.selection",
    "Selection": "mistworks.selection",
    "TransferEntropy": "mistworks.series.transfer_entropy",
    "channel_information": "mistworks.channel",
    "classifier_bounds": "mistworks.classification",
    "decompose": "mistworks.decomposition",
    "estimate": "mistworks.dependence",
    "estimate_many": "mistworks.estimation.many",
    "feature_scores": "mistworks.estimation.selection",
    "independence_test": "mistworks.estimation.independence",
    "lag_profile": "mistworks.series.lag_profile",
    "load": "mistworks.estimation.estimator",
    "matrix": "mistworks.tables.matrix",
    "open_store": "mistworks.stores",
    "plot": "mistworks.plots.composition",
    "select": "mistworks.selection",
    "shipped": "mistworks.estimation.estimator",
    "transfer_entropy": "mistworks.series.transfer_entropy",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'mistworks' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
