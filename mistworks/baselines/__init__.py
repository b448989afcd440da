"""Estimators to compare with, by name. A new one is a file and an entry here."""

from mistworks.baselines.base import Baseline

__all__ = ["Baseline"]
