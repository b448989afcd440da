"""The flow that puts a registered version to the gate, and makes it champion where it passes."""

from contextlib import suppress
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.parameters import Where
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from storage.promotion import ChampionMovedError, champion
from storage.registry import CHAMPION, RegisteredVersion, lookup
from tasks.registration import compare_with_champion, promote_version

_ROUNDS = 5


@flow(name="promote", flow_run_name="promote-{reference}", persist_result=False)
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
        MistworksError: there is no such version, it does not pass, or another one became champion while it
            was compared; the champion stays who it is.
    """
    tracking_uri = (workspace or Workspace.of()).tracking_uri
    version = lookup(reference, tracking_uri)
    present = champion(tracking_uri, version.name)
    if present is not None and present.version == version.version:
        return present
    comparison = compare_with_champion(f"{version.name}/{version.version}", tracking_uri)
    outcome = promote_version(comparison, tracking_uri, force=force)
    if CHAMPION not in outcome.aliases:
        stays = "none" if present is None else f"{present.name}/{present.version}"
        raise MistworksError(
            f"{version.name}/{version.version} is not promoted: {comparison.decision.sentence}; the champion "
            f"stays {stays}; promote a better one, or this one with --force"
        )
    return outcome


def settle(version: RegisteredVersion, tracking_uri: str) -> RegisteredVersion:
    """Let the gate decide about a version that was just registered, unless it has; none is refused by error.

    Where another version becomes champion meanwhile, it is compared with that one.

    Raises:
        ChampionMovedError: the champion keeps moving.
    """
    if version.decided:
        return version
    for _ in range(_ROUNDS - 1):
        with suppress(ChampionMovedError):
            return _settle(version, tracking_uri)
    return _settle(version, tracking_uri)


def _settle(version: RegisteredVersion, tracking_uri: str) -> RegisteredVersion:
    comparison = compare_with_champion(f"{version.name}/{version.version}", tracking_uri)
    return promote_version(comparison, tracking_uri)
