"""Connect to a Dask cluster, wait for workers, and check every machine before it gets work."""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import distributed
from pydantic import NonNegativeFloat

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from storage.fingerprint import Fingerprint, fingerprint
from storage.places.location import Location
from storage.places.settings import seconds
from tasks.worker import Description, Step

CONNECT_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_SECRETS = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")

Warn = Callable[[str], None]


class Limits(FrozenConfig):
    """How long a run waits for failures that may pass.

    Attributes:
        workers_timeout: seconds without any worker.
        patience: seconds without the scheduler, or without a place where data is read or written.
        share_seconds: time after which a worker begins no further item of its share.
    """

    workers_timeout: NonNegativeFloat = 60.0
    patience: NonNegativeFloat = 300.0
    share_seconds: NonNegativeFloat = 10.0

    @classmethod
    def from_environment(cls) -> Self:
        """Read ``MISTWORKS_WORKERS_TIMEOUT`` and ``MISTWORKS_DASK_PATIENCE``, in seconds.

        Raises:
            MistworksError: one is not a number ≥ 0.
        """
        return cls(
            workers_timeout=seconds("MISTWORKS_WORKERS_TIMEOUT", 60.0),
            patience=seconds("MISTWORKS_DASK_PATIENCE", 300.0),
        )


def require_encryption(address: str) -> None:
    """Refuse a scheduler without TLS if Prefect's API needs a secret.

    Raises:
        MistworksError: a secret is set, but the address does not use TLS.
    """
    used = [name for name in _SECRETS if os.environ.get(name)]
    if used and not address.startswith("tls://"):
        raise MistworksError(
            f"Expected a Dask scheduler at a tls:// address where {used[0]} is set, got {address}. Start "
            "scheduler and workers with TLS, or unset it."
        )


@contextmanager
def connected(address: str, within: float = CONNECT_SECONDS) -> Iterator[distributed.Client]:
    """Connect to a scheduler. Leaving the block cancels everything submitted through the connection.

    Args:
        address: address of the scheduler.
        within: seconds in which it must answer.

    Raises:
        MistworksError: it does not answer.
    """
    client = _connect(address, within)
    try:
        yield client
    finally:
        # A scheduler that is gone cannot be notified.
        with suppress(Exception):
            client.close(timeout=CONNECT_SECONDS)


def _connect(address: str, within: float) -> distributed.Client:
    deadline = time.monotonic() + within
    while True:
        left = deadline - time.monotonic()
        try:
            return distributed.Client(
                address, timeout=max(min(left, CONNECT_SECONDS), 1.0), set_as_default=False
            )
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            # Not OSError: the address is invalid, or uses TLS without a certificate, or the reverse.
            if isinstance(error, OSError) and left > CONNECT_SECONDS:
                time.sleep(_RETRY_SECONDS)
                continue
            raise MistworksError(
                f"Expected the Dask scheduler {address} to answer, got: {_line(error)}. Start it, or unset "
                "MISTWORKS_DASK_ADDRESS (--dask-address) to have a local cluster."
            ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask's log off the screen. What users should know is reported in one line."""
    names = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    former = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, former, strict=True):
            logger.setLevel(level)


def threads(client: distributed.Client) -> dict[str, int]:
    """Return the number of threads of each worker, by its address."""
    scheduler: Any = client.scheduler
    number: dict[str, int] = client.sync(scheduler.ncores, callback_timeout=CONNECT_SECONDS)
    return number


def address_of(client: distributed.Client) -> str:
    """Return the address of a client's scheduler."""
    scheduler: Any = client.scheduler
    return str(scheduler.address)


def await_workers(client: distributed.Client, limits: Limits, warn: Warn) -> None:
    """Wait until there is a worker.

    Raises:
        MistworksError: there is none within the time that is set.
    """
    address, deadline = address_of(client), time.monotonic() + limits.workers_timeout
    warned = False
    while not threads(client):
        if time.monotonic() >= deadline:
            raise no_workers(address, limits)
        if not warned and deadline - time.monotonic() < limits.workers_timeout - 2:
            warn(f"The Dask scheduler at {address} has no workers; waiting {limits.workers_timeout:g} s.")
            warned = True
        time.sleep(0.1)


def no_workers(address: str, limits: Limits) -> MistworksError:
    """The message when there has been no worker for too long."""
    return MistworksError(
        f"Expected Dask workers at {address}, got none in {limits.workers_timeout:g} s. Start some with "
        f"`dask worker {address}`, then run again."
    )


