"""Suites of datasets with known mutual information, by name. Add a suite as a file and an entry here."""

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
from mistworks.evaluation.suites.power import PowerRow, power, powers
from mistworks.evaluation.suites.strong import strong

MIN_SIZE, MAX_SIZE = 10, 100_000


@dataclass(frozen=True, slots=True)
class FixedSizes:
    """A suite with fixed sample sizes."""

    build: Callable[[], Suite]


@dataclass(frozen=True, slots=True)
class AnySizes:
    """A suite that runs at chosen sample sizes, or at default ones."""

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
        "power": AnySizes(power),
    }
)
"""The suites by name."""


def suite(name: str, sizes: Sequence[int] | None = None) -> Suite:
    """Build a suite by name.

    Args:
        name: one of ``SUITES``.
        sizes: sample sizes, each from 10 to 100,000; None for the default sizes.

    Raises:
        MistworksError: the suite is unknown, or does not run at these sizes.
    """
    if name not in SUITES:
        raise MistworksError(
            f"Expected the name of a suite, got {name!r}. Choose one of {', '.join(SUITES)}."
        )
    kind = SUITES[name]
    if sizes is None:
        return kind.build()
    if isinstance(kind, FixedSizes):
        raise MistworksError(
            f"Expected no sizes for {name}, whose sizes are fixed, got {list(sizes)}. Omit them."
        )
    _require_sizes(sizes)
    return kind.build(sizes)


def _require_sizes(sizes: Sequence[int]) -> None:
    valid = all(MIN_SIZE <= size <= MAX_SIZE for size in sizes)
    if not sizes or not valid or len(set(sizes)) < len(sizes):
        raise MistworksError(
            f"Expected distinct sizes from {MIN_SIZE} to {MAX_SIZE:,}, got {list(sizes)}. Change them."
        )


__all__ = [
    "ROOT_SEED",
    "SUITES",
    "Case",
    "Entry",
    "GridSuite",
    "PowerRow",
    "Suite",
    "Violation",
    "labelled",
    "powers",
    "suite",
    "violations",
]
