"""The flow that compares a registered version with the champion, and promotes it if it passes the gate."""

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
from storage.places.location import Location
from storage.registry.lineage import CHAMPION, RegisteredVersion
from storage.registry.promotion import ChampionMovedError, champion
from storage.registry.versions import lookup
from tasks.registration import Comparison, compare_with_champion, compare_with_nobody, promote_version

PROMOTED_EVENT = "mistworks.champion.promoted"
"""An event for Prefect's automations, sent when a version has become champion."""

_ROUNDS = 5


@flow("promote", "promote-{reference}")
def promote(
    reference: Annotated[str, Field(description="A registered version, such as mist/4.")],
    force: Annotated[bool, Field(description="Promote whatever the gate decides. This is recorded.")] = False,
    workspace: Where = None,
) -> RegisteredVersion:
    """Make a version champion if it passes the gate, or by force. The present champion stays so.

    Args:
        reference: the version, such as ``"mist/4"``.
        force: make it champion whatever the gate decides.
        workspace: where the registry is.

    Raises:
        MistworksError: there is no such version, it does not pass, it cannot be compared here, or another
            version became champion in the meantime. The champion does not change.
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
            f"{version.name}/{version.version} is not promoted: {comparison.decision.sentence}. The champion "
            f"stays {stays}. Promote a better one, or this one with --force."
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


def settle(
    version: RegisteredVersion, tracking_uri: str, stores: Sequence[Location] = ()
) -> RegisteredVersion:
    """Let the gate decide about a newly registered version, unless it has. A refusal is no error.

    If another version becomes champion in the meantime, it is compared with that one.

    Args:
        version: the version.
        tracking_uri: where the registry is.
        stores: places to search for validation data that are no longer where they were recorded.

    Raises:
        ChampionMovedError: the champion keeps changing.
        MistworksError: it cannot be compared here, and stays undecided.
    """
    if version.decided:
        return version
    for _ in range(_ROUNDS - 1):
        with suppress(ChampionMovedError):
            return _settle(version, tracking_uri, stores)
    return _settle(version, tracking_uri, stores)


def _settle(version: RegisteredVersion, tracking_uri: str, stores: Sequence[Location]) -> RegisteredVersion:
    comparison = compare_with_champion(f"{version.name}/{version.version}", tracking_uri, stores)
    return _promoted(comparison, tracking_uri)


def _promoted(comparison: Comparison, tracking_uri: str, *, force: bool = False) -> RegisteredVersion:
    """Record the decision. If the version becomes champion, send the event."""
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


__all__ = ["PROMOTED_EVENT", "promote", "settle"]
