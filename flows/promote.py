"""The flow that puts a registered version to the gate, and makes it champion where it passes."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from prefect.events import emit_event
from pydantic import Field

from flows.declaration import flow
from flows.parameters import Where
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from storage.errors import StoreUnreachableError
from storage.registry.lineage import CHAMPION, RegisteredVersion
from storage.registry.promotion import ChampionMovedError, champion
from storage.registry.versions import lookup
from tasks.registration import Comparison, compare_with_champion, compare_with_nobody, promote_version

PROMOTED_EVENT = "mistworks.champion.promoted"
"""What Prefect's automations may wait for: sent when a version has become champion."""

_ROUNDS = 5


@flow("promote", "promote-{reference}")
def promote(
    reference: Annotated[str, Field(description="A registered version, such as mist/4.")],
    force: Annotated[bool, Field(description="Promote whatever the gate finds; it is recorded.")] = False,
    workspace: Where = None,
) -> RegisteredVersion:
    """Make a version champion if it passes the gate, or by force; one that is champion stays so.

    Args:
        reference: the version, such as ``"mist/4"``.
        force: become champion whatever the gate finds.
        workspace: where the registry is.

    Raises:
        MistworksError: there is no such version, it does not pass, it cannot be compared here, or another one
            became champion while it was compared; the champion stays who it is.
    """
    where = workspace or Workspace.of()
    tracking_uri = where.tracking_uri
    version = lookup(reference, tracking_uri)
    present = champion(tracking_uri, version.name)
    if present is not None and present.version == version.version:
        return present
    comparison = _compare(f"{version.name}/{version.version}", where, force=force)
    outcome = _promoted(comparison, tracking_uri, force=force)
    if CHAMPION not in outcome.aliases:
        stays = "none" if present is None else f"{present.name}/{present.version}"
        raise MistworksError(
            f"{version.name}/{version.version} is not promoted: {comparison.decision.sentence}; the champion "
            f"stays {stays}; promote a better one, or this one with --force"
        )
    return outcome


def _compare(reference: str, where: Workspace, *, force: bool) -> Comparison:
    try:
        return compare_with_champion(reference, where.tracking_uri, (where.stores,))
    except StoreUnreachableError:
        raise
    except MistworksError as error:
        if not force:
            raise
        return compare_with_nobody(reference, where.tracking_uri, str(error))


def settle(version: RegisteredVersion, tracking_uri: str, stores: Sequence[str] = ()) -> RegisteredVersion:
    """Let the gate decide about a version that was just registered, unless it has; none is refused by error.

    Where another version becomes champion meanwhile, it is compared with that one.

    Args:
        version: the version.
        tracking_uri: where the registry is.
        stores: places to look for validation data that are not where they were recorded.

    Raises:
        ChampionMovedError: the champion keeps moving.
        MistworksError: it cannot be compared here; it stays undecided.
    """
    if version.decided:
        return version
    for _ in range(_ROUNDS - 1):
        with suppress(ChampionMovedError):
            return _settle(version, tracking_uri, stores)
    return _settle(version, tracking_uri, stores)


def _settle(version: RegisteredVersion, tracking_uri: str, stores: Sequence[str]) -> RegisteredVersion:
    comparison = compare_with_champion(f"{version.name}/{version.version}", tracking_uri, stores)
    return _promoted(comparison, tracking_uri)


def _promoted(comparison: Comparison, tracking_uri: str, *, force: bool = False) -> RegisteredVersion:
    """Record the decision; where the version becomes champion by it, tell whoever waits for that."""
    outcome = promote_version(comparison, tracking_uri, force=force)
    if CHAMPION in outcome.aliases and comparison.against != outcome.version:
        emit_event(
            event=PROMOTED_EVENT,
            resource={
                "prefect.resource.id": f"mistworks.model.{outcome.name}",
                "prefect.resource.name": outcome.name,
                "mistworks.model.uri": outcome.uri,
            },
            payload={
                "version": outcome.version,
                "uri": outcome.uri,
                "former_version": comparison.against,
                "run_id": outcome.lineage.run_id,
                "weights_sha256": outcome.lineage.weights_sha256,
                "calibration_sha256": outcome.lineage.calibration_sha256,
                "train_hash": outcome.lineage.train_hash,
                "validation_hash": outcome.lineage.validation_hash,
            },
        )
    return outcome
