"""Mistworks: mutual information of a sample, estimated by a network trained on many.

The names below are imported when they are first used, so that ``import mistworks`` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mistworks.batching import estimate_many
    from mistworks.errors import MistworksError
    from mistworks.estimation import Estimate, Estimator, estimate, load
    from mistworks.independence import IndependenceTest, independence_test
    from mistworks.selection import FeatureScores, feature_scores

__version__ = "0.1.0"

__all__ = [
    "Estimate",
    "Estimator",
    "FeatureScores",
    "IndependenceTest",
    "MistworksError",
    "__version__",
    "estimate",
    "estimate_many",
    "feature_scores",
    "independence_test",
    "load",
]

_HOMES = {
    "Estimate": "mistworks.estimation",
    "Estimator": "mistworks.estimation",
    "FeatureScores": "mistworks.selection",
    "IndependenceTest": "mistworks.independence",
    "MistworksError": "mistworks.errors",
    "estimate": "mistworks.estimation",
    "estimate_many": "mistworks.batching",
    "feature_scores": "mistworks.selection",
    "independence_test": "mistworks.independence",
    "load": "mistworks.estimation",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'mistworks' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
