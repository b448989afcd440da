"""Suites of datasets with known mutual information, by name. A new suite is a file and an entry here."""

from mistworks.evaluation.suites.base import ROOT_SEED, Case, Entry, GridSuite, Suite

__all__ = ["ROOT_SEED", "Case", "Entry", "GridSuite", "Suite"]
