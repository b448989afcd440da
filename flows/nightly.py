"""The flow that runs on a schedule: the pipeline, a summary of its outcome, and removal of old stores."""

from typing import Annotated

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from flows.artifacts import leave_note
from flows.declaration import flow
from flows.parameters import ChosenPreset, DatedSeed, Where, seed_of
from flows.pipeline import Produced, dated_name, produce
from flows.plans import plan_pipeline, require_room
from flows.retention import remove_old_nights
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from storage.registry.lineage import RegisteredVersion
from storage.registry.versions import every_version

Keep = Annotated[
    int | None,
    Field(ge=1, le=10_000, description="Nights whose stores are kept. Default: all."),
]


@flow("nightly", dated_name("nightly"))
def nightly(
    preset: ChosenPreset = "quick", seed: DatedSeed = "date", keep: Keep = None, workspace: Where = None
) -> State[Produced]:
    """Generate missing data, train, evaluate, register, and promote through the gate, once per data and seed.

    Args:
        preset: name of a preset, or path of a JSON file with one.
        seed: root of every random stream, including weights and order. ``"date"`` is the day (UTC) for which
            the run was scheduled, such as 20261231, and gives a new challenger from new data each night.
        keep: nights whose stores are kept, of those with a date as seed; all if None. Stores of present and
            former champions are always kept, so that these can be compared.
        workspace: where stores, checkpoints, results, the registry and the Dask cluster are.

    Raises:
        MistworksError: a step failed. The message says which and why.
    """
    where = workspace or Workspace.of()
    number = seed_of(seed, flow_run.scheduled_start_time)
    plan = plan_pipeline(preset, number, where)
    require_room(plan.stores.values())
    before = _registered(where)
    produced = produce(plan, where)
    outcome = verdict(produced, before)
    if keep is not None and seed == "date":
        removed = remove_old_nights(where, plan.training.preset, number or 0, keep)
        outcome += f" Removed the stores of {len(removed)} earlier nights." if removed else ""
    leave_note("nightly", outcome, f"Outcome of {flow_run.name or 'the run'}")
    return Completed(message=outcome, data=produced)


def verdict(produced: Produced, before: list[RegisteredVersion]) -> str:
    """Return the outcome of a night in one or two sentences.

    Args:
        produced: what it produced.
        before: the versions that were registered before.
    """
    version = produced.registered
    reference = f"{version.name}/{version.version}"
    partitions = sum(store.made for store in produced.stores.values())
    if (version.name, version.version) not in {(each.name, each.version) for each in before}:
        return f"{reference} is {version.promotion}"
    if partitions:
        return f"Made {partitions} missing partitions again; {reference} is as it was."
    return (
        f"Nothing new: {reference} was made from this data with this seed before, and is as it was. Another "
        "seed makes another challenger."
    )


def _registered(workspace: Workspace) -> list[RegisteredVersion]:
    try:
        return every_version(workspace.tracking_uri)
    except MistworksError:
        # There is no registry yet. A broken one is reported by the first step that needs it.
        return []


__all__ = ["Keep", "nightly", "verdict"]
