"""Artifacts of a run on Prefect's Artifacts page, which lists those with a key."""

import logging
import os
import re
from collections.abc import Callable
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext

from mistworks.errors import MistworksError
from storage.registry.lineage import CHAMPION, MODEL, RegisteredVersion
from storage.registry.runs import existing_run
from storage.registry.tracking import open_client, shown
from storage.registry.versions import lookup

MLFLOW_PAGE_VARIABLE = "MISTWORKS_MLFLOW_PAGE"


def present_champion(tracking_uri: str, name: str = MODEL) -> RegisteredVersion | None:
    """Return the champion of a registered model; None if there is no champion or no registry yet."""
    try:
        return lookup(f"{name}@{CHAMPION}", tracking_uri)
    except MistworksError:
        return None


def leave_result(version: RegisteredVersion, before: RegisteredVersion | None, tracking_uri: str) -> None:
    """Create artifacts: a link to a version's MLflow run, and its metrics beside the former champion's.

    Args:
        version: the version that a run registered.
        before: the champion before that.
        tracking_uri: where the registry is.
    """
    reference = f"{version.name}/{version.version}"
    _leave(lambda: _leave_link(version, reference, tracking_uri))
    _leave(
        lambda: create_table_artifact(
            _beside(version, before), "metrics", f"{reference}: {version.promotion or 'not decided yet'}"
        )
    )


def leave_table(key: str, rows: list[dict[str, Any]], description: str) -> None:
    """Create a table artifact.

    Args:
        key: of lower-case letters, digits and dashes.
        rows: by column.
        description: one line.
    """
    _leave(lambda: create_table_artifact(rows, key, description))


def leave_note(key: str, text: str, description: str) -> None:
    """Create a Markdown artifact.

    Args:
        key: of lower-case letters, digits and dashes.
        text: the Markdown.
        description: one line.
    """
    _leave(lambda: create_markdown_artifact(text, key, description))


def key_of(text: str) -> str:
    """Turn a text into a key: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _leave(create: Callable[[], object]) -> None:
    if FlowRunContext.get() is None:
        return
    try:
        create()
    except Exception:
        # Work of hours is not abandoned because it could not be shown.
        logging.getLogger(__name__).warning("an artifact could not be created", exc_info=True)


def _leave_link(version: RegisteredVersion, reference: str, tracking_uri: str) -> None:
    page = os.environ.get(MLFLOW_PAGE_VARIABLE) or shown(tracking_uri)
    if not page.startswith(("http://", "https://")):
        return
    run = existing_run(open_client(tracking_uri), version.lineage.run_id, tracking_uri)
    link = f"{page.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    create_link_artifact(link, f"run of {reference}", "mlflow-run", f"The training of {reference}")


def _beside(version: RegisteredVersion, before: RegisteredVersion | None) -> list[dict[str, Any]]:
    """Return the metrics over all datasets, of a version and of the champion before it."""
    names = sorted(name for name in version.metrics if name.endswith(".all"))
    champion = f"champion before: {'none' if before is None else f'{before.name}/{before.version}'}"
    return [
        {
            "metric": name.removesuffix(".all"),
            f"{version.name}/{version.version}": _figure(version.metrics.get(name)),
            champion: _figure(None if before is None else before.metrics.get(name)),
        }
        for name in names
    ]


def _figure(value: float | None) -> str:
    return "—" if value is None else f"{value:.5g}"


__all__ = ["MLFLOW_PAGE_VARIABLE", "key_of", "leave_note", "leave_result", "leave_table", "present_champion"]
