"""Who is champion: the alias moved by what the gate decided, and back; every decision kept as tags.

The alias is moved last, by one write: a promotion that is killed before has changed nobody's champion, and
what its tags say ahead of the alias is not believed (see `storage.registry.champions`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mistworks.errors import MistworksError
from mistworks.evaluation.gate import Decision
from storage.registry import (
    CHAMPION,
    CHAMPIONS_TAG,
    MODEL,
    PROMOTED_TAG,
    PROMOTION_TAG,
    ROLLED_BACK_TAG,
    RegisteredVersion,
    champions,
    read_version,
    resolve,
)
from storage.tracking import exclusive, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_GATE = "mistworks.gate."
_FORCED = f"{_GATE}forced"
_VERDICT = (PROMOTION_TAG, PROMOTED_TAG, ROLLED_BACK_TAG)


class ChampionMovedError(MistworksError):
    """The champion is no longer the one that the challenger was compared with."""


def champion(tracking_uri: str, name: str = MODEL) -> RegisteredVersion | None:
    """The champion of a registered model that has versions, or none."""
    client = open_client(tracking_uri)
    order = champions(client.get_registered_model(name))
    return read_version(client, client.get_model_version(name, str(order[-1]))) if order else None


def promote(
    reference: str, decision: Decision, against: int | None, tracking_uri: str, *, force: bool = False
) -> RegisteredVersion:
    """Make a version champion if the gate let it pass, or by force; record the decision on it either way.

    Args:
        reference: the version, such as ``"mist/4"``.
        decision: what the gate found.
        against: the version that was champion when it was compared, None where there was none.
        tracking_uri: where the registry is.
        force: become champion whatever the gate found, which is recorded.

    Returns:
        The version as it is afterwards; ``aliases`` tells whether it is champion.

    Raises:
        ChampionMovedError: another version has become champion since; nothing is changed.
        MistworksError: there is no such version.
    """
    client = open_client(tracking_uri)
    found = resolve(client, reference, tracking_uri)
    with exclusive(tracking_uri):
        order = champions(client.get_registered_model(found.name))
        present = order[-1] if order else None
        if present != against:
            raise ChampionMovedError(
                f"the champion of {found.name} moved from {_version(against)} to {_version(present)} while "
                f"{found.name}/{found.version} was compared with it; nothing was changed, so promote again"
            )
        if present != int(found.version):
            promoted = decision.passed or force
            # One that was champion stays known as such when it does not become it again.
            verdict = promoted or int(found.version) not in order
            _record(client, found, decision, against, force=force, verdict=verdict)
            if promoted:
                _set_champion(client, found.name, (*order, int(found.version)))
        return read_version(client, client.get_model_version(found.name, found.version))


def rollback(tracking_uri: str, name: str = MODEL) -> RegisteredVersion:
    """Make the previous champion champion again; repeated, it walks further back.

    Returns:
        The version that is champion now.

    Raises:
        MistworksError: there is no champion, or none before it that still exists; nothing is changed.
    """
    client = open_client(tracking_uri)
    with exclusive(tracking_uri):
        withdrawn = resolve(client, f"{name}@{CHAMPION}", tracking_uri)
        number = int(withdrawn.version)
        former = [*champions(client.get_registered_model(name))[:-1]]
        while former and (former[-1] == number or not _exists(client, name, former[-1])):
            former.pop()
        if not former:
            raise MistworksError(
                f"{name}/{number} is the first champion of {name}, so there is none before it to restore; "
                "nothing was changed; promote another version instead"
            )
        _tag(client, withdrawn, {ROLLED_BACK_TAG: _now()})
        client.set_registered_model_alias(name, CHAMPION, str(former[-1]))
        client.set_registered_model_tag(name, CHAMPIONS_TAG, ",".join(map(str, former)))
        return read_version(client, client.get_model_version(name, str(former[-1])))


def _set_champion(client: "MlflowClient", name: str, order: tuple[int, ...]) -> None:
    client.set_registered_model_tag(name, CHAMPIONS_TAG, ",".join(map(str, order)))
    client.set_registered_model_alias(name, CHAMPION, str(order[-1]))


def _record(
    client: "MlflowClient",
    found: "ModelVersion",
    decision: Decision,
    against: int | None,
    *,
    force: bool,
    verdict: bool,
) -> None:
    """Replace what was recorded about a version; the verdict, if it is to be, goes first and comes last."""
    replaced = [key for key in found.tags if key.startswith(_GATE) and key != _FORCED]
    if verdict:
        replaced = [*(key for key in _VERDICT if key in found.tags), *replaced]
    for key in replaced:
        client.delete_model_version_tag(found.name, found.version, key)
    tags = {
        f"{_GATE}decided": _now(),
        f"{_GATE}against": _version(against),
        f"{_GATE}passed": str(decision.passed).lower(),
    }
    for condition in decision.conditions:
        outcome = "passed" if condition.passed else "failed"
        tags[f"{_GATE}condition.{condition.name.replace(' ', '_')}"] = f"{outcome}: {condition.told}"
    for figure, value in decision.figures.items():
        tags[f"{_GATE}figure.{figure}"] = repr(float(value))
    if force:
        tags[_FORCED] = _now()
    if verdict:
        tags[PROMOTION_TAG] = _sentence(decision, force=force)
        tags[PROMOTED_TAG] = str(decision.passed or force).lower()
    _tag(client, found, tags)


def _sentence(decision: Decision, *, force: bool) -> str:
    if decision.passed:
        return f"champion: {decision.sentence}"
    return f"{'champion by force, although' if force else 'not champion:'} {decision.sentence}"


def _tag(client: "MlflowClient", found: "ModelVersion", tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(found.name, found.version, key, value)


def _exists(client: "MlflowClient", name: str, number: int) -> bool:
    return bool(client.search_model_versions(f"name = '{name}' and version_number = {number}"))


def _version(number: int | None) -> str:
    return "none" if number is None else f"version {number}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
