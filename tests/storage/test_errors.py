"""What object stores answer, told in one line and sorted by what can be done about it."""

import errno
import socket

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from mistworks.errors import MistworksError
from storage.errors import (
    StoreRefusedError,
    StoreUnreachableError,
    access_error,
    cause_of,
    from_object_store,
    reason,
)


def answered(status: str, code: str, message: str = "As it is.") -> str:
    return (
        "Generic S3 error: Error performing PUT http://127.0.0.1:9/b/x in 1.2s, after 10 retries, "
        f"max_retries: 10  - Server returned non-2xx status code: {status}: <?xml version='1.0'?>\n"
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>\n\nDebug source:\nGeneric {{}}"
    )


REFUSED = (
    "Generic S3 error: Error performing GET http://127.0.0.1:9/b/x in 2.13s, after 8 retries, "
    "max_retries: 10  - HTTP error: error sending request\n\nDebug source:\nOs {\n code: 111,\n"
    ' message: "Connection refused",\n}'
)
METADATA = (
    "Generic S3 error: Error performing PUT http://169.254.169.254/latest in 9s - HTTP error: x\n\nDebug"
)


@pytest.mark.parametrize(
    ("text", "cause", "told"),
    [
        (
            answered("503 Service Unavailable", "SlowDown"),
            "transient",
            "503 Service Unavailable, SlowDown: As",
        ),
        (
            answered("500 Internal Server Error", "InternalError"),
            "transient",
            "500 Internal Server Error, Int",
        ),
        (
            answered("429 Too Many Requests", "SlowDown"),
            "transient",
            "429 Too Many Requests, SlowDown: As it is",
        ),
        (answered("403 Forbidden", "AccessDenied"), "credentials", "403 Forbidden, AccessDenied: As it is"),
        (answered("403 Forbidden", "Odd"), "credentials", "403 Forbidden, Odd: As it is"),
        (answered("403 Forbidden", "RequestTimeTooSkewed"), "clock", "403 Forbidden, RequestTimeTooSkewed"),
        (answered("404 Not Found", "NoSuchBucket"), "no bucket", "404 Not Found, NoSuchBucket"),
        (answered("507 Insufficient Storage", "Odd"), "full", "507 Insufficient Storage, Odd"),
        (answered("400 Bad Request", "AuthorizationHeaderMalformed"), "refused", "400 Bad Request, Auth"),
        (
            REFUSED,
            "transient",
            "Error performing GET http://127.0.0.1:9/b/x: HTTP error: error sending request: Conn",
        ),
        (METADATA, "credentials", "no credentials in the environment"),
    ],
)
def test_causes_are_told_apart_however_deep_they_are_wrapped(text: str, cause: str, told: str) -> None:
    error = RuntimeError("the codec failed")
    error.__cause__ = GenericError(text)
    for raised in (error, error.__cause__):
        assert from_object_store(raised)
        assert cause_of(raised) == cause
    assert told in reason(error.__cause__)
    assert "\n" not in reason(error)
    assert "xml" not in reason(error)
    kind = StoreUnreachableError if cause == "transient" else StoreRefusedError
    assert type(access_error("read it", error, "")) is kind


def test_a_refusal_without_a_text_is_one_of_credentials() -> None:
    assert cause_of(PermissionDeniedError("no")) == "credentials"


def test_the_machine_and_what_to_do_are_told() -> None:
    told = str(access_error("read s3://b/x", GenericError(answered("403 Forbidden", "AccessDenied")), ""))
    assert told == (
        f"Expected to read s3://b/x from {socket.gethostname()}, got: 403 Forbidden, AccessDenied: As it is. "
        "Check the credentials in the environment and their permissions."
    )


def test_errors_of_this_machine_are_its_own() -> None:
    error = access_error("read /x", OSError(errno.EACCES, "Permission denied"), "Correct the path.")
    assert type(error) is MistworksError
    assert str(error) == "Expected to read /x, got: Permission denied. Correct the path."
