"""The registry on a real MLflow server with PostgreSQL: machines that share nothing but its address."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import cast
from urllib.request import Request, urlopen

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.server.security_utils import INVALID_HOST_MSG
from prefect.settings import PREFECT_API_URL, temporary_settings

from mistworks.errors import MistworksError
from storage.registry.lineage import CHAMPIONS_TAG, PROMOTED_TAG
from storage.registry.outage import TrackingRefusedError, TrackingUnreachableError, translating
from storage.registry.promotion import ChampionMovedError, promote
from storage.registry.runs import KEY_TAG, find_run
from storage.registry.tracking import exclusive, fluent, open_client
from storage.registry.versions import load, lookup, versions
from tasks.alone import alone
from tests.failures.observations import Observe
from tests.storage.registry.test_registry import PASSED, estimator, pairs, registered, saved
from tests.support.mlflow_servers import (
    WAIT_SECONDS,
    Machine,
    answers,
    at_once,
    free_port,
    mlflow_server,
    postgres,
)

TRAIN_AND_REGISTER = """
import sys
from pathlib import Path
import mistworks
from storage.registry.versions import register
from storage.registry.runs import PRESET_TAG, WEIGHTS_TAG, StoreReference, start_or_resume, training_record
folder, key, root, uri = sys.argv[1:]
data = [StoreReference(split, f"{root}/{split}.zarr", split[0] * 64) for split in ("train", "validation")]
import mlflow
from storage.registry.tracking import open_client
open_client(uri)
print("ready", flush=True)
sys.stdin.readline()
with start_or_resume(uri, training_key=key, name="tiny", parameters={"a": 1}, datasets=data,
                     tags={PRESET_TAG: "tiny"}) as run:
    run.log_curves(1, {"loss": 1.0})
    run.set_tag(WEIGHTS_TAG, mistworks.load(folder).weights_sha256)
record = training_record(uri, run.run_id)
version = register(folder, mistworks.load(folder), record, tracking_uri=uri, validation_mse=0.5)
print(version.version, flush=True)
"""
PROMOTE = """
import sys
from mistworks.evaluation.gate import Condition, Decision
from storage.registry.promotion import ChampionMovedError, promote
from storage.registry.tracking import open_client
uri, reference, against = sys.argv[1:]
open_client(uri)
print("ready", flush=True)
sys.stdin.readline()
try:
    promote(reference, Decision((Condition("coverage", True, "90%"),)), int(against), uri)
except ChampionMovedError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("service") / "postgres") as url:
        yield url


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(database, tmp_path_factory.mktemp("service") / "artifacts") as url:
        yield url


@pytest.fixture
def machines(server: str, tmp_path: Path) -> list[Machine]:
    return [Machine(tmp_path / name, server) for name in ("one", "other")]


def train_twice(machines: list[Machine], folder: Path, key: str) -> list[str]:
    started = [
        machine.start(
            TRAIN_AND_REGISTER,
            str(shutil.copytree(folder, machine.folder / "model")),
            key,
            str(machine.folder),
            machine.tracking_uri,
        )
        for machine in machines
    ]
    ended = at_once(*started)
    assert [code for code, _, _ in ended] == [0, 0], "\n".join(err for _, _, err in ended)
    return [out.split()[-1] for _, out, _ in ended]


def test_the_same_training_on_two_machines_is_one_run_and_one_version(
    server: str, machines: list[Machine], tmp_path: Path
) -> None:
    before = len(versions(server))
    first, second = train_twice(machines, saved(tmp_path / "estimator", seed=5), "same")
    assert first == second
    assert len(versions(server)) == before + 1
    client = open_client(server)
    found = client.get_experiment_by_name("mistworks")
    assert found is not None
    [run] = client.search_runs([found.experiment_id], f"tags.`{KEY_TAG}` = 'same'")
    assert run.info.status == "FINISHED"
    lineage = lookup(f"mist/{first}", server).lineage
    assert lineage.run_id == run.info.run_id == find_run(server, "same")
    [machine] = [each for each in machines if lineage.train_store.startswith(str(each.folder))]
    assert lineage.validation_store == f"{machine.folder}/validation.zarr"


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(5))
def test_it_is_so_each_time(attempt: int, server: str, machines: list[Machine], tmp_path: Path) -> None:
    first, second = train_twice(machines, saved(tmp_path / "estimator", seed=10 + attempt), f"key-{attempt}")
    assert first == second


