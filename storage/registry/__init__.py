"""Trainings, registered estimators and who is champion, all kept in MLflow."""

from storage.registry.versions import load

__all__ = ["load"]
