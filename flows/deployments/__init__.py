"""Register with a Prefect server what prefect.yaml defines, for workers or to be run from this process."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner

from flows.deployments.automations import crashed_when_heartbeats_stop, put_automation, put_triggers
from flows.deployments.project import project_file, read_project
from flows.deployments.server import Change, connected, put_deployment, put_limit, put_pool, require_no_pool
from storage.registry.lineage import MODEL
from tasks.alone import limit_of

__all__ = ["Change", "crashed_when_heartbeats_stop", "deploy", "project_file", "read_project", "serve"]

_POLL_SECONDS = 10


def deploy(file: Path) -> list[Change]:
    """Register the content of a file for the workers of its pools, changing only what differs.

    Returns:
        What was done about each object.

    Raises:
        MistworksError: the file is not valid, or the server refuses.
    """
    project = read_project(file)
    with connected() as client:
        pools = {spec.work_pool.name for spec in project.deployments}
        changes = [put_pool(client, pool) for pool in sorted(pools)]
        # Limits of stores are created with the stores.
        changes.append(put_limit(client, limit_of(MODEL)))
        for spec in project.deployments:
            identifier, change = put_deployment(client, spec, spec.work_pool.name)
            changes += [change, *put_triggers(client, spec, identifier)]
        return [*changes, put_automation(client, crashed_when_heartbeats_stop())]


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
    with connected() as client:
        for spec in project.deployments:
            require_no_pool(client, spec)
            identifier, change = put_deployment(client, spec, None)
            changes += [change, *put_triggers(client, spec, identifier)]
            runner.add_deployment(_Registered(name=spec.name, identifier=identifier))
        changes.append(put_automation(client, crashed_when_heartbeats_stop()))
    on_ready(changes)
    # Runs are processes of their own, for which the working directory must not hide this package.
    os.environ["PYTHONSAFEPATH"] = "1"
    # Ctrl-C is the way to stop it.
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


class _Registered(RunnerDeployment):
    """A deployment that is already on the server, for a runner."""

    identifier: UUID

    async def aapply(self, *_: Any, **__: Any) -> UUID:
        return self.identifier
