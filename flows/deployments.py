"""Register with a Prefect server: the deployments of prefect.yaml, their pool, and automations."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx
import yaml
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.runner import Runner
from prefect.utilities.callables import parameter_schema
from pydantic import Field

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from storage.registry.lineage import MODEL
from tasks.alone import limit_of

PROJECT_FILE = "prefect.yaml"
# Three heartbeats, since two may simply be late. The check adds up to half a minute.
HEARTBEATS_STOPPED_SECONDS = 90
_ENDED = ("Completed", "Failed", "Crashed", "Cancelled")
_POLL_SECONDS = 10
_WHEN = " when "


class PoolSpec(FrozenConfig):
    """The work pool of a deployment."""

    name: str


class LimitSpec(FrozenConfig):
    """How many runs of a deployment are active at once, and what happens to the others."""

    limit: int = Field(ge=1)
    collision_strategy: ConcurrencyLimitStrategy
    grace_period_seconds: int = Field(ge=60, le=86_400)


class ScheduleSpec(FrozenConfig):
    """When a deployment runs: a cron expression in a named time zone."""

    cron: str
    timezone: str


class TriggerSpec(FrozenConfig):
    """The events that start a run, and the parameters it takes from them."""

    type: Literal["event"]
    match: dict[str, str]
    expect: list[str] = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)


class DeploymentSpec(FrozenConfig):
    """One deployment of prefect.yaml."""

    name: str
    entrypoint: str = Field(pattern=r"^[\w.]+$")
    description: str
    tags: list[str] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: list[ScheduleSpec] = Field(default_factory=list)
    concurrency_limit: LimitSpec | None = None
    work_pool: PoolSpec
    triggers: list[TriggerSpec] = Field(default_factory=list)

    def flow(self) -> Flow[..., Any]:
        """Load the flow that it runs.

        Raises:
            MistworksError: there is none at its entry point.
        """
        try:
            return load_flow_from_entrypoint(self.entrypoint)
        except (ImportError, AttributeError) as error:
            raise MistworksError(
                f"Expected a flow at {self.entrypoint}, got: {error}. Correct the deployment {self.name}."
            ) from None


class ProjectSpec(FrozenConfig):
    """The content of prefect.yaml."""

    name: str
    pull: list[Any] = Field(max_length=0)
    definitions: dict[str, Any] = Field(default_factory=dict)
    deployments: list[DeploymentSpec]


@dataclass(frozen=True)
class Change:
    """The outcome for one object on the server.

    Attributes:
        kind: deployment, automation, work pool or limit.
        name: its name.
        outcome: what was done.
    """

    kind: str
    name: str
    outcome: Literal["made", "changed", "removed", "unchanged"]


def project_file(given: Path | None = None) -> Path:
    """Return the given file, or prefect.yaml in the working directory, or the one beside the package.

    Raises:
        MistworksError: there is none.
    """
    places = [given] if given else [Path(PROJECT_FILE), Path(__file__).parents[1] / PROJECT_FILE]
    for place in places:
        if place.is_file():
            return place
    raise MistworksError(f"Expected a file {places[0]}, got none. Give the path of one as --file.")


def read_project(file: Path) -> ProjectSpec:
    """Read the deployments in a file.

    Raises:
        MistworksError: the file is not YAML, or describes something else.
    """
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise MistworksError(f"Expected YAML in {file}, got: {' '.join(str(error).split())}.") from None
    try:
        return ProjectSpec.parse(content)
    except MistworksError as error:
        raise MistworksError(f"{file}: {error}") from None


def deploy(file: Path) -> list[Change]:
    """Register the content of a file for the workers of its pools, changing only what differs.

    Returns:
        What was done about each object.

    Raises:
        MistworksError: the file is not valid, or the server refuses.
    """
    project = read_project(file)
    with _client() as client:
        pools = {spec.work_pool.name for spec in project.deployments}
        changes = [_put_pool(client, pool) for pool in sorted(pools)]
        # Limits of stores are created with the stores.
        changes.append(_put_limit(client, limit_of(MODEL)))
        for spec in project.deployments:
            identifier, change = _put_deployment(client, spec, spec.work_pool.name)
            changes += [change, *_put_triggers(client, spec, identifier)]
        return [*changes, _put_automation(client, crashed_when_heartbeats_stop())]


def serve(file: Path, on_ready: Callable[[list[Change]], None]) -> None:
    """Register the content of a file and run it from this process until it is stopped.

    Args:
        file: such as prefect.yaml.
        on_ready: called with what was done, before the first run.

    Raises:
        MistworksError: the file is not valid, the server refuses, or a deployment belongs to a work pool.
    """
    project = read_project(file)
    runner = Runner(name="mistworks", pause_on_shutdown=False, query_seconds=_POLL_SECONDS)
    changes = []
    with _client() as client:
        for spec in project.deployments:
            _require_no_pool(client, spec)
            identifier, change = _put_deployment(client, spec, None)
            changes += [change, *_put_triggers(client, spec, identifier)]
            runner.add_deployment(_Registered(name=spec.name, identifier=identifier))
        changes.append(_put_automation(client, crashed_when_heartbeats_stop()))
    on_ready(changes)
    # Runs are processes of their own, for which the working directory must not hide this package.
    os.environ["PYTHONSAFEPATH"] = "1"
    # Ctrl-C is the way to stop it.
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


def crashed_when_heartbeats_stop() -> AutomationCore:
    """The automation that ends runs whose process is gone, by SIGKILL or with its machine."""
    return AutomationCore(
        name="crashed when heartbeats stop",
        description="A run whose process is gone sends no heartbeat, and would be shown as running forever.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after={"prefect.flow-run.heartbeat"},
            # By name: `*` would match any event, and healthy runs would be ended too.
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{state}" for state in _ENDED)},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=HEARTBEATS_STOPPED_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name="Crashed",
                message="No heartbeat for 90 s: the process of the run, or its machine, is gone. Retry "
                "the run to go on; what is done is kept.",
            )
        ],
    )


class _Registered(RunnerDeployment):
    """A deployment that is already on the server, for a runner."""

    identifier: UUID

    async def aapply(self, *_: Any, **__: Any) -> UUID:
        return self.identifier


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        try:
            yield client
        except httpx.HTTPStatusError as error:
            told = f"{error.response.status_code}: {error.response.text[:300]}"
            raise MistworksError(
                f"Expected the Prefect server to accept the deployments, got {told}. Correct the file."
            ) from error


def _put_pool(client: SyncPrefectClient, name: str) -> Change:
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        return Change("work pool", name, "made")
    return Change("work pool", name, "unchanged")


def _put_limit(client: SyncPrefectClient, name: str) -> Change:
    try:
        client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        client.upsert_global_concurrency_limit_by_name(name, 1)
        return Change("limit", name, "made")
    return Change("limit", name, "unchanged")


def _put_deployment(client: SyncPrefectClient, spec: DeploymentSpec, pool: str | None) -> tuple[UUID, Change]:
    flow = spec.flow()
    full_name = f"{flow.name}/{spec.name}"
    # Prefect's own schema accepts unknown parameters, on which the run would fail.
    schema = parameter_schema(flow).model_dump(exclude_unset=True) | {"additionalProperties": False}
    existing = _find_deployment(client, full_name)
    if existing is not None and _facts(existing) == _wanted(spec, pool, schema):
        return existing.id, Change("deployment", full_name, "unchanged")
    limit = spec.concurrency_limit
    identifier = client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=spec.name,
        description=spec.description,
        entrypoint=spec.entrypoint,
        tags=spec.tags,
        parameters=spec.parameters,
        parameter_openapi_schema=schema,
        enforce_parameter_schema=True,
        schedules=[
            DeploymentScheduleCreate(schedule=CronSchedule(cron=each.cron, timezone=each.timezone))
            for each in spec.schedules
        ],
        concurrency_limit=None if limit is None else limit.limit,
        concurrency_options=None
        if limit is None
        else ConcurrencyOptions(
            collision_strategy=limit.collision_strategy, grace_period_seconds=limit.grace_period_seconds
        ),
        work_pool_name=pool,
        pull_steps=[],
    )
    return identifier, Change("deployment", full_name, "made" if existing is None else "changed")


def _find_deployment(client: SyncPrefectClient, full_name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(full_name)
    except ObjectNotFound:
        return None


def _wanted(spec: DeploymentSpec, pool: str | None, schema: dict[str, Any]) -> dict[str, Any]:
    limit = spec.concurrency_limit
    return {
        "description": spec.description,
        "entrypoint": spec.entrypoint,
        "path": None,
        "tags": sorted(spec.tags),
        "parameters": spec.parameters,
        "schema": schema,
        "enforced": True,
        "schedules": sorted((each.cron, each.timezone) for each in spec.schedules),
        "limit": None
        if limit is None
        else (limit.limit, limit.collision_strategy, limit.grace_period_seconds),
        "pool": pool,
        "pull": [],
    }


def _facts(found: DeploymentResponse) -> dict[str, Any]:
    """The part of a deployment that prefect.yaml defines, which excludes whether schedules are paused."""
    limit, options = found.global_concurrency_limit, found.concurrency_options
    return {
        "description": found.description,
        "entrypoint": found.entrypoint,
        "path": found.path,
        "tags": sorted(found.tags),
        "parameters": found.parameters,
        "schema": found.parameter_openapi_schema,
        "enforced": found.enforce_parameter_schema,
        "schedules": sorted(
            (each.schedule.cron, each.schedule.timezone)
            if isinstance(each.schedule, CronSchedule)
            else (repr(each.schedule), None)
            for each in found.schedules
        ),
        "limit": None
        if limit is None or options is None
        else (limit.limit, options.collision_strategy, options.grace_period_seconds),
        "pool": found.work_pool_name,
        "pull": found.pull_steps or [],
    }


def _require_no_pool(client: SyncPrefectClient, spec: DeploymentSpec) -> None:
    full_name = f"{spec.flow().name}/{spec.name}"
    existing = _find_deployment(client, full_name)
    if existing is not None and existing.work_pool_name is not None:
        pool = existing.work_pool_name
        raise MistworksError(
            f"Expected {full_name} without a work pool, got one of the pool {pool}. Start a worker with "
            f"`prefect worker start --pool {pool}` instead, or run `prefect deployment "
            f"delete {full_name}`."
        )


def _put_triggers(client: SyncPrefectClient, spec: DeploymentSpec, identifier: UUID) -> list[Change]:
    wanted = [_automation_of(trigger, spec.name, identifier) for trigger in spec.triggers]
    return [
        *_remove_former(client, spec.name, {each.name for each in wanted}),
        *(_put_automation(client, each) for each in wanted),
    ]


def _automation_of(trigger: TriggerSpec, name: str, identifier: UUID) -> AutomationCore:
    return AutomationCore(
        name=f"{name}{_WHEN}{', '.join(trigger.expect)}",
        description=f"Starts {name}.",
        trigger=EventTrigger(
            match=trigger.match, expect=set(trigger.expect), posture=Posture.Reactive, threshold=1
        ),
        actions=[RunDeployment(source="selected", deployment_id=identifier, parameters=trigger.parameters)],
    )


def _remove_former(client: SyncPrefectClient, name: str, wanted: set[str]) -> list[Change]:
    """Remove automations for events that the file no longer names."""
    former = [
        each
        for each in client.read_automations()
        if each.name.startswith(f"{name}{_WHEN}") and each.name not in wanted
    ]
    for each in former:
        client.delete_automation(each.id)
    return [Change("automation", each.name, "removed") for each in former]


def _put_automation(client: SyncPrefectClient, wanted: AutomationCore) -> Change:
    existing = client.read_automations_by_name(wanted.name)
    if not existing:
        client.create_automation(wanted)
        return Change("automation", wanted.name, "made")
    if _comparable(existing[0]) == _comparable(wanted):
        return Change("automation", wanted.name, "unchanged")
    client.update_automation(existing[0].id, wanted)
    return Change("automation", wanted.name, "changed")


def _comparable(automation: AutomationCore) -> dict[str, Any]:
    """The part of an automation that we define, which excludes whether it is enabled."""
    told = automation.model_dump(mode="json", include={"name", "description", "trigger", "actions"})
    trigger = told["trigger"]
    trigger.pop("id", None)
    for name in ("after", "expect", "for_each"):
        trigger[name] = sorted(trigger[name])
    return told
