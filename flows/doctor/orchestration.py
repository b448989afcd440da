"""Checks of Prefect: its API, the work pool and who works for it, deployments and limits."""

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from flows.doctor.check import Check, http_client, same_version
from storage.errors import reason

_Ask = Callable[..., httpx.Response]
STORE_LIMIT = "store-"
_DEPLOY = "Run `mistworks deploy`."


def prefect_checks(url: str) -> Iterator[Check]:
    """Ask a Prefect API what a run will ask of it."""
    with http_client(base_url=url, headers=_authorization()) as client:
        try:
            answer = client.get("/admin/version")
        except httpx.HTTPError as error:
            what = f"{url} does not answer ({reason(error)})"
            yield Check("prefect api", False, what, "Start it, or correct PREFECT_API_URL.")
            return
        refused = _refused(url, answer) or _unready(url, client.get("/ready"))
        yield refused or same_version("prefect api", url, "prefect", str(answer.json()))
        if refused is None:
            deployments = _found(client.post("/deployments/filter", json={}))
            yield _workers(client.post, deployments)
            yield _deployments(deployments)
            yield _limits(client.post)


def _authorization() -> dict[str, str]:
    secret = os.environ.get("PREFECT_API_AUTH_STRING")
    return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"} if secret else {}


def _refused(url: str, answer: httpx.Response) -> Check | None:
    if answer.status_code in (401, 403):
        remedy = "Set PREFECT_API_AUTH_STRING to what the server has in PREFECT_SERVER_API_AUTH_STRING."
        return Check("prefect api", False, f"{url} refuses us ({answer.status_code})", remedy)
    if answer.status_code != 200:
        what = f"{url} answers {answer.status_code}"
        return Check("prefect api", False, what, "Correct PREFECT_API_URL, or see what the server logs.")
    return None


def _unready(url: str, answer: httpx.Response) -> Check | None:
    if answer.status_code == 200:
        return None
    what = f"{url} answers, but not its database ({answer.status_code})"
    return Check("prefect api", False, what, "Start the database, or see what the server logs.")


def _found(answer: httpx.Response) -> list[dict[str, Any]]:
    answer.raise_for_status()
    objects: list[dict[str, Any]] = answer.json()
    return objects


def _workers(ask: _Ask, deployments: Sequence[Mapping[str, Any]]) -> Check:
    pools = [pool["name"] for pool in _found(ask("/work_pools/filter", json={}))]
    if deployments and not any(each["work_pool_name"] for each in deployments):
        return Check("prefect workers", True, "none needed: `mistworks serve` runs the deployments")
    online = {
        pool: sum(
            worker["status"] == "ONLINE"
            for worker in _found(ask(f"/work_pools/{pool}/workers/filter", json={}))
        )
        for pool in pools
    }
    if not pools:
        return Check("prefect workers", False, "there is no work pool", _DEPLOY)
    return Check.of(
        "prefect workers",
        any(online.values()),
        ", ".join(f"{count} online in the pool {pool}" for pool, count in online.items()),
        f"Run `prefect worker start --pool {pools[0]}`.",
    )


def _deployments(deployments: Sequence[Mapping[str, Any]]) -> Check:
    names = sorted(str(each["name"]) for each in deployments)
    return Check.of("deployments", bool(names), ", ".join(names) or "none", _DEPLOY)


def _limits(ask: _Ask) -> Check:
    """The stores that are being written to; each has a limit of one writer from its first run on."""
    limits = _found(ask("/v2/concurrency_limits/filter", json={}))
    stores = [limit for limit in limits if str(limit["name"]).startswith(STORE_LIMIT)]
    held = sorted(str(limit["name"]) for limit in stores if limit["active_slots"])
    written = f"written now: {', '.join(held)}" if held else "none is being written"
    what = f"{len(stores)} stores, {written}"
    return Check("writers", True, what)


__all__ = ["STORE_LIMIT", "prefect_checks"]
