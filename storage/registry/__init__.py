"""Trainings, registered estimators and the champion, all kept in MLflow."""

from storage.registry.versions import load

__all__ = ["load"]