def test_of_two_promotions_on_two_machines_one_comes_first_and_the_other_is_told(
    server: str, machines: list[Machine], tmp_path: Path, observe: Observe
) -> None:
    made = [registered(server, tmp_path, seed=seed, key=f"promoted-{seed}") for seed in (20, 21, 22)]
    numbers = [version.version for version in made]
    standing = open_client(server).get_registered_model("mist").aliases.get("champion")
    promote(f"mist/{numbers[0]}", PASSED, standing and int(standing), server)
    started = [
        machine.start(PROMOTE, server, f"mist/{number}", str(numbers[0]))
        for machine, number in zip(machines, numbers[1:], strict=True)
    ]
    ended = at_once(*started)
    assert sorted(code for code, _, _ in ended) == [0, 3], ended
    winner, loser = numbers[1:] if ended[0][0] == 0 else numbers[:0:-1]
    assert lookup("mist@champion", server).version == winner
    assert not lookup(f"mist/{loser}", server).decided, "it is to be compared with the new champion"
    observe(
        "two promotions at once on two machines",
        seen=next(err.strip().splitlines()[-1] for code, _, err in ended if code == 3),
        afterwards="one champion; the other is not decided and is compared again",
    )


def test_a_promotion_waits_for_one_that_has_written_all_but_the_alias(server: str, tmp_path: Path) -> None:
    made = [registered(server, tmp_path, seed=seed, key=f"between-{seed}") for seed in (40, 41, 42)]
    first, early, late = (version.version for version in made)
    client = open_client(server)
    standing = client.get_registered_model("mist").aliases.get("champion")
    promote(f"mist/{first}", PASSED, standing and int(standing), server)
    order = client.get_registered_model("mist").tags[CHAMPIONS_TAG]
    for key, value in (("mistworks.gate.against", f"version {first}"), (PROMOTED_TAG, "true")):
        client.set_model_version_tag("mist", str(early), key, value)
    client.set_registered_model_tag("mist", CHAMPIONS_TAG, f"{order},{early}")
    move = threading.Timer(1.0, client.set_registered_model_alias, ("mist", "champion", str(early)))
    move.start()
    with pytest.raises(ChampionMovedError, match=f"to stay version {first} while .*, got version {early}"):
        promote(f"mist/{late}", PASSED, first, server)
    move.join()
    assert lookup("mist@champion", server).version == early
    assert not lookup(f"mist/{late}", server).decided


def test_a_machine_without_credentials_loads_the_champion_by_its_address(
    server: str, machines: list[Machine], tmp_path: Path
) -> None:
    made = registered(server, tmp_path, seed=30, key="loaded")
    code = """
import json, sys, mistworks
model = mistworks.load(sys.argv[1])
print(json.dumps([model.weights_sha256, [each.mi for each in model.estimate_many(json.loads(sys.argv[2]))]]))
"""
    samples = [(x.tolist(), y.tolist()) for x, y in pairs()]
    process = machines[0].start(code, made.uri, json.dumps(samples))
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    expected = estimator(30)
    assert json.loads(out) == [
        expected.weights_sha256,
        [each.mi for each in expected.estimate_many(json.loads(json.dumps(samples)))],
    ]


def test_the_lock_of_a_database_spans_machines(database: str) -> None:
    order: list[str] = []

    def wait_for_it() -> None:
        with exclusive(database.replace("postgresql://", "postgresql+psycopg2://")):
            order.append("second")

    with exclusive(database):
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        waiting.join(timeout=0.5)
        order.append("first")
    waiting.join(timeout=20)
    assert order == ["first", "second"]


def test_a_version_whose_artifacts_are_gone_is_an_error_that_names_it(
    server: str, tmp_path: Path, observe: Observe
) -> None:
    made = registered(server, tmp_path, seed=40, key="gone")
    client = open_client(server)
    model_id = str(client.get_model_version("mist", str(made.version)).source).removeprefix("models:/")
    with fluent(server):
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        get_artifact_repository(client.get_logged_model(model_id).artifact_location).delete_artifacts()
    with pytest.raises(
        MistworksError, match=rf"the model of mist/{made.version} at .*Restore its artifacts"
    ) as caught:
        load(made.uri, server)
    observe(
        "a registered version whose artifacts are gone",
        seen=str(caught.value),
        afterwards="nothing is recorded about it",
    )


