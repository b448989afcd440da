"""Estimators to compare with, by name. Add one as a file and an entry here."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mistworks.baselines.activations import AKDE, EBAB
from mistworks.baselines.base import Baseline, MutualInformationEstimator, unit_of
from mistworks.baselines.bootstrap import SUFFIX, Bootstrap
from mistworks.baselines.compressed import Compressed
from mistworks.baselines.distance_correlation import DistanceCorrelation
from mistworks.baselines.gaussian import CanonicalCorrelation, GaussianCopula, ShrunkGaussianCopula
from mistworks.baselines.gmm_mi import GMMMI
from mistworks.baselines.kernels import CauchySchwarz, HilbertSchmidt
from mistworks.baselines.neighbours import KSG
from mistworks.baselines.neural import Neural
from mistworks.baselines.plug_in import PlugIn
from mistworks.baselines.prior import PriorMean
from mistworks.baselines.spectral import DiffusionSpectral
from mistworks.baselines.student import StudentCopula
from mistworks.baselines.trained import Trained
from mistworks.baselines.wasserstein import WassersteinDependency
from mistworks.baselines.wrappers import bare_name, extended, suffixes_of, wrapped
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
    Neural(bound="infonce-cosine"),
)
_IN_NATS: tuple[Baseline, ...] = (
    PlugIn(correction="chao-shen"),
    EBAB(),
    AKDE(),
    GMMMI(),
)
_COMPRESSED = ("ksg-3+pca-4", "gaussian-copula+pca-4")
_IN_OTHER_UNITS: tuple[Baseline, ...] = (
    CauchySchwarz(),
    CauchySchwarz(width="official"),
    HilbertSchmidt(),
    DistanceCorrelation(),
    DiffusionSpectral(),
    DiffusionSpectral(width="median"),
    WassersteinDependency(),
)

BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {each.name: each for each in (*_CLASSICAL, *_NEURAL, *_IN_NATS, *_IN_OTHER_UNITS)}
)
"""Every baseline by its name."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "classical": tuple(each.name for each in _CLASSICAL),
        "neural": tuple(each.name for each in _NEURAL),
        "comparators": (*(each.name for each in _IN_NATS), *_COMPRESSED),
        "dependence": tuple(each.name for each in _IN_OTHER_UNITS),
    }
)
"""Names that stand for several baselines. Those of ``"dependence"`` are not in nats."""


def baseline(name: str) -> MutualInformationEstimator:
    """Return the baseline of a name, on 4 principal components of each side for ``"NAME+pca-4"``, on 4 codes
    of an autoencoder for ``"NAME+autoencoder-4"``, or its bootstrap for ``"NAME+bootstrap"``.

    Raises:
        MistworksError: no baseline has that name.
    """
    bare = bare_name(name)
    if bare not in BASELINES:
        raise MistworksError(
            f"Expected the name of a baseline, got {name!r}. Choose one of {', '.join(BASELINES)}, add "
            f"+pca-K, +autoencoder-K or {SUFFIX} to any of them, or choose a group: {', '.join(GROUPS)}."
        )
    return wrapped(BASELINES[bare], suffixes_of(name))


def baselines(names: Iterable[str]) -> tuple[MutualInformationEstimator, ...]:
    """Return the baselines of names and groups, also with suffixes, each once, in order.

    Raises:
        MistworksError: a name is neither a baseline nor a group.
    """
    return tuple(
        baseline(name) for name in dict.fromkeys(member for name in names for member in members(name))
    )


def members(name: str) -> tuple[str, ...]:
    """Return the names that a group with its suffixes stands for, or the name itself."""
    bare = bare_name(name)
    if bare not in GROUPS:
        return (name,)
    return tuple(extended(member, suffixes_of(name)) for member in GROUPS[bare])


__all__ = [
    "AKDE",
    "BASELINES",
    "EBAB",
    "GMMMI",
    "GROUPS",
    "KSG",
    "Baseline",
    "Bootstrap",
    "CanonicalCorrelation",
    "CauchySchwarz",
    "Compressed",
    "DiffusionSpectral",
    "DistanceCorrelation",
    "GaussianCopula",
    "HilbertSchmidt",
    "MutualInformationEstimator",
    "Neural",
    "PlugIn",
    "PriorMean",
    "ShrunkGaussianCopula",
    "StudentCopula",
    "Trained",
    "WassersteinDependency",
    "bare_name",
    "baseline",
    "baselines",
    "members",
    "suffixes_of",
    "unit_of",
    "wrapped",
]
