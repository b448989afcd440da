"""Checks every service that the environment names, in seconds, before work starts.

A check asks a service for what a run will ask of it, from here or from the Dask workers, and gives one line:
what holds, or what does not and what to do. Nothing secret is printed.
"""

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as OverdueError
from dataclasses import replace
from urllib.parse import urlsplit

from flows.doctor.check import Check
from flows.root import local_root
from mistworks.errors import MistworksError
from storage.errors import reason
from storage.registry.tracking import shown

__all__ = ["Check", "examine", "lines"]

# For all checks of one service.
SERVICE_SECONDS = 45.0
LEAST_FREE_BYTES = 2**30
_ADDRESSES = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "MISTWORKS_DASK_ADDRESS", "AWS_ENDPOINT_URL")
_SECRET = re.compile(r"SECRET|PASSWORD|AUTH_STRING|TOKEN|ACCESS_KEY|API_KEY")

_Checks = Callable[[], Iterable[Check]]


def examine() -> list[Check]:
    """Check every service that is named in the environment; with none named, the local root only."""
    pending = [(name, _begin(checks)) for name, checks in _services()]
    return [_without_secrets(check) for name, future in pending for check in _outcome(name, future)]


def lines(checks: Sequence[Check]) -> str:
    """One line per check."""
    width = max(len(check.name) for check in checks)
    return "\n".join(
        f"{'ok' if check.ok else 'FAIL':4}  {check.name:{width}}  {check.what}"
        f"{f'. {check.remedy}' if check.remedy else ''}"
        for check in checks
    )


def _services() -> Iterator[tuple[str, _Checks]]:
    """The services that are named, and how each is checked; each imports only what it needs."""
    environment = os.environ
    yield "local root", _local_root
    named = [name for name in _ADDRESSES if environment.get(name)]
    if not named:
        yield "services", _embedded
        return
    yield "addresses", _addresses
    if url := environment.get("PREFECT_API_URL"):
        yield "prefect api", lambda: _prefect(url)
    if (uri := environment.get("MLFLOW_TRACKING_URI", "")).startswith("http"):
        yield "mlflow", lambda: _mlflow(uri)
    if address := environment.get("MISTWORKS_DASK_ADDRESS"):
        yield "dask scheduler", lambda: _dask(address)
    yield "object store", _object_store


def _begin(checks: _Checks) -> "Future[list[Check]]":
    """Run checks in a thread that nobody waits for at the end: a service that hangs must not hang us."""
    future: Future[list[Check]] = Future()

    def run() -> None:
        try:
            future.set_result([*checks()])
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _outcome(name: str, future: "Future[list[Check]]") -> list[Check]:
    try:
        return future.result(SERVICE_SECONDS)
    except OverdueError:
        return [Check(name, False, f"no answer in {SERVICE_SECONDS:.0f} s", "See what it logs.")]
    except Exception as error:
        return [Check(name, False, f"{type(error).__name__}: {reason(error)}", "See what it logs.")]


def _without_secrets(check: Check) -> Check:
    text = shown(check.what)
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "…")
    return replace(check, what=text)


def _embedded() -> Iterator[Check]:
    yield Check("services", True, "none is named in the environment: every run starts its own here")


def _local_root() -> Iterator[Check]:
    try:
        root = local_root()
    except MistworksError as error:
        yield Check("local root", False, str(error))
        return
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        yield Check("local root", False, f"{existing} cannot be written", "Choose another MISTWORKS_ROOT.")
        return
    free = shutil.disk_usage(existing).free
    what = f"{root} can be written, {free / 1e9:.1f} GB free"
    yield Check.of("local root", free >= LEAST_FREE_BYTES, what, "Make room for 1 GB or more.")


def _addresses() -> Iterator[Check]:
    exposed = [name for name in _ADDRESSES if urlsplit(os.environ.get(name, "")).password]
    what = (
        f"{', '.join(exposed)} with a password, and addresses are logged" if exposed else "no password in one"
    )
    yield Check.of("addresses", not exposed, what, "Take it out: passwords have variables of their own.")


def _prefect(url: str) -> Iterable[Check]:
    from flows.doctor.orchestration import prefect_checks

    return prefect_checks(url)


def _mlflow(url: str) -> Iterable[Check]:
    from flows.doctor.tracking import mlflow_checks

    return mlflow_checks(url)


def _dask(address: str) -> Iterable[Check]:
    from flows.doctor.cluster import dask_checks

    return dask_checks(address)


def _object_store() -> Iterable[Check]:
    from flows.doctor.objects import object_store_checks

    return object_store_checks()
