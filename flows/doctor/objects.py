"""Checks of an object store: what a run writes, under conditions too, and its clock."""

import email.utils
import os
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from obstore.exceptions import AlreadyExistsError
from obstore.store import from_url

from flows.doctor.check import CONNECT_SECONDS, Check, clock, http_client, seconds_off
from storage.errors import ACCESS_ERRORS, access_fault, reason
from storage.places.location import Location

_VARIABLES = ("MISTWORKS_STORES", "MISTWORKS_CHECKPOINTS", "MISTWORKS_RESULTS")
_CONTENT = b"mistworks"


def remote_places() -> list[str]:
    """URLs of object stores among the places for data in the environment, one per bucket."""
    urls = [url for name in _VARIABLES if (url := os.environ.get(name))]
    remote = [url for url in urls if Location.parse(url).path is None]
    return list({urlsplit(url)[:2]: url for url in reversed(remote)}.values())


def object_store_checks() -> Iterator[Check]:
    """Write, read and delete a small object in every bucket."""
    for url in remote_places():
        yield _round_trip(url)
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        yield _clock_of(endpoint)


def list_one(url: str) -> str:
    """Why objects cannot be listed from this process, empty if they can."""
    try:
        next(iter(_bucket(url).list(chunk_size=1)), None)
    except (*ACCESS_ERRORS, ValueError) as error:
        return reason(error)
    return ""


def _bucket(url: str) -> Any:
    retries: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=CONNECT_SECONDS)}
    # Options given here replace those of the environment.
    options: Any = {
        "timeout": f"{CONNECT_SECONDS:.0f}s",
        "allow_http": os.environ.get("AWS_ALLOW_HTTP", "false"),
    }
    return from_url(url, client_options=options, retry_config=retries)


def _round_trip(url: str) -> Check:
    name, step = f"doctor-{uuid.uuid4().hex}", "write"
    try:
        bucket = _bucket(url)
        bucket.put(name, _CONTENT)
        step = "read"
        same = bytes(bucket.get(name).bytes()) == _CONTENT
        step = "write under a condition"
        honoured = _refuses_to_overwrite(bucket, name)
        step = "delete"
        bucket.delete(name)
    except (*ACCESS_ERRORS, ValueError) as error:
        return Check("object store", False, *access_fault(f"{step} {url}", error, "Correct the URL."))
    if not same:
        return Check("object store", False, f"{url} gives back other bytes", "Use another object store.")
    if not honoured:
        what = f"{url} overwrites an object although asked not to"
        return Check("object store", False, what, "Use an object store that honours If-None-Match.")
    return Check("object store", True, f"{url}: write, read, conditional write, delete")


def _refuses_to_overwrite(bucket: Any, name: str) -> bool:
    try:
        bucket.put(name, b"other", mode="create")
    except AlreadyExistsError:
        return True
    return False


def _clock_of(endpoint: str) -> Check:
    before = time.time()
    try:
        with http_client() as client:
            date = client.head(endpoint).headers["Date"]
    except (httpx.HTTPError, KeyError) as error:
        return Check("clock of the store", False, f"{endpoint} does not tell ({reason(error)})", "Start it.")
    # In whole seconds.
    there = email.utils.parsedate_to_datetime(date).timestamp()
    return clock("clock of the store", endpoint, seconds_off(there, before - 1))


__all__ = ["list_one", "object_store_checks", "remote_places"]
