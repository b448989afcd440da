"""All commands. Heavy libraries are imported by the commands that need them, so that help is instant."""

# Importing a module of commands adds them to the application, in this order.
from flows.cli import analysis, data, training, models, runs, deployments  # isort: skip
from flows.cli.app import app, main

__all__ = ["analysis", "app", "data", "deployments", "main", "models", "runs", "training"]
