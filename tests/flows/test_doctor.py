"""The doctor tells, in one line each, what a service lacks; `test_services.py` asks real ones."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import doctor
from flows.cli.commands import app
from flows.doctor import Check, examine, lines
from flows.doctor.check import clock

Answers = dict[str, tuple[int, Any]]

PREFECT: Answers = {
    "/api/admin/version": (200, version("prefect")),
    "/api/ready": (200, "OK"),
    "/api/work_pools/filter": (200, [{"name": "pool"}]),
    "/api/work_pools/pool/workers/filter": (200, [{"status": "ONLINE"}, {"status": "OFFLINE"}]),
    "/api/deployments/filter": (
        200,
        [{"name": "nightly", "work_pool_name": "pool"}, {"name": "evaluate", "work_pool_name": "pool"}],
    ),
    "/api/v2/concurrency_limits/filter": (
        200,
        [
            {"name": "store-a", "active_slots": 1},
            {"name": "store-b", "active_slots": 0},
            {"name": "deployment:1", "active_slots": 1},
        ],
    ),
}
MLFLOW: Answers = {
    "/version": (200, version("mlflow")),
    "/api/2.0/mlflow/experiments/get-by-name": (
        200,
        {"experiment": {"artifact_location": "mlflow-artifacts:/1"}},
    ),
    "/api/2.0/mlflow/registered-models/alias": (200, {"model_version": {"version": "3"}}),
}


@contextmanager
def served(answers: Answers) -> Iterator[str]:
    """A server that answers what it is told to, and keeps what is put."""
    kept: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            code, value = (200, kept[path]) if path in kept else answers.get(path, (404, {}))
            # MLflow tells its version as plain text.
            text = value if path == "/version" else json.dumps(value, default=str)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(value if isinstance(value, bytes) else text.encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def do_PUT(self) -> None:
            code, _ = answers.get("PUT", (200, None))
            if code == 200:
                kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(code)
            self.end_headers()

        def do_DELETE(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("MISTWORKS_", "PREFECT_", "MLFLOW_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MISTWORKS_ROOT", str(tmp_path / "root"))


def by_name() -> dict[str, Check]:
    return {check.name: check for check in examine()}


def test_with_nothing_named_the_embedded_default_is_told(tmp_path: Path) -> None:
    checks = by_name()
    assert list(checks) == ["local root", "services"]
    assert all(check.ok for check in checks.values())
    assert "every run starts its own here" in checks["services"].what
    assert not (tmp_path / "root").exists()


def test_a_root_that_is_a_url_or_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**70)
    assert by_name()["local root"].remedy == "Make room for 1 GB or more."
    monkeypatch.setenv("MISTWORKS_ROOT", "s3://bucket/root")
    assert "Expected a local directory" in by_name()["local root"].what


class TestPrefect:
    def checks(self, monkeypatch: pytest.MonkeyPatch, answers: Answers) -> dict[str, Check]:
        with served({**PREFECT, **answers}) as url:
            monkeypatch.setenv("PREFECT_API_URL", f"{url}/api")
            return by_name()

    def test_all_is_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checks = self.checks(monkeypatch, {})
        assert all(check.ok for check in checks.values())
        assert checks["prefect workers"].what == "1 online in the pool pool"
        assert checks["deployments"].what == "evaluate, nightly"
        assert checks["writers"].what == "2 stores, written now: store-a"

    def test_deployments_that_are_served_need_no_pool(self, monkeypatch: pytest.MonkeyPatch) -> None:
        served = (200, [{"name": "nightly", "work_pool_name": None}])
        answers: Answers = {"/api/work_pools/filter": (200, []), "/api/deployments/filter": served}
        check = self.checks(monkeypatch, answers)["prefect workers"]
        assert (check.ok, check.what) == (True, "none needed: `mistworks serve` runs the deployments")

    @pytest.mark.parametrize(
        ("path", "answer", "name", "what", "remedy"),
        [
            (
                "admin/version",
                (200, "3.0.0"),
                "prefect api",
                "version 3.0.0, and",
                "Install the same version",
            ),
            ("admin/version", (401, {}), "prefect api", "refuses us (401)", "Set PREFECT_API_AUTH_STRING"),
            ("admin/version", (404, {}), "prefect api", "answers 404", "Correct PREFECT_API_URL"),
            ("ready", (503, {}), "prefect api", "not its database (503)", "Start the database"),
            ("work_pools/filter", (200, []), "prefect workers", "no work pool", "Run `mistworks deploy`"),
            (
                "work_pools/pool/workers/filter",
                (200, [{"status": "OFFLINE"}]),
                "prefect workers",
                "0 online in the pool pool",
                "Run `prefect worker start --pool pool`",
            ),
            ("deployments/filter", (200, []), "deployments", "none", "Run `mistworks deploy`"),
            ("deployments/filter", (500, []), "prefect api", "500 Internal", "See what it logs"),
        ],
    )
    def test_what_is_wrong_is_told(
        self,
        path: str,
        answer: tuple[int, Any],
        name: str,
        what: str,
        remedy: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        check = self.checks(monkeypatch, {f"/api/{path}": answer})[name]
        assert not check.ok
        assert what in check.what
        assert check.remedy.startswith(remedy)


class TestMlflow:
    def checks(self, monkeypatch: pytest.MonkeyPatch, answers: Answers) -> dict[str, Check]:
        with served({**MLFLOW, **answers}) as url:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
            return by_name()

    def test_all_is_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checks = self.checks(monkeypatch, {})
        assert all(check.ok for check in checks.values())
        assert checks["champion"].what == "mist/3"

    @pytest.mark.parametrize(
        ("path", "answer", "name", "what", "remedy"),
        [
            ("/version", (200, "1.0"), "mlflow", "version 1.0, and", "Install the same version"),
            (
                "/api/2.0/mlflow/experiments/get-by-name",
                (403, "Invalid Host header - possible DNS rebinding attack detected"),
                "mlflow",
                "refuses this host name",
                "Add 127.0.0.1:",
            ),
            (
                "/api/2.0/mlflow/experiments/get-by-name",
                (401, "no"),
                "mlflow",
                "refuses us (401)",
                "Set MLFLOW_TRACKING_USERNAME",
            ),
            (
                "/api/2.0/mlflow/experiments/get-by-name",
                (200, {"experiment": {"artifact_location": "s3://bucket/1"}}),
                "experiment",
                "every client needs credentials",
                "It was made before",
            ),
            ("PUT", (500, None), "artifacts", "the server answers 500", "It needs --artifacts-destination"),
        ],
    )
    def test_what_is_wrong_is_told(
        self,
        path: str,
        answer: tuple[int, Any],
        name: str,
        what: str,
        remedy: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        check = self.checks(monkeypatch, {path: answer})[name]
        assert not check.ok
        assert what in check.what
        assert check.remedy.startswith(remedy)

    def test_a_new_registry_is_no_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        absent = {path: (404, {}) for path in MLFLOW if "/api/" in path}
        checks = self.checks(monkeypatch, absent)
        assert checks["experiment"].ok
        assert checks["champion"].ok


def test_services_that_are_gone_are_told_in_seconds_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "MISTWORKS_DASK_ADDRESS": "tcp://127.0.0.1:9",
        "MISTWORKS_STORES": "s3://bucket/stores",
        "AWS_ENDPOINT_URL": "http://user:hidden-one@127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "hidden-two",
        "AWS_SECRET_ACCESS_KEY": "hidden-three",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "hidden" not in result.output
    failed = [line for line in result.output.splitlines() if line.startswith("FAIL")]
    for name in (
        "addresses",
        "prefect api",
        "mlflow",
        "dask scheduler",
        "object store",
        "clock of the store",
    ):
        assert any(name in line for line in failed), name


def test_a_secret_does_not_go_to_a_scheduler_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:password")
    monkeypatch.setenv("MISTWORKS_DASK_ADDRESS", "tcp://127.0.0.1:9")
    check = by_name()["dask scheduler"]
    assert "Expected a Dask scheduler at a tls:// address" in check.what
    assert check.remedy.startswith("Start scheduler and workers with TLS")


def test_clocks_may_differ_by_a_minute() -> None:
    assert clock("clock", "there", 59.0).ok
    assert clock("clock", "there", 901.0).remedy == "Set both clocks by NTP."


def test_json_and_lines_tell_the_same() -> None:
    checks = examine()
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert [check["name"] for check in told] == [check.name for check in checks]
    for check, line in zip(checks, lines(checks).splitlines(), strict=True):
        assert line.split(None, 1)[1].startswith(check.name)
