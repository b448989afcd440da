"""The topology that tests of services stand on: it does as the compose file says, and ends with its owner."""

import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flows.doctor.objects import list_one, object_store_checks
from flows.prepare import make_bucket, make_databases
from mistworks.errors import MistworksError
from tests.topology import COMPOSE_FILE, Topology, TopologyError, processes
from tests.topology.compose import REPOSITORY, parse, random_secrets, translate

OWNER = """
import time
from tests.topology import Topology
with Topology(services=["dask-worker"]) as topology:
    print(topology.mark, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    return parse([COMPOSE_FILE], random_secrets())


class TestTranslation:
    def test_nothing_of_the_containers_is_left(self, document: dict[str, object], tmp_path: Path) -> None:
        hosts = {"postgres", "seaweedfs", "prefect-server", "mlflow", "dask-scheduler"}
        for process in translate(document, tmp_path):
            texts = [*process.command, *process.environment.values(), *(process.check or ())]
            for text in texts:
                assert not any(re.search(rf"\b{host}:\d", text) for host in hosts), text
                assert "0.0.0.0" not in text
                assert "/var/lib" not in text.replace(str(tmp_path), "")

    def test_replicas_have_ports_of_their_own_and_clients_know_those_of_servers(
        self, document: dict[str, object], tmp_path: Path
    ) -> None:
        named = {process.name: process for process in translate(document, tmp_path)}
        first, second = named["dask-worker-1"], named["dask-worker-2"]
        assert first.ports[8789] != second.ports[8789]
        assert str(first.ports[8789]) in " ".join(first.check or ())
        api = f"http://127.0.0.1:{named['prefect-server'].ports[4200]}/api"
        assert named["prefect-worker"].environment["PREFECT_API_URL"] == api
        assert str(named["prefect-server"].ports[4200]) in named["prefect-server"].command
        assert first.folders["/tmp"] != second.folders["/tmp"]


class TestProcesses:
    def test_all_end_with_an_owner_that_is_killed(self) -> None:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        assert owner.stdout is not None
        mark = owner.stdout.readline().strip()
        assert len(processes.marked(mark)) >= 3
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
        deadline = time.monotonic() + 15
        while processes.marked(mark) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not processes.marked(mark)

    @pytest.mark.slow
    def test_a_service_is_killed_started_and_restarted(self) -> None:
        with Topology(services=["dask-worker"]) as topology:
            before = topology.pids("dask-worker-1")
            topology.kill("dask-worker-1")
            assert not topology.pids("dask-worker-1")
            topology.start_service("dask-worker-1")
            topology.restart("dask-worker-2")
            assert topology.healthy("dask-worker-2")
            assert set(topology.pids("dask-worker-1")).isdisjoint(before)
        assert not topology.left()
        assert not topology.folder.exists()

    def test_a_service_that_ends_shows_what_it_logged(self) -> None:
        told = r"(?s)dask-scheduler ended with 2:\n.*No such option '--no-such'"
        with Topology(services=["dask-scheduler"]) as topology:
            scheduler = topology.processes["dask-scheduler"]
            command = (*scheduler.command, "--no-such")
            topology.processes["dask-scheduler"] = replace(scheduler, command=command)
            with pytest.raises(TopologyError, match=told):
                topology.restart("dask-scheduler")


class TestObjectStore:
    def test_the_doctor_tells_what_is_wrong_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Topology(services=["seaweedfs"]) as topology:
            for name, value in topology.environment.items():
                if name.startswith(("AWS_", "MISTWORKS_")):
                    monkeypatch.setenv(name, value)
            missing, on_time = object_store_checks()
            assert "404 Not Found, NoSuchBucket" in missing.what
            assert missing.remedy == "Create the bucket, or check its name."
            assert on_time.ok
            make_bucket("mistworks")
            sound, _ = object_store_checks()
            assert sound.ok
            assert sound.what == "s3://mistworks/stores: write, read, conditional write, delete"
            assert list_one("s3://mistworks/stores") == ""
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
            refused, _ = object_store_checks()
            assert "403 Forbidden, SignatureDoesNotMatch" in refused.what
            assert refused.remedy.startswith("Check the credentials in the environment")
            assert "403 Forbidden" in list_one("s3://mistworks/stores")


class TestPreparation:
    def test_a_second_time_changes_nothing(self) -> None:
        with Topology(services=["prepare"]) as topology:
            assert topology.logs("prepare") == "made prefect, mlflow, mistworks"
            topology.restart("prepare")
            assert topology.logs("prepare").splitlines()[-1] == "made nothing: all were there"
            topology.kill("postgres")
            told = r"(?s)prepare ended with 1:\n.*Expected a PostgreSQL server"
            with pytest.raises(TopologyError, match=told):
                topology.restart("prepare")

    def test_names_that_need_quotes_are_refused(self) -> None:
        with pytest.raises(MistworksError, match="Expected lower-case names of databases, got 'a; DROP'"):
            make_databases("postgresql://127.0.0.1:9/postgres", ["a; DROP"])

    def test_servers_that_are_gone_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(
            MistworksError, match=r"Expected a PostgreSQL server at postgresql://127\.0\.0\.1:9/"
        ):
            make_databases("postgresql://127.0.0.1:9/postgres", ["prefect"])
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "key")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        with pytest.raises(
            MistworksError, match="Expected to make the bucket mistworks, got: Could not connect"
        ):
            make_bucket("mistworks")