@pytest.mark.parametrize(
    ("told", "done"),
    [
        ('duplicate key value violates unique constraint "tag_pk"', 2),
        ("UNIQUE constraint failed: tags.key, tags.run_uuid", 2),
        ("value too long", 1),
    ],
)
def test_what_another_machine_writes_at_the_same_moment_is_written_again(told: str, done: int) -> None:
    class Client:
        calls = 0

        def set_tag(self, run_id: str, name: str, value: str) -> None:
            self.calls += 1
            if self.calls == 1:
                raise MlflowException(told)

    client = Client()
    with nullcontext() if done == 2 else pytest.raises(MlflowException, match=told):
        translating(cast("MlflowClient", client), "http://127.0.0.1:9").set_tag("run", "name", "value")
    assert client.calls == done


# --- an MLflow server that does not answer, or lets nobody in


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(
        TrackingUnreachableError, match=r"MLflow at http://u:…@127.0.0.1:9 to answer, got connection refused"
    ):
        open_client("http://u:secret@127.0.0.1:9")


@contextmanager
def stub(status: int, body: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (403, INVALID_HOST_MSG, r"HTTP 403: the server does not allow this host name.*--allowed-hosts"),
        (
            401,
            "You are not authenticated",
            r"HTTP 401: it asks for credentials. Set MLFLOW_TRACKING_USERNAME",
        ),
        (403, "Permission denied", r"HTTP 403: permission is denied"),
    ],
)
def test_a_server_that_lets_nobody_in_is_told_with_the_remedy(status: int, body: str, remedy: str) -> None:
    with stub(status, body) as url, pytest.raises(TrackingRefusedError, match=remedy):
        open_client(url)


def test_an_outage_is_waited_for_and_then_told_in_a_sentence(tmp_path: Path, observe: Observe) -> None:
    code = """
import sys, time
from storage.registry.outage import TrackingUnreachableError
from storage.registry.tracking import open_client
client = open_client(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
started = time.monotonic()
try:
    client.get_run("nothing")
except TrackingUnreachableError as error:
    print(time.monotonic() - started, error)
"""
    with stub(200, "{}") as url:
        machine = Machine(tmp_path / "machine", url)
        process = machine.start(code, url, MISTWORKS_TRACKING_PATIENCE="2")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    out, err = process.communicate("go\n", timeout=WAIT_SECONDS)
    assert process.returncode == 0, err
    seconds, told = out.split(" ", 1)
    assert float(seconds) > 1
    assert told.startswith(f"Expected MLflow at {url} to answer, got connection refused.")
    assert err == "MLflow does not answer; waiting for it\n"
    observe(
        "MLflow gone in mid-run, for good",
        seen=f"{err.strip()}. Then: {told.strip()}",
        afterwards="one error",
    )


@pytest.mark.slow
def test_mlflow_serves_the_champion_over_http(server: str, machines: list[Machine], tmp_path: Path) -> None:
    made = registered(server, tmp_path, seed=50, key="served")
    x, y = pairs()[0]
    port = free_port()
    options = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    code = "import sys; from mlflow.cli import cli; cli(sys.argv[1:])"
    process = machines[0].start(code, "models", "serve", "-m", made.uri, *options)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while not answers(f"http://127.0.0.1:{port}/ping"):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        body = {
            "dataframe_split": {"columns": ["x", "y"], "data": [[x.tolist(), y.tolist()]]},
            "params": {"quantiles": [0.05, 0.95]},
        }
        request = Request(
            f"http://127.0.0.1:{port}/invocations",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as answer:
            [row] = json.load(answer)["predictions"]
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
    expected = estimator(50).estimate(x, y)
    assert row == {
        "mi": expected.mi,
        "q05": expected.quantile(0.05),
        "q95": expected.quantile(0.95),
    }


def test_machines_that_share_prefect_hold_a_registry_one_at_a_time(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def wait_for_it() -> None:
        with alone("http://other-name:5000", "mist"):
            order.append("second")

    monkeypatch.setenv("PREFECT_API_URL", api)
    with temporary_settings({PREFECT_API_URL: api}):
        with alone("http://mlflow:5000", "mist"):
            waiting = threading.Thread(target=copy_context().run, args=(wait_for_it,))
            waiting.start()
            waiting.join(timeout=2)
            order.append("first")
        waiting.join(timeout=60)
    assert order == ["first", "second"]
