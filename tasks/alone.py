"""The exclusive right to change a registry, across machines, by means of Prefect's server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists

from storage.registry.tracking import is_server

LEASE_SECONDS = 60.0
"""The minimum that Prefect accepts. It is renewed while this process lives, and ends with it."""


def limit_of(name: str) -> str:
    """Name of the global limit of a registered model."""
    return f"mistworks-registry-{name}"


@contextmanager
def alone(tracking_uri: str, name: str) -> Iterator[None]:
    """Hold a registered model exclusively, across machines that share a Prefect server.

    Databases have their own lock, see `storage.registry.tracking.exclusive`. An MLflow server has none: for
    it, a global concurrency limit of one is held, and created if needed. Without ``PREFECT_API_URL`` no
    server is shared and nothing is held.

    Args:
        tracking_uri: where the registry is.
        name: the registered model. The limit is named after it, since machines may know one server by
            different addresses.
    """
    if not is_server(tracking_uri) or not os.environ.get("PREFECT_API_URL"):
        yield
        return
    limit = limit_of(name)
    # Another machine may be creating it at this moment.
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.upsert_global_concurrency_limit_by_name(limit, 1)
    with concurrency(limit, strict=True, lease_duration=LEASE_SECONDS):
        yield


__all__ = ["LEASE_SECONDS", "alone", "limit_of"]
