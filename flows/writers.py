"""One writer per store: by a lock of files on disk, by a limit of the Prefect server in object stores."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress

from prefect.client.orchestration import get_client
from prefect.concurrency.asyncio import AcquireConcurrencySlotTimeoutError
from prefect.concurrency.sync import concurrency
from prefect.exceptions import MissingContextError, ObjectAlreadyExists, ObjectNotFound
from prefect.logging import get_run_logger

from flows.services import is_embedded
from mistworks.errors import MistworksError
from storage.places.location import Location
from storage.places.lock import exclusive

# What a killed run held is free again a lease and a round of the server later.
LEASE_SECONDS = 60.0
WAIT_SECONDS = 180.0
_WARN_AFTER_SECONDS = 2.0


@contextmanager
def one_writer(place: Location, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the only right to write to a store, against runs of all deployments; wait a while for it.

    It is held around the writing inside of a flow that is never retried as a whole: limits of flows and tasks
    that are retried are let go, or taken twice. Where the server is lost meanwhile, the work goes on: writers
    of one store write equal bytes, so that two of them waste time and harm nothing.

    Args:
        place: of the store.
        wait: seconds to wait while another run holds it.

    Raises:
        MistworksError: another run holds it, or a local path cannot be written.
    """
    # Where there is a lock of files it tells at once, and is free at once when its holder dies.
    limited = place.path is None and not is_embedded()
    with exclusive(place), _limit(place, wait) if limited else nullcontext():
        yield


def forget_limit(place: Location) -> None:
    """Remove the limit of a store that is gone; there may be none."""
    if place.path is None and not is_embedded():
        with get_client(sync_client=True) as client, suppress(ObjectNotFound):
            client.delete_global_concurrency_limit_by_name(limit_of(place))


def limit_of(place: Location) -> str:
    """The name of the global limit of a store: readable, of the characters that are allowed, and its own."""
    readable = "-".join(place.url.rstrip("/").split("/")[-2:]).replace(".zarr", "")
    return f"store-{readable}-{hashlib.sha256(place.url.encode()).hexdigest()[:8]}"


@contextmanager
def _limit(place: Location, wait: float) -> Iterator[None]:
    name = limit_of(place)
    # Of two that make it at once, one sees that it exists.
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.upsert_global_concurrency_limit_by_name(name, 1)
    with ExitStack() as held:
        try:
            held.enter_context(_slot(name, min(wait, _WARN_AFTER_SECONDS)))
        except AcquireConcurrencySlotTimeoutError:
            _warn(f"Another run writes to {place}; waiting up to {wait:.0f} s for it to end.")
            _wait_for(held, name, place, wait)
        yield


def _wait_for(held: ExitStack, name: str, place: Location, wait: float) -> None:
    try:
        held.enter_context(_slot(name, wait))
    except AcquireConcurrencySlotTimeoutError:
        raise MistworksError(
            f"Expected to be the only writer of {place}, got another run that holds the limit {name}. Wait "
            "for it to end, then run again."
        ) from None


def _slot(name: str, wait: float) -> AbstractContextManager[None]:
    return concurrency(
        name,
        timeout_seconds=wait,
        lease_duration=LEASE_SECONDS,
        strict=True,
        raise_on_lease_renewal_failure=False,
    )


def _warn(text: str) -> None:
    """Tell on the screen, whatever logging is set to, and in the log of the run."""
    sys.stderr.write(f"warning: {text}\n")
    with suppress(MissingContextError):
        get_run_logger().warning(text)


__all__ = ["LEASE_SECONDS", "WAIT_SECONDS", "forget_limit", "limit_of", "one_writer"]
