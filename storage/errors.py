"""Errors of places where data is kept: one-line messages, and whether they may pass."""

import re
import socket
from collections.abc import Iterator
from typing import Literal

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from mistworks.errors import MistworksError

# What reading and writing raise when a place, or the connection to it, is at fault.
ACCESS_ERRORS = (OSError, BaseError)

Cause = Literal["transient", "credentials", "clock", "no bucket", "full", "refused"]

_CODES: dict[str, Cause] = {
    "RequestTimeTooSkewed": "clock",
    "NoSuchBucket": "no bucket",
    **dict.fromkeys(("QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "EntityTooLarge"), "full"),
    **dict.fromkeys(("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"), "credentials"),
    **dict.fromkeys(("ExpiredToken", "InvalidToken"), "credentials"),
    # Of a key that was just listed: another process replaced it.
    "NoSuchKey": "transient",
    **dict.fromkeys(("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout"), "transient"),
}
_STATUSES: dict[int, Cause] = {
    **dict.fromkeys((401, 403), "credentials"),
    **dict.fromkeys((413, 507), "full"),
    **dict.fromkeys((408, 429, *range(500, 507), *range(508, 600)), "transient"),
}
_ADVICE: dict[Cause, str] = {
    "transient": "Try again later.",
    "credentials": "Check the credentials in the environment and their permissions.",
    "clock": "Set the clock of this machine.",
    "no bucket": "Create the bucket, or check its name.",
    "full": "Free space or raise the quota there, then run again to resume.",
    "refused": "Check the address, the region and the settings of the object store.",
}
# Amazon's machines get credentials here; it is the last place that is asked.
_METADATA_SERVER = "169.254.169.254"


class StoreUnreachableError(MistworksError):
    """An object store does not answer properly, which may pass."""


class StoreRefusedError(MistworksError):
    """An object store refuses a request and will do so again: credentials, bucket, clock or quota."""


def access_error(what: str, error: BaseException, advice: str) -> MistworksError:
    """Return the error to raise when a place cannot be used.

    Args:
        what: what was tried, such as ``"read the store s3://bucket/train.zarr"``.
        error: the exception of a library.
        advice: one sentence on what to do if the place is on this machine. For object stores it is known
            here.

    Returns:
        `StoreUnreachableError` or `StoreRefusedError` for an object store, or a `MistworksError`.
    """
    problem, remedy = access_fault(what, error, advice)
    text = f"{problem}. {remedy}".rstrip()
    if not from_object_store(error):
        return MistworksError(text)
    return (StoreUnreachableError if cause_of(error) == "transient" else StoreRefusedError)(text)


def access_fault(what: str, error: BaseException, advice: str) -> tuple[str, str]:
    """Return what went wrong, without a full stop, and what to do; see `access_error`."""
    if not from_object_store(error):
        return f"Expected to {what}, got: {reason(error)}", advice
    problem = f"Expected to {what} from {socket.gethostname()}, got: {reason(error)}"
    return problem, _ADVICE[cause_of(error)]


def from_object_store(error: BaseException) -> bool:
    """Whether an object store, or the connection to it, caused an error, however deeply wrapped."""
    return any(isinstance(cause, BaseError) or _status(str(cause)) for cause in chain(error))


def cause_of(error: BaseException) -> Cause:
    """Classify why an object store refused or failed."""
    causes = list(chain(error))
    text = "\n".join(map(str, causes))
    if _METADATA_SERVER in text or any(
        isinstance(cause, PermissionDeniedError | UnauthenticatedError) for cause in causes
    ):
        return _CODES.get(_code(text), "credentials")
    status = _status(text)
    # Without a status there was no answer, or a broken one.
    return _CODES.get(_code(text)) or _STATUSES.get(status, "refused" if status else "transient")


def reason(error: BaseException) -> str:
    """Say what went wrong in one line: libraries append debugging output, and servers answer in XML."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = next((str(cause) for cause in chain(error) if _status(str(cause))), str(error))
    if _METADATA_SERVER in text:
        return "no credentials in the environment"
    if status := re.search(r"status code: (\d{3} [\w ]+)", text):
        answer = _between("Message", text) or "no message"
        return ", ".join(filter(None, [status[1], _code(text)])) + f": {answer.rstrip('.')}"
    first = text.splitlines()[0] if text else type(error).__name__
    # Times and counts of retries do not help the reader; the message of the system does.
    first = re.sub(r" in [\d.]+[mµn]?s.*? - ", ": ", first)
    said = re.search(r'(?:message|error): "([^"]+)"', text)
    return (f"{first}: {said[1]}" if said else first).rstrip(".")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, the root cause last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(text: str) -> int:
    """The status of a server's answer, 0 if there was none."""
    status = re.search(r"status code: (\d{3})", text)
    return int(status[1]) if status else 0


def _code(text: str) -> str:
    return _between("Code", text)


def _between(tag: str, text: str) -> str:
    element = re.search(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
    return " ".join(element[1].split()) if element else ""


__all__ = [
    "ACCESS_ERRORS",
    "Cause",
    "StoreRefusedError",
    "StoreUnreachableError",
    "access_error",
    "access_fault",
    "cause_of",
    "chain",
    "from_object_store",
    "reason",
]
