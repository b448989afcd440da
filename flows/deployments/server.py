"""Deployments, work pools and limits on a Prefect server, each changed only if it differs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema

from flows.deployments.project import DeploymentSpec
from mistworks.errors import MistworksError

__all__ = ["Change", "connected", "put_deployment", "put_limit", "put_pool", "require_no_pool"]


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


@contextmanager
def connected() -> Iterator[SyncPrefectClient]:
    """Connect to the server that the environment names.

    Raises:
        MistworksError: the server refuses a request.
    """
    with get_client(sync_client=True) as client:
        try:
            yield client
        except httpx.HTTPStatusError as error:
            answer = f"{error.response.status_code}: {error.response.text[:300]}"
            raise MistworksError(
                f"Expected the Prefect server to accept the deployments, got {answer}. Correct the file."
            ) from error


def put_pool(client: SyncPrefectClient, name: str) -> Change:
    """Create a work pool if there is none of this name."""
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        return Change("work pool", name, "made")
    return Change("work pool", name, "unchanged")


def put_limit(client: SyncPrefectClient, name: str) -> Change:
    """Create a global limit of one if there is none of this name."""
    try:
        client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        client.upsert_global_concurrency_limit_by_name(name, 1)
        return Change("limit", name, "made")
    return Change("limit", name, "unchanged")


def put_deployment(client: SyncPrefectClient, spec: DeploymentSpec, pool: str | None) -> tuple[UUID, Change]:
    """Create a deployment, or change the existing one of its name if it differs; returns its identifier."""
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


def _facts(deployment: DeploymentResponse) -> dict[str, Any]:
    """The part of a deployment that prefect.yaml defines, which excludes whether schedules are paused."""
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    return {
        "description": deployment.description,
        "entrypoint": deployment.entrypoint,
        "path": deployment.path,
        "tags": sorted(deployment.tags),
        "parameters": deployment.parameters,
        "schema": deployment.parameter_openapi_schema,
        "enforced": deployment.enforce_parameter_schema,
        "schedules": sorted(
            (each.schedule.cron, each.schedule.timezone)
            if isinstance(each.schedule, CronSchedule)
            else (repr(each.schedule), None)
            for each in deployment.schedules
        ),
        "limit": None
        if limit is None or options is None
        else (limit.limit, options.collision_strategy, options.grace_period_seconds),
        "pool": deployment.work_pool_name,
        "pull": deployment.pull_steps or [],
    }


def require_no_pool(client: SyncPrefectClient, spec: DeploymentSpec) -> None:
    """Refuse a deployment whose runs a worker would start as well.

    Raises:
        MistworksError: the deployment on the server belongs to a work pool.
    """
    full_name = f"{spec.flow().name}/{spec.name}"
    existing = _find_deployment(client, full_name)
    if existing is not None and existing.work_pool_name is not None:
        pool = existing.work_pool_name
        raise MistworksError(
            f"Expected {full_name} without a work pool, got one of the pool {pool}. Start a worker with "
            f"`prefect worker start --pool {pool}` instead, or run `prefect deployment "
            f"delete {full_name}`."
        )
