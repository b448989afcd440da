"""What went wrong at a place where data is kept: told in one line, and whether it may pass."""

import re
import socket
from collections.abc import Iterator
from typing import Literal

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from mistworks.errors import MistworksError

# What reading and writing raise where a place, or the way to it, is at fault.
ACCESS_ERRORS = (OSError, BaseError)

Cause = Literal["transient", "credentials", "clock", "no bucket", "full", "refused"]

_CODES: dict[str, Cause] = {
    "RequestTimeTooSkewed": "clock",
    "NoSuchBucket": "no bucket",
    **dict.fromkeys(("QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "EntityTooLarge"), "full"),
    **dict.fromkeys(("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"), "credentials"),
    **dict.fromkeys(("ExpiredToken", "InvalidToken"), "credentials"),
    # Of what was just listed: another process replaced it.
    "NoSuchKey": "transient",
    **dict.fromkeys(("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout"), "transient"),
}
_STATUSES: dict[int, Cause] = {
    **dict.fromkeys((401, 403), "credentials"),
    **dict.fromkeys((413, 507), "full"),
    **dict.fromkeys((408, 429, *range(500, 507), *range(508, 600)), "transient"),
}
_ADVICE: dict[Cause, str] = {
    "transient": "try again later",
    "credentials": "check the credentials in the environment and what they allow",
    "clock": "set the clock of this machine",
    "no bucket": "make the bucket, or check its name",
    "full": "free space or raise the quota there, then run again to resume",
    "refused": "check the address, the region and the settings of the object store",
}
# Where Amazon's machines get credentials from, and which is asked last.
_METADATA_SERVER = "169.254.169.254"


class StoreUnreachableError(MistworksError):
    """An object store does not answer as it should, which may pass."""


class StoreRefusedError(MistworksError):
    """An object store refuses what is asked, and will the next time: credentials, bucket, clock or quota."""


def access_error(what: str, error: BaseException, advice: str) -> MistworksError:
    """The error to raise where a place cannot be used.

    Args:
        what: such as ``"the store s3://bucket/train.zarr cannot be read"``.
        error: what a library raised.
        advice: what to do if the place is on this machine; what to do about object stores is known.

    Returns:
        `StoreUnreachableError` or `StoreRefusedError` for an object store, or a `MistworksError`.
    """
    if not from_object_store(error):
        return MistworksError(f"{what} ({reason(error)}); {advice}")
    cause = cause_of(error)
    kind = StoreUnreachableError if cause == "transient" else StoreRefusedError
    return kind(f"{what} from {socket.gethostname()} ({reason(error)}); {_ADVICE[cause]}")


def from_object_store(error: BaseException) -> bool:
    """Whether an object store, or the way to it, caused an error, however deep that is wrapped."""
    return any(isinstance(cause, BaseError) or _status(str(cause)) for cause in chain(error))


def cause_of(error: BaseException) -> Cause:
    """Why an object store did not do what was asked."""
    causes = list(chain(error))
    text = "\n".join(map(str, causes))
    if _METADATA_SERVER in text or any(
        isinstance(cause, PermissionDeniedError | UnauthenticatedError) for cause in causes
    ):
        return _CODES.get(_code(text), "credentials")
    status = _status(text)
    # Without a status there was no answer, or half of one.
    return _CODES.get(_code(text)) or _STATUSES.get(status, "refused" if status else "transient")


def reason(error: BaseException) -> str:
    """What went wrong, in one line: libraries append debugging output, and servers answer in XML."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = next((str(cause) for cause in chain(error) if _status(str(cause))), str(error))
    if _METADATA_SERVER in text:
        return "there are no credentials in the environment"
    if status := re.search(r"status code: (\d{3} [\w ]+)", text):
        answer = _between("Message", text) or "no message"
        return ", ".join(filter(None, [status[1], _code(text)])) + f": {answer}"
    first = text.splitlines()[0] if text else type(error).__name__
    # Times and counts of retries say nothing to whoever reads it; what the system said, says most.
    first = re.sub(r" in [\d.]+[mµn]?s.*? - ", ": ", first)
    said = re.search(r'(?:message|error): "([^"]+)"', text)
    return f"{first}: {said[1]}" if said else first


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, the cause last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(text: str) -> int:
    """The status of a server's answer, 0 where there was none."""
    found = re.search(r"status code: (\d{3})", text)
    return int(found[1]) if found else 0


def _code(text: str) -> str:
    return _between("Code", text)


def _between(tag: str, text: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
    return " ".join(found[1].split()) if found else ""
