"""Suffixes of names: ``"NAME+pca-4"``, ``"NAME+autoencoder-4"``, ``"NAME+bootstrap"``, in this order."""

import re

from mistworks.baselines.base import MutualInformationEstimator
from mistworks.baselines.bootstrap import SUFFIX, Bootstrap
from mistworks.baselines.compressed import Compressed, Method

_SUFFIXES = re.compile(
    r"(?P<compression>\+(?P<method>pca|autoencoder)-(?P<components>[1-9]\d*))?(?P<bootstrap>\+bootstrap)?$"
)


def bare_name(name: str) -> str:
    """Return a name without suffixes."""
    return name[: _matched(name).start()]


def suffixes_of(name: str) -> str:
    """Return the suffixes of a name, ``""`` without any."""
    return _matched(name).group()


def extended(name: str, suffixes: str) -> str:
    """Return a name with further suffixes; one that says how to compress keeps its own way."""
    own, given = _matched(name), _matched(suffixes)
    compression = own["compression"] or given["compression"] or ""
    return name[: own.start()] + compression + (own["bootstrap"] or given["bootstrap"] or "")


def wrapped(estimator: MutualInformationEstimator, suffixes: str) -> MutualInformationEstimator:
    """Return the estimator that a name with these suffixes stands for."""
    parts = _matched(suffixes)
    if parts["method"]:
        method: Method = "pca" if parts["method"] == "pca" else "autoencoder"
        estimator = Compressed(estimator, int(parts["components"]), method)
    return Bootstrap(estimator) if parts["bootstrap"] else estimator


def _matched(name: str) -> re.Match[str]:
    found = _SUFFIXES.search(name)
    assert found is not None
    return found


__all__ = ["SUFFIX", "bare_name", "extended", "suffixes_of", "wrapped"]
