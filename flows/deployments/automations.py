"""Automations on a Prefect server: what starts runs at events, and what ends runs whose process is gone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from flows.deployments.project import DeploymentSpec, TriggerSpec
from flows.deployments.server import Change

__all__ = ["crashed_when_heartbeats_stop", "put_automation", "put_triggers"]

# Three heartbeats, since two may simply be late. The check adds up to half a minute.
HEARTBEATS_STOPPED_SECONDS = 90
_ENDED = ("Completed", "Failed", "Crashed", "Cancelled")
_WHEN = " when "


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


def put_triggers(client: SyncPrefectClient, spec: DeploymentSpec, identifier: UUID) -> list[Change]:
    """Register the automations that start a deployment, and remove its others."""
    wanted = [_automation_of(trigger, spec.name, identifier) for trigger in spec.triggers]
    return [
        *_remove_former(client, spec.name, {each.name for each in wanted}),
        *(put_automation(client, each) for each in wanted),
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


def put_automation(client: SyncPrefectClient, wanted: AutomationCore) -> Change:
    """Create an automation, or change the existing one of its name if it differs."""
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
    content = automation.model_dump(mode="json", include={"name", "description", "trigger", "actions"})
    trigger = content["trigger"]
    trigger.pop("id", None)
    for name in ("after", "expect", "for_each"):
        trigger[name] = sorted(trigger[name])
    return content
