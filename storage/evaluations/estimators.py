"""Find estimators by name: a baseline, a registered version, or a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mistworks.baselines import (
    BASELINES,
    GROUPS,
    MutualInformationEstimator,
    Trained,
    bare_name,
    baseline,
    members,
    suffixes_of,
    wrapped,
)
from mistworks.errors import MistworksError
from storage.registry import versions
from storage.registry.models import folder_of, load_model

if TYPE_CHECKING:
    from mistworks.estimation.estimator import Estimator

TRAINED = "trained"
"""Name under which results of all trained estimators are kept; the version (their weights) distinguishes
them.
"""


@dataclass(frozen=True, slots=True)
class EstimatorReference:
    """A reference from which another process opens the same estimator.

    Attributes:
        text: the name of a baseline, the absolute path or URL of a folder or an exact registered version,
            perhaps followed by suffixes such as ``"+bootstrap"``.
        label: its name in tables.
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
    """Resolve names of estimators, in order and without repeats. Groups of baselines are expanded.

    Raises:
        MistworksError: an estimator does not exist, or two different ones have the same label.
    """
    references: dict[str, EstimatorReference] = {}
    for member in (member for text in texts for member in members(text)):
        reference = _find(member, tracking_uri)
        if references.setdefault(reference.label, reference) != reference:
            raise MistworksError(
                f"Expected estimators with different names, got {reference.text} and "
                f"{references[reference.label].text}, both called {reference.label}. Give one by another "
                "path."
            )
    return list(references.values())


# What this process has opened, also to find out what a name stands for.
_opened: dict[EstimatorReference, MutualInformationEstimator] = {}


def open_estimator(reference: EstimatorReference) -> MutualInformationEstimator:
    """Open the estimator of a reference, once per process.

    Raises:
        MistworksError: it is gone, or another version took its place.
    """
    if reference in _opened:
        return _opened[reference]
    opened = _open(reference.text, reference.tracking_uri)
    if (opened.name, opened.version) != (reference.name, reference.version):
        raise MistworksError(
            f"Expected {reference.label} in version {reference.version}, got {opened.version} in another "
            "process. Install the same estimator and the same Mistworks on all workers."
        )
    _opened[reference] = opened
    return opened


def trained_estimator(reference: EstimatorReference) -> "Estimator":
    """Return the trained estimator of a reference, as `mistworks.load` does.

    Raises:
        MistworksError: the reference is to a baseline or a bootstrap; or see `open_estimator`.
    """
    opened = open_estimator(reference)
    if not isinstance(opened, Trained):
        raise MistworksError(
            f"Expected a trained estimator, got {reference.label}. Give the folder of a trained estimator."
        )
    return opened.estimator


def _find(text: str, tracking_uri: str) -> EstimatorReference:
    bare, suffix = bare_name(text), suffixes_of(text)
    exact, label = bare, bare
    if bare not in BASELINES:
        if (folder := folder_of(bare)) is not None:
            exact = folder.url
        elif versions.is_reference(bare):
            version = versions.lookup(bare, tracking_uri)
            exact, label = version.uri, f"{version.name}/{version.version}"
        else:
            raise MistworksError(
                f"Expected a baseline ({', '.join([*GROUPS, *BASELINES])}), an existing folder, or a "
                f"registered model such as mist@champion or mist/3, got {bare!r}."
            )
    opened = _open(f"{exact}{suffix}", tracking_uri)
    reference = EstimatorReference(
        f"{exact}{suffix}", f"{label}{suffix}", tracking_uri, opened.name, opened.version, opened.slow
    )
    _opened[reference] = opened
    return reference


def _open(text: str, tracking_uri: str) -> MutualInformationEstimator:
    bare = bare_name(text)
    if bare in BASELINES:
        return baseline(text)
    return wrapped(Trained(TRAINED, load_model(bare, tracking_uri)), suffixes_of(text))


__all__ = ["TRAINED", "EstimatorReference", "find_estimators", "open_estimator", "trained_estimator"]
