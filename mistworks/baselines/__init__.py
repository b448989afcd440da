"""Estimators to compare with, by name. Add one as a file and an entry here."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mistworks.baselines.base import Baseline, MutualInformationEstimator
from mistworks.baselines.bootstrap import SUFFIX, Bootstrap
from mistworks.baselines.gaussian import CanonicalCorrelation, GaussianCopula, ShrunkGaussianCopula
from mistworks.baselines.neighbours import KSG
from mistworks.baselines.neural import Neural
from mistworks.baselines.plug_in import PlugIn
from mistworks.baselines.prior import PriorMean
from mistworks.baselines.student import StudentCopula
from mistworks.baselines.trained import Trained
from mistworks.errors import MistworksError

_CLASSICAL: tuple[Baseline, ...] = (
    PriorMean(),
    GaussianCopula(),
    ShrunkGaussianCopula(),
    StudentCopula(),
    CanonicalCorrelation(),
    KSG(neighbours=3),
    KSG(neighbours=5),
    KSG(neighbours=10),
    KSG(neighbours=3, algorithm=2),
    KSG(neighbours=5, algorithm=2),
    KSG(neighbours=10, algorithm=2),
    PlugIn(),
)
_NEURAL: tuple[Baseline, ...] = (
    Neural(bound="mine"),
    Neural(bound="infonce"),
    Neural(bound="nwj"),
    Neural(bound="smile"),
    Neural(bound="donsker-varadhan"),
)

BASELINES: Mapping[str, Baseline] = MappingProxyType({each.name: each for each in (*_CLASSICAL, *_NEURAL)})
"""Every baseline by its name."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"classical": tuple(each.name for each in _CLASSICAL), "neural": tuple(each.name for each in _NEURAL)}
)
"""Names that stand for several baselines."""


def baseline(name: str) -> MutualInformationEstimator:
    """Return the baseline of a name, or its bootstrap for ``"NAME+bootstrap"``.

    Raises:
        MistworksError: no baseline has that name.
    """
    bare = name.removesuffix(SUFFIX)
    if bare not in BASELINES:
        raise MistworksError(
            f"Expected the name of a baseline, got {name!r}. Choose one of {', '.join(BASELINES)}, add "
            f"{SUFFIX} to any of them, or choose a group: {', '.join(GROUPS)}."
        )
    return BASELINES[bare] if bare == name else Bootstrap(BASELINES[bare])


def baselines(names: Iterable[str]) -> tuple[MutualInformationEstimator, ...]:
    """Return the baselines of names and groups (also ``"GROUP+bootstrap"``), each once, in order.

    Raises:
        MistworksError: a name is neither a baseline nor a group.
    """
    expanded = dict.fromkeys(member for name in names for member in _members(name))
    return tuple(baseline(name) for name in expanded)


def _members(name: str) -> tuple[str, ...]:
    bare = name.removesuffix(SUFFIX)
    suffix = name[len(bare) :]
    return tuple(member + suffix for member in GROUPS.get(bare, (bare,)))


__all__ = [
    "BASELINES",
    "GROUPS",
    "KSG",
    "Baseline",
    "Bootstrap",
    "CanonicalCorrelation",
    "GaussianCopula",
    "MutualInformationEstimator",
    "Neural",
    "PlugIn",
    "PriorMean",
    "ShrunkGaussianCopula",
    "StudentCopula",
    "Trained",
    "baseline",
    "baselines",
]
