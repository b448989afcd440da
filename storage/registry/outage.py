"""Outages and refusals of an MLflow server: one message, after waiting for what may pass.

The first contact of a process is one quick request. Once a server has answered, later outages are waited for:
`set_patience` spreads MLflow's own retries over ``MISTWORKS_TRACKING_PATIENCE`` seconds.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from itertools import product
from typing import TYPE_CHECKING, Any, cast

from mistworks.errors import MistworksError
from storage.places.settings import seconds

if TYPE_CHECKING:
    from mlflow import MlflowClient

PATIENCE_VARIABLE = "MISTWORKS_TRACKING_PATIENCE"

_PATIENCE_SECONDS = 300.0
_PROBE_SECONDS = 10
_REQUEST_SECONDS = 30
# The maximum number of retries of MLflow, and the longest pause of its HTTP library between two.
_MOST_RETRIES, _LONGEST_SLEEP = 10, 120.0
_NO_ANSWER = re.compile(
    r"Max retries exceeded|failed with timeout|ConnectionError|Connection refused|Connection aborted|"
    r"too many 5\d\d error|error code 50[234]"
)
# What PostgreSQL, SQLite and MySQL say if a row (a tag, or the data of a run) appeared between MLflow's check
# for it and its own insertion.
_WRITTEN_MEANWHILE = re.compile(r"duplicate key value|UNIQUE constraint failed|Duplicate entry")
_TRIES = 3
_SECONDS_BETWEEN_NOTICES = 60.0


class TrackingUnreachableError(MistworksError):
    """MLflow does not answer within the time that is set."""


class TrackingRefusedError(MistworksError):
    """MLflow refuses this client: credentials or host name are wrong, which does not pass."""


def shown(tracking_uri: str) -> str:
    """Return a tracking URI for messages, without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", tracking_uri)


@cache
def require_server(tracking_uri: str) -> None:
    """Send a small request to an MLflow server, unless it has answered this process before.

    Raises:
        TrackingUnreachableError: it does not answer.
        TrackingRefusedError: it refuses the credentials or the host name.
    """
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    with translated(tracking_uri):
        answer = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(tracking_uri),  # type: ignore[no-untyped-call]
            # Not /health, which needs no credentials.
            "/api/2.0/mlflow/experiments/search?max_results=1",
            "GET",
            max_retries=0,
            timeout=_PROBE_SECONDS,
        )
    if answer.status_code in (401, 403):
        raise _refused(tracking_uri, answer.status_code, answer.text)
    if answer.status_code != 200:
        raise TrackingUnreachableError(
            f"Expected an MLflow server at {shown(tracking_uri)}, got HTTP {answer.status_code}. Correct the "
            "tracking URI."
        )


def set_patience() -> None:
    """Repeat MLflow's requests for the time that is set, unless the user has set the number of retries.

    Raises:
        MistworksError: the time is not a number of seconds.
    """
    factor, retries = _spread(seconds(PATIENCE_VARIABLE, _PATIENCE_SECONDS))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", str(factor))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_REQUEST_SECONDS))
    logger = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(each, _WaitNotice) for each in logger.filters):
        logger.addFilter(_WaitNotice())


def _spread(wanted: float) -> tuple[int, int]:
    """Return the integer factor and the number of retries whose total pause is closest to a given time."""
    return min(
        product((1, 2, 3, 4, 5), range(_MOST_RETRIES + 1)), key=lambda pair: abs(_slept(*pair) - wanted)
    )


def _slept(factor: int, retries: int) -> float:
    # The first retry is immediate; then factor · 2, factor · 4, …
    return sum(min(factor * 2.0**k, _LONGEST_SLEEP) for k in range(1, retries))


class _WaitNotice(logging.Filter):
    """Log once per outage, rather than at each retry, that MLflow does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self._noticed = -_SECONDS_BETWEEN_NOTICES

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "Retrying" not in text or "/mlflow" not in text:
            return True
        now = time.monotonic()
        if now - self._noticed >= _SECONDS_BETWEEN_NOTICES:
            sys.stderr.write("MLflow does not answer; waiting for it\n")
            record.msg, record.args = "MLflow does not answer; waiting for it", ()
            self._noticed = now
            return True
        self._noticed = now
        return False


@contextmanager
def translated(tracking_uri: str) -> Iterator[None]:
    """Turn errors of MLflow's client about its server into one message of ours. Other errors pass through.

    Raises:
        TrackingUnreachableError: the server does not answer.
        TrackingRefusedError: it refuses the credentials or the host name.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        text = str(error)
        status = re.search(r"error code (40[13])", text)
        if status or error.error_code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
            raise _refused(tracking_uri, int(status[1]) if status else 403, text) from None
        if _NO_ANSWER.search(text):
            raise TrackingUnreachableError(
                f"Expected MLflow at {shown(tracking_uri)} to answer, got {_reason(text)}. Start it, or "
                "correct the tracking URI, and run again."
            ) from None
        raise


def translating(client: "MlflowClient", tracking_uri: str) -> "MlflowClient":
    """A client whose methods raise what `translated` raises."""
    return cast("MlflowClient", _Translating(client, tracking_uri))


class _Translating:
    def __init__(self, client: "MlflowClient", tracking_uri: str) -> None:
        self._client = client
        self._tracking_uri = tracking_uri

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        return _wrapped(value, self._tracking_uri) if callable(value) else value


def _wrapped(method: Callable[..., Any], tracking_uri: str) -> Callable[..., Any]:
    from mlflow.exceptions import MlflowException

    @wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        with translated(tracking_uri):
            for _ in range(_TRIES - 1):
                try:
                    return method(*arguments, **options)
                except MlflowException as error:
                    # Nothing was written. MLflow now finds the row of the other machine and replaces it.
                    if not _WRITTEN_MEANWHILE.search(str(error)):
                        raise
            return method(*arguments, **options)

    return call


def _refused(tracking_uri: str, status: int, text: str) -> TrackingRefusedError:
    if "Invalid Host header" in text:
        remedy = (
            "the server does not allow this host name. Start it with --allowed-hosts (or "
            "MLFLOW_SERVER_ALLOWED_HOSTS) and this host and port"
        )
    elif status == 401:
        remedy = (
            "it asks for credentials. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN"
        )
    else:
        remedy = "permission is denied. Ask for permission to write experiments and registered models"
    return TrackingRefusedError(
        f"Expected MLflow at {shown(tracking_uri)} to accept this client, got HTTP {status}: {remedy}."
    )


def _reason(text: str) -> str:
    for sign, reason in (
        ("refused", "connection refused"),
        ("NameResolution", "no such host"),
        ("timed out", "no answer in time"),
        ("timeout", "no answer in time"),
        ("Connection aborted", "a connection that broke"),
    ):
        if sign in text:
            return reason
    status = re.search(r"(?:too many|error code) (5\d\d)", text)
    return f"HTTP {status[1]}" if status else "no answer"


__all__ = [
    "PATIENCE_VARIABLE",
    "TrackingRefusedError",
    "TrackingUnreachableError",
    "require_server",
    "set_patience",
    "shown",
    "translated",
    "translating",
]
