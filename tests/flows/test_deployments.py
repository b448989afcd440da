"""What a Prefect server is told of deployments, and what it refuses and shows by itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows.artifacts import leave_note
from flows.declaration import flow
from flows.deployments import crashed_when_heartbeats_stop, deploy, project_file, read_project
from flows.parameters import run_name
from flows.progress import progress
from flows.writers import forget_limit, limit_of, one_writer
from mistworks.errors import MistworksError
from storage.places.location import Location
from tests.support.commands import InProcess
from tests.support.prefect_server import Server, prefect_server

DEPLOYMENTS = {
    "nightly/nightly",
    "nightly/weekly-full",
    "pipeline/pipeline",
    "regenerate/regenerate",
    "evaluate/evaluate",
    "score/score",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with prefect_server(tmp_path_factory.mktemp("deployments")) as started:
        started.command("deploy")
        yield started


@pytest.fixture
def api(server: Server) -> Iterator[Server]:
    """The server, for flows of this process."""
    settings = {PREFECT_API_URL: server.url, PREFECT_LOCAL_STORAGE_PATH: server.folder / "results"}
    with temporary_settings(settings):
        yield server


class TestFile:
    def test_schedules_name_a_zone_and_keep_clear_of_the_hour_that_clocks_skip(self) -> None:
        for spec in read_project(project_file()).deployments:
            for schedule in spec.schedules:
                ZoneInfo(schedule.timezone)
                hour = int(schedule.cron.split()[1])
                assert not 2 <= hour < 3
                CronSchedule(cron=schedule.cron, timezone=schedule.timezone)

    def test_a_late_nightly_run_is_cancelled(self) -> None:
        limits = {spec.name: spec.concurrency_limit for spec in read_project(project_file()).deployments}
        for name in ("nightly", "weekly-full"):
            limit = limits[name]
            assert limit is not None
            assert (limit.limit, limit.collision_strategy) == (1, "CANCEL_NEW")
            assert limit.grace_period_seconds >= 60

    def test_no_folder_of_this_machine_is_pulled(self) -> None:
        assert yaml.safe_load(project_file().read_text())["pull"] == []

    def test_every_parameter_is_one_that_its_flow_has(self) -> None:
        for spec in read_project(project_file()).deployments:
            assert spec.parameters.keys() <= set(spec.flow().parameters.properties)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name: [", "Expected YAML in"),
            (
                "name: x\npull: []\ndeployments: [{name: y}]",
                "Expected deployments.0.entrypoint in ProjectSpec, got none. Add it.",
            ),
            ("name: x\npull: [{step: {}}]\ndeployments: []", "pull"),
        ],
    )
    def test_a_file_that_is_not_valid_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "prefect.yaml"
        file.write_text(text)
        with pytest.raises(MistworksError, match=message):
            read_project(file)

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(MistworksError, match=r"Expected a file .*/other.yaml, got none\. Give the path"):
            project_file(tmp_path / "other.yaml")

    def test_runs_whose_heartbeats_stop_are_crashed_and_those_that_ended_are_left_alone(self) -> None:
        trigger = crashed_when_heartbeats_stop().model_dump(mode="json")["trigger"]
        assert trigger["posture"] == "Proactive"
        # Three of 30 s, and what the server takes to look, within two minutes.
        assert 90 <= trigger["within"] <= 100
        assert set(trigger["expect"]) == {
            "prefect.flow-run.heartbeat",
            "prefect.flow-run.Completed",
            "prefect.flow-run.Failed",
            "prefect.flow-run.Crashed",
            "prefect.flow-run.Cancelled",
        }


class TestDeploy:
    def test_again_changes_nothing(self, api: Server) -> None:
        changes = deploy(project_file())
        assert {change.outcome for change in changes} == {"unchanged"}
        assert [change.name for change in changes if change.kind == "limit"] == ["mistworks-registry-mist"]
        assert {change.name for change in changes if change.kind == "deployment"} == DEPLOYMENTS
        assert {change.name for change in changes if change.kind == "automation"} == {
            "score when mistworks.champion.promoted",
            "crashed when heartbeats stop",
        }

    def test_what_the_server_knows_is_what_the_file_says(self, server: Server) -> None:
        nightly = server.deployment("nightly/nightly")
        assert nightly["global_concurrency_limit"]["limit"] == 1
        assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
        assert nightly["work_pool_name"] == "mistworks"
        assert (nightly["path"], nightly["pull_steps"]) == (None, [])
        assert [schedule["schedule"]["timezone"] for schedule in nightly["schedules"]] == ["Etc/UTC"]
        # Nothing else than the times tells this machine from another.
        assert str(Path.cwd()) not in json.dumps(nightly)

    def test_every_parameter_is_described(self, server: Server) -> None:
        for name in DEPLOYMENTS:
            properties = server.deployment(name)["parameter_openapi_schema"]["properties"]
            assert properties
            assert all(value["description"] for value in properties.values()), name

    @pytest.mark.parametrize(
        ("deployment", "parameters"),
        [
            ("nightly/nightly", {"preset": "nope"}),
            ("nightly/nightly", {"seed": "tomorrow"}),
            ("nightly/nightly", {"keep": 0}),
            ("nightly/nightly", {"sede": 1}),
            ("pipeline/pipeline", {"seed": -1}),
            ("regenerate/regenerate", {"store": "a.zarr", "partitions": "1-b"}),
            ("evaluate/evaluate", {"models": [], "suites": ["m-test"]}),
            ("score/score", {"levels": [1.5]}),
            ("nightly/nightly", {"workspace": {"workers": 0}}),
        ],
    )
    def test_bad_values_are_refused_before_a_run_exists(
        self, server: Server, deployment: str, parameters: dict[str, Any]
    ) -> None:
        found = server.deployment(deployment)
        filters = {
            "deployments": {"id": {"any_": [found["id"]]}},
            "flow_runs": {"state": {"name": {"not_any_": ["Scheduled"]}}},
        }
        answer = server.post(f"/deployments/{found['id']}/create_flow_run", parameters=parameters)
        assert answer.status_code in {409, 422}
        assert "Validation failed" in answer.json()["detail"]
        later = [run for run in server.runs(**filters) if run["parameters"] == parameters]
        assert later == []

    def test_a_changed_file_changes_the_server_and_nothing_else(self, api: Server, tmp_path: Path) -> None:
        text = project_file().read_text()
        file = tmp_path / "prefect.yaml"
        file.write_text(text.replace('"30 3 * * *"', '"15 4 * * *"'))
        changes = deploy(file)
        assert [change.name for change in changes if change.outcome == "changed"] == ["nightly/nightly"]
        crons = [each["schedule"]["cron"] for each in api.deployment("nightly/nightly")["schedules"]]
        assert crons == ["15 4 * * *"]
        deploy(project_file())

    def test_an_event_that_is_named_no_more_starts_nothing(self, api: Server, tmp_path: Path) -> None:
        text = project_file().read_text()
        file = tmp_path / "prefect.yaml"
        file.write_text(text.replace("[mistworks.champion.promoted]", "[mistworks.other]"))
        told = {change.name: change.outcome for change in deploy(file) if change.kind == "automation"}
        assert told["score when mistworks.champion.promoted"] == "removed"
        assert told["score when mistworks.other"] == "made"
        assert deploy(project_file())
        assert {change.outcome for change in deploy(project_file())} == {"unchanged"}

    @pytest.mark.parametrize("command", ["deploy", "serve"])
    def test_without_a_server_it_says_what_to_start(
        self, command: str, monkeypatch: pytest.MonkeyPatch, in_process: InProcess
    ) -> None:
        monkeypatch.delenv("PREFECT_API_URL", raising=False)
        status, _, err = in_process(command)
        assert status == 1
        assert err.startswith("error: Expected PREFECT_API_URL, got none: schedules need a server")


@flow("inner", "inner-{number}")
def inner(number: int) -> None:
    raise MistworksError(f"Expected better, got {number}. Mend it.")


@flow("outer", run_name("outer", "number", "text"))
def outer(number: int, text: str | None = None) -> None:
    """Show how far it is, and fail.

    Args:
        number: any.
        text: any.
    """
    with progress("count sheep", 2) as report:
        report(1)
        report(2)
    leave_note("sheep", "two", "How many sheep")
    inner(number)


class TestArtifacts:
    def test_what_a_run_leaves_has_keys_and_is_listed(
        self, api: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flows.progress._ARTIFACT_AFTER_SECONDS", 0.0)
        with pytest.raises(MistworksError, match="Expected better, got 3"):
            outer(3)
        found = api.artifacts()
        assert found["progress-count-sheep"]["type"] == "progress"
        assert found["sheep"]["data"] == "two"
        note = found["failure-outer"]["data"]
        assert note.startswith("# outer-3 failed\n\nExpected better, got 3. Mend it.\n\n## How to go on")
        # That of the run that people look at tells it all.
        assert "failure-inner" not in found

    def test_failed_flows_leave_no_exception_on_disk(self, api: Server) -> None:
        with pytest.raises(MistworksError, match="Expected better"):
            outer(4, "word")
        assert not (api.folder / "results").exists()
        names = {run["name"] for run in api.runs()}
        assert {"outer-4-word", "inner-4"} <= names


class TestOneWriter:
    def test_a_second_writer_waits_and_is_then_refused(self, api: Server, tmp_path: Path) -> None:
        place = Location.parse("s3://bucket/stores/tiny/train.zarr")
        with (
            one_writer(place),
            pytest.raises(MistworksError, match=r"Expected to be the only writer of s3://.*Wait for it"),
            one_writer(place, wait=1.0),
        ):
            pass
        with one_writer(place, wait=1.0):
            pass
        with one_writer(Location.parse("s3://bucket/other.zarr")), one_writer(place):
            pass

    def test_the_limit_of_a_store_that_is_gone_goes(self, api: Server) -> None:
        place = Location.parse("s3://bucket/gone.zarr")
        with one_writer(place):
            pass
        forget_limit(place)
        forget_limit(place)
        names = {limit["name"] for limit in api.post("/v2/concurrency_limits/filter").json()}
        assert limit_of(place) not in names

    def test_on_a_disk_it_is_refused_at_once(self, api: Server, tmp_path: Path) -> None:
        place = Location.parse(tmp_path / "train.zarr")
        with (
            one_writer(place),
            pytest.raises(MistworksError, match="Expected no other run to write"),
            one_writer(place),
        ):
            pass

    def test_limits_are_named_so_that_people_know_them(self) -> None:
        """Runs of other versions hold limits of the same names."""
        names = {
            "s3://bucket/stores/tiny-seed-3/train.zarr": "store-tiny-seed-3-train-77572aad",
            "s3://b/x/": "store-b-x-979e77d5",
            "/a/b.zarr": "store-a-b-8b2480d8",
        }
        assert {place: limit_of(Location.parse(place)) for place in names} == names
