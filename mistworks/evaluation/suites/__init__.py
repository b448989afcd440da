"""Suites of datasets with known mutual information, by name. A new suite is a file and an entry here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mistworks.errors import MistworksError
from mistworks.evaluation.suites.base import ROOT_SEED, Case, Entry, GridSuite, Suite, labelled
from mistworks.evaluation.suites.beyond import beyond
from mistworks.evaluation.suites.bmi import bmi_40
from mistworks.evaluation.suites.consistency import Violation, self_consistency, violations
from mistworks.evaluation.suites.mtest import m_test, m_test_extended
from mistworks.evaluation.suites.null import null
from mistworks.evaluation.suites.ordinary import ordinary
from mistworks.evaluation.suites.strong import strong

MIN_SIZE, MAX_SIZE = 10, 100_000


@dataclass(frozen=True, slots=True)
class FixedSizes:
    """A suite whose numbers of points are part of its definition."""

    build: Callable[[], Suite]


@dataclass(frozen=True, slots=True)
class AnySizes:
    """A suite that runs at a chosen list of numbers of points, or at sizes of its own."""

    build: Callable[..., Suite]


SUITES: Mapping[str, FixedSizes | AnySizes] = MappingProxyType(
    {
        "m-test": FixedSizes(m_test),
        "m-test-extended": FixedSizes(m_test_extended),
        "bmi-40": AnySizes(bmi_40),
        "beyond": AnySizes(beyond),
        "null": AnySizes(null),
        "ordinary": AnySizes(ordinary),
        "strong": AnySizes(strong),
        "self-consistency": AnySizes(self_consistency),
    }
)
"""How each suite is built."""


def suite(name: str, sizes: Sequence[int] | None = None) -> Suite:
    """The suite of a name.

    Args:
        name: one of ``SUITES``.
        sizes: numbers of points, each from 10 to 100,000; None for the suite's own.

    Raises:
        MistworksError: there is no such suite, or it does not run at these sizes.
    """
    if name not in SUITES:
        raise MistworksError(f"suite {name!r} is unknown; choose one of {', '.join(SUITES)}")
    kind = SUITES[name]
    if sizes is None:
        return kind.build()
    if isinstance(kind, FixedSizes):
        raise MistworksError(f"the sizes of {name} are part of it, and {list(sizes)} came; leave them out")
    _require_sizes(sizes)
    return kind.build(sizes)


def _require_sizes(sizes: Sequence[int]) -> None:
    valid = all(MIN_SIZE <= size <= MAX_SIZE for size in sizes)
    if not sizes or not valid or len(set(sizes)) < len(sizes):
        raise MistworksError(
            f"sizes are different numbers of points from {MIN_SIZE} to {MAX_SIZE:,}, and {list(sizes)} came; "
            "mend them"
        )


__all__ = [
    "ROOT_SEED",
    "SUITES",
    "Case",
    "Entry",
    "GridSuite",
    "Suite",
    "Violation",
    "labelled",
    "suite",
    "violations",
]
