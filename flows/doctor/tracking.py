"""Checks of an MLflow server: host names, artifacts through its proxy, the champion."""

import os
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from flows.doctor.check import Check, http_client, same_version
from storage.errors import reason
from storage.registry.lineage import CHAMPION, MODEL
from storage.registry.tracking import EXPERIMENT

_API = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/doctor"


def mlflow_checks(url: str) -> Iterator[Check]:
    """Ask an MLflow server what a run will ask of it."""
    with http_client(base_url=url, auth=_credentials()) as client:
        try:
            # Anybody may ask for the version; host names and passwords count from here on.
            there = client.get("/version").text
            answer = client.get(f"{_API}/experiments/get-by-name", params={"experiment_name": EXPERIMENT})
        except httpx.HTTPError as error:
            what = f"{url} does not answer ({reason(error)})"
            yield Check("mlflow", False, what, "Start it, or correct MLFLOW_TRACKING_URI.")
            return
        refused = _refused(url, answer)
        yield refused or same_version("mlflow", url, "mlflow", there)
        if refused is None:
            yield _experiment(answer)
            yield _artifacts(client)
            yield _champion(client)


def _credentials() -> httpx.BasicAuth | None:
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
    return httpx.BasicAuth(user, password) if user and password else None


def _refused(url: str, answer: httpx.Response) -> Check | None:
    if answer.status_code == 403 and "Host header" in answer.text:
        remedy = f"Add {urlsplit(url).netloc} to --allowed-hosts of the server."
        return Check("mlflow", False, f"{url} refuses this host name", remedy)
    if answer.status_code in (401, 403):
        remedy = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
        return Check("mlflow", False, f"{url} refuses us ({answer.status_code})", remedy)
    if answer.status_code not in (200, 404):
        what = f"{url} answers {answer.status_code}"
        return Check("mlflow", False, what, "Correct MLFLOW_TRACKING_URI, or see what the server logs.")
    return None


def _experiment(answer: httpx.Response) -> Check:
    if answer.status_code == 404:
        return Check("experiment", True, f"{EXPERIMENT} does not exist yet: the first run makes it")
    root = str(answer.json()["experiment"]["artifact_location"])
    if root.startswith("mlflow-artifacts:"):
        return Check("experiment", True, f"{EXPERIMENT} keeps artifacts through the server")
    what = f"{EXPERIMENT} keeps artifacts at {root}, for which every client needs credentials"
    remedy = "It was made before the server passed them on: rename it, and the next run makes another."
    return Check("experiment", False, what, remedy)


def _artifacts(client: httpx.Client) -> Check:
    path, content = f"{_ARTIFACTS}/{uuid.uuid4().hex}", b"mistworks"
    written, read = client.put(path, content=content), client.get(path)
    client.delete(path)
    if written.status_code == 200 and read.content == content:
        return Check("artifacts", True, "written and read through the server")
    status = written.status_code if written.status_code != 200 else read.status_code
    remedy = "It needs --artifacts-destination and the credentials of that bucket; see what it logs."
    return Check("artifacts", False, f"the server answers {status}", remedy)


def _champion(client: httpx.Client) -> Check:
    alias = {"name": MODEL, "alias": CHAMPION}
    answer = client.get(f"{_API}/registered-models/alias", params=alias)
    if answer.status_code == 200:
        return Check("champion", True, f"{MODEL}/{answer.json()['model_version']['version']}")
    if answer.status_code in (400, 404):
        return Check("champion", True, f"{MODEL} has none yet: the first run that passes the gate is one")
    return Check("champion", False, f"the server answers {answer.status_code}", "See what it logs.")


__all__ = ["mlflow_checks"]
