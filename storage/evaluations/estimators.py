"""Finds what is to be evaluated by whatever names it: a baseline, a registered version, or a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mistworks.baselines import BASELINES, GROUPS, Bootstrap, MutualInformationEstimator, Trained, baseline
from mistworks.baselines.bootstrap import SUFFIX
from mistworks.errors import MistworksError
from storage.places.location import Location
from storage.registry import versions
from storage.registry.models import is_folder, load_model

TRAINED = "trained"
"""Name that results of trained estimators are kept under: their weights, the version, tell them apart."""


@dataclass(frozen=True, slots=True)
class EstimatorReference:
    """An estimator such that another process can open the same.

    Attributes:
        text: the name of a baseline, the absolute path or URL of a folder or an exact registered version,
            perhaps followed by ``"+bootstrap"``.
        label: what tables call it.
        tracking_uri: where the registry is.
        name: under which its results are kept.
        version: of its code or weights.
        slow: whether it is evaluated on a part of each suite.
    """

    text: str
    label: str
    tracking_uri: str
    name: str
    version: str
    slow: bool


def find_estimators(texts: Sequence[str], tracking_uri: str) -> list[EstimatorReference]:
    """What some names stand for, in their order, each once; groups of baselines are spelt out.

    Raises:
        MistworksError: there is no such estimator, or two that differ are called the same.
    """
    found: dict[str, EstimatorReference] = {}
    for member in (member for text in texts for member in _members(text)):
        reference = _find(member, tracking_uri)
        if found.setdefault(reference.label, reference) != reference:
            raise MistworksError(
                f"estimators of different names were expected, and {reference.text} and "
                f"{found[reference.label].text} are both called {reference.label}; give one by another path"
            )
    return list(found.values())


@cache
def open_estimator(reference: EstimatorReference) -> MutualInformationEstimator:
    """The estimator of a reference, opened once a process.

    Raises:
        MistworksError: it is not there any more, or another one is.
    """
    found = _open(reference.text, reference.tracking_uri)
    if (found.name, found.version) != (reference.name, reference.version):
        raise MistworksError(
            f"{reference.label} was found in version {reference.version} and opens in version "
            f"{found.version} elsewhere; have the same model and the same version of Mistworks on all workers"
        )
    return found


def _members(text: str) -> list[str]:
    bare, suffix = _parts(text)
    return [member + suffix for member in GROUPS.get(bare, (bare,))]


def _parts(text: str) -> tuple[str, str]:
    """A name without and with what asks for its bootstrap."""
    bare = text.removesuffix(SUFFIX)
    return bare, text[len(bare) :]


def _find(text: str, tracking_uri: str) -> EstimatorReference:
    bare, suffix = _parts(text)
    exact, label = bare, bare
    if bare not in BASELINES and is_folder(bare):
        exact = Location.parse(bare).url
    elif bare not in BASELINES:
        if not versions.is_reference(bare):
            raise MistworksError(
                f"{bare!r} is neither a baseline ({', '.join([*GROUPS, *BASELINES])}), nor a folder that "
                "exists, nor a registered model such as mist@champion or mist/3; give one of these"
            )
        version = versions.lookup(bare, tracking_uri)
        exact, label = version.uri, f"{version.name}/{version.version}"
    found = _open(f"{exact}{suffix}", tracking_uri)
    return EstimatorReference(
        f"{exact}{suffix}", f"{label}{suffix}", tracking_uri, found.name, found.version, found.slow
    )


def _open(text: str, tracking_uri: str) -> MutualInformationEstimator:
    bare, suffix = _parts(text)
    if bare in BASELINES:
        return baseline(text)
    trained = Trained(TRAINED, load_model(bare, tracking_uri))
    return Bootstrap(trained) if suffix else trained
