"""The right to change a registry, held across machines by what Prefect's server offers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists

from storage.registry.tracking import is_server

LEASE_SECONDS = 60.0
"""Least that Prefect takes; it is renewed while this process lives, and ends with it."""


def limit_of(name: str) -> str:
    """Name of the global limit of a registered model."""
    return f"mistworks-registry-{name}"


@contextmanager
def alone(tracking_uri: str, name: str) -> Iterator[None]:
    """Hold a registered model alone, across machines that share a Prefect server.

    Databases have a lock of their own, see `storage.registry.tracking.exclusive`. An MLflow server has none:
    there a global concurrency limit of one is held, made where there is none. Without ``PREFECT_API_URL``
    there is nothing to share.

    Args:
        tracking_uri: where the registry is.
        name: the registered model, which names the limit: machines know one server by different addresses.
    """
    if not is_server(tracking_uri) or not os.environ.get("PREFECT_API_URL"):
        yield
        return
    limit = limit_of(name)
    # Another machine may make it at this moment.
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.upsert_global_concurrency_limit_by_name(limit, 1)
    with concurrency(limit, strict=True, lease_duration=LEASE_SECONDS):
        yield
