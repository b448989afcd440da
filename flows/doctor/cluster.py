"""Checks of a Dask cluster: its workers, their code, and what they reach."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx
from distributed import Client

from flows.doctor.check import CONNECT_SECONDS, Check, clock, http_client, seconds_off
from flows.doctor.objects import list_one, remote_places
from mistworks.errors import MistworksError
from storage.errors import reason
from storage.fingerprint import fingerprint
from tasks.cluster import Limits, connected, quiet, require_alike, require_encryption, threads
from tasks.worker import Terms

_ANSWER_SECONDS = 15.0


def dask_checks(address: str) -> Iterator[Check]:
    """Ask the scheduler and every worker what a run will ask of them."""
    try:
        require_encryption(address)
        with quiet(), connected(address, CONNECT_SECONDS) as client:
            yield Check("dask scheduler", True, address)
            yield from _workers(client, address)
    except MistworksError as error:
        yield _refused("dask scheduler", error)


def _workers(client: Client, address: str) -> Iterator[Check]:
    count = len(threads(client))
    remedy = f"Run `dask worker {address}` from the same image or environment."
    yield Check.of("dask workers", count > 0, str(count) if count else "none", remedy)
    if count:
        code = _same_code(client)
        yield code
        if code.ok:
            yield from _seen_from_there(client)


def _same_code(client: Client) -> Check:
    here = fingerprint()
    limits = Limits(workers_timeout=_ANSWER_SECONDS)
    try:
        require_alike(client, no_step, [], limits, lambda _: None)
    except MistworksError as error:
        return _refused("code", error)
    return Check("code", True, f"{here.mistworks}, {here.code}: the same here, on scheduler and workers")


def no_step(_subject: Any, _items: Sequence[int], _terms: Terms) -> Iterator[int]:
    """A step of nothing: machines are asked whether they can import the module of the step to come."""
    yield from ()


def _refused(name: str, error: MistworksError) -> Check:
    """A check of an error, whose last sentence says what to do."""
    *seen, remedy = str(error).removesuffix(".").split(". ")
    return Check(name, False, ". ".join(seen), f"{remedy}.") if seen else Check(name, False, remedy)


def _seen_from_there(client: Client) -> Iterator[Check]:
    before = time.time()
    off = {where: seconds_off(there, before) for where, there in _ask(client, time.time).items()}
    slowest = max(off, key=lambda where: off[where])
    yield clock("clocks of workers", f"of {len(off)}, {slowest}", off[slowest])
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        if (url := os.environ.get(name, "")).startswith("http"):
            yield _all("workers reach", url, _ask(client, reach, url))
    for url in remote_places():
        yield _all("workers read", url, _ask(client, list_one, url))


def _ask(client: Client, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    answers: dict[str, Any] = client.sync(
        client._run, function, *arguments, on_error="return", callback_timeout=_ANSWER_SECONDS
    )
    return answers


def _all(name: str, url: str, answers: Mapping[str, Any]) -> Check:
    failed = {where: str(answer) for where, answer in answers.items() if answer}
    if not failed:
        return Check(name, True, url)
    where, answer = next(iter(failed.items()))
    what = f"{url}: {len(failed)} of {len(answers)} cannot, such as {where} ({answer})"
    return Check(name, False, what, "Correct host names, routes or the AWS_… variables there.")


def reach(url: str) -> str:
    """Why a service cannot be reached from this process, empty if it can."""
    try:
        with http_client() as client:
            client.get(url)
    except httpx.HTTPError as error:
        return reason(error)
    return ""


__all__ = ["dask_checks", "no_step", "reach"]