def require_alike(
    client: distributed.Client, step: Step, places: Sequence[Location], limits: Limits, warn: Warn
) -> None:
    """Check the scheduler and every worker: their versions, and whether they see the local places.

    Args:
        client: client of the scheduler.
        step: the step that workers will run; they import its module.
        places: places that the workers read or write.
        limits: how long to wait for workers and for their answers.
        warn: called with a message when there is something to wait for.

    Raises:
        MistworksError: there are no workers, or a machine lacks something, differs from this one, or does not
            see a place. The message names the machine.
    """
    await_workers(client, limits, warn)
    scheduler = address_of(client)
    with _probed(places) as probes:
        files = {file: text for file, (_, text) in probes.items()}
        # The scheduler unpickles what it passes on, but reads and writes no data.
        alone, each = _question(step.__module__, {}), _question(step.__module__, files)
        within = limits.workers_timeout
        try:
            answers = {
                f"Dask scheduler {scheduler}": client.sync(
                    client._run_on_scheduler, alone, callback_timeout=within
                )
            }
            of_workers = client.sync(client._run, each, on_error="return", callback_timeout=within)
        except TimeoutError:
            raise MistworksError(
                f"Expected the Dask cluster at {scheduler} to answer, got nothing in "
                f"{within:g} s. Restart the workers that hang."
            ) from None
    answers |= {f"Dask worker {worker}": answer for worker, answer in of_workers.items()}
    complaints = [text for who, answer in answers.items() if (text := _complaint(who, answer, probes))]
    if complaints:
        more = f" ({len(complaints) - 1} more machines are refused.)" if len(complaints) > 1 else ""
        raise MistworksError(f"{complaints[0]}{more}")


def differs(who: str, host: str, differences: Sequence[str]) -> str:
    """The message about a machine that computes otherwise."""
    return (
        f"Expected the {who} on {host} to run what this machine runs, got another version: "
        f"{'; '.join(differences)}. Install the same packages there and restart it."
    )


Answer = tuple[str, Description | str]
"""Return the machine's name, and its description of itself or the reason why it has none."""


def _question(module: str, probes: Mapping[str, str]) -> Callable[[], Answer]:
    # A nested function is pickled by value, so that a machine without Mistworks can answer too. Nothing of
    # this package may occur in it or in its annotations.
    def ask() -> tuple[str, Any]:
        import socket

        try:
            from tasks.worker import describe

            return socket.gethostname(), describe(module, probes)
        except Exception as error:
            return socket.gethostname(), f"{type(error).__name__}: {error}"

    return ask


def _complaint(
    who: str, answer: Answer | Exception, probes: Mapping[str, tuple[Location, str]]
) -> str | None:
    if isinstance(answer, Exception):
        return f"Expected the {who} to describe itself, got {_line(answer)}. Restart or remove it."
    host, description = answer
    if isinstance(description, str):
        return (
            f"Expected the {who} on {host} to import mistworks and what it needs, got {description}. Install "
            "the same packages there and restart it."
        )
    if differences := fingerprint().differences(Fingerprint.of_versions(description["versions"])):
        return differs(who, host, differences)
    if description["unseen"]:
        place, _ = probes[description["unseen"][0]]
        return (
            f"Expected the {who} on {host} to see {place}, got a machine with other files there. Give a URL "
            "such as s3://bucket/name, or share the folder."
        )
    return None


@contextmanager
def _probed(places: Sequence[Location]) -> Iterator[dict[str, tuple[Location, str]]]:
    """Create files that show whether a machine sees local places: by path, the place and the content."""
    probes: dict[str, tuple[Location, str]] = {}
    try:
        for place in places:
            if place.path is not None:
                # Stores ignore files with this suffix.
                name, text = f".mistworks-{secrets.token_hex(8)}.partial", secrets.token_hex(16)
                probe = _nearest_folder(place.path) / name
                # If nothing may be written, the step itself says so.
                with suppress(OSError):
                    probe.write_text(text)
                    probes[str(probe)] = (place, text)
        yield probes
    finally:
        for file in probes:
            Path(file).unlink(missing_ok=True)


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


__all__ = [
    "CONNECT_SECONDS",
    "Answer",
    "Limits",
    "Warn",
    "address_of",
    "await_workers",
    "connected",
    "differs",
    "no_workers",
    "quiet",
    "require_alike",
    "require_encryption",
    "threads",
]
