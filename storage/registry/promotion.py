"""Who is champion: the alias moved by what the gate decided, and back; every decision kept as tags.

The alias is moved last, by one write: a promotion that is killed before has changed nobody's champion, and
what its tags say ahead of the alias is not believed (see `storage.registry.lineage.champions`).

MLflow has no compare-and-swap for aliases, and an MLflow server no lock that spans machines. There the
verdict that a promotion writes before it moves the alias is its claim to follow one champion. Whoever has
written a claim looks for others: of two that claim the same place at least one sees the other, and the later
version gives way.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mistworks.errors import MistworksError
from mistworks.evaluation.gate import Decision
from storage.registry.lineage import (
    CHAMPION,
    CHAMPIONS_TAG,
    MODEL,
    PROMOTED_TAG,
    PROMOTION_TAG,
    ROLLED_BACK_TAG,
    RegisteredVersion,
    champions,
    model_versions,
    read_version,
)
from storage.registry.tracking import exclusive, is_server, open_client
from storage.registry.versions import resolve

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_GATE = "mistworks.gate."
_FORCED = f"{_GATE}forced"
_AGAINST = f"{_GATE}against"
_VERDICT = (PROMOTION_TAG, PROMOTED_TAG, ROLLED_BACK_TAG)
# Longer than a promotion takes between its claim and the alias; a claim that stays is that of a dead process.
_TURNS_TO_WAIT, _SECONDS_A_TURN = 40, 0.25


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
        ChampionMovedError: another version has become champion since, or is about to; nothing is decided
            about this one.
        MistworksError: there is no such version.
    """
    client = open_client(tracking_uri)
    found = resolve(client, reference, tracking_uri)
    with exclusive(tracking_uri):
        order = champions(client.get_registered_model(found.name))
        present = order[-1] if order else None
        if present != against:
            raise _moved(found, against, present)
        if present != int(found.version):
            promoted = decision.passed or force
            # One that was champion stays known as such when it does not become it again.
            verdict = promoted or int(found.version) not in order
            _record(client, found, decision, against, force=force, verdict=verdict)
            if promoted:
                _await_turn(client, found, against, spans_machines=not is_server(tracking_uri))
                _set_champion(client, found, against, (*order, int(found.version)))
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


def _set_champion(
    client: "MlflowClient", found: "ModelVersion", against: int | None, order: tuple[int, ...]
) -> None:
    client.set_registered_model_tag(found.name, CHAMPIONS_TAG, ",".join(map(str, order)))
    client.set_registered_model_alias(found.name, CHAMPION, str(order[-1]))
    if (present := _present(client, found.name)) != order[-1]:
        raise _moved(found, against, present)


def _await_turn(
    client: "MlflowClient", found: "ModelVersion", against: int | None, *, spans_machines: bool
) -> None:
    """Let a promotion that claims the same place go first if its version is earlier, or is done already.

    Args:
        client: of the registry.
        found: the version whose verdict was just written.
        against: the champion that it is to follow.
        spans_machines: whether the lock that is held does, so that any other claim is a dead process's.

    Raises:
        ChampionMovedError: the other one goes first; the verdict is withdrawn.
    """
    while True:
        present, rivals = _standing(client, found, against)
        if present != against:
            _withdraw(client, found)
            raise _moved(found, against, present)
        if not rivals:
            return
        if spans_machines or not _cleared(client, found, against, rivals):
            for rival in rivals:
                _withdraw(client, rival)


def _cleared(
    client: "MlflowClient", found: "ModelVersion", against: int | None, rivals: Sequence["ModelVersion"]
) -> bool:
    """Whether rivals end within the time that a living one takes; earlier ones are let go first."""
    gives_way = any(int(rival.version) < int(found.version) for rival in rivals)
    if gives_way:
        _withdraw(client, found)
    try:
        for _ in range(_TURNS_TO_WAIT):
            present, remaining = _standing(client, found, against)
            if present != against or not remaining:
                return True
            time.sleep(_SECONDS_A_TURN)
        return False
    finally:
        if gives_way:
            _tag(client, found, {PROMOTED_TAG: "true"})


def _standing(
    client: "MlflowClient", found: "ModelVersion", against: int | None
) -> tuple[int | None, list["ModelVersion"]]:
    """The champion, and other versions with a verdict that they follow ``against``, which never did so.

    The champion is read once, and before the verdicts: a rival that becomes champion in between is still seen
    as one, and the next look sees that the champion moved. What the tag of champions says ahead of the alias
    counts for nothing here, since a rival writes it first.
    """
    order = champions(client.get_registered_model(found.name))
    known = {*map(str, order), found.version}
    rivals = [
        other
        for other in model_versions(client, found.name)
        if other.version not in known
        and other.tags.get(PROMOTED_TAG) == "true"
        and other.tags.get(_AGAINST) == _version(against)
        and ROLLED_BACK_TAG not in other.tags
    ]
    return (order[-1] if order else None), rivals


def _withdraw(client: "MlflowClient", found: "ModelVersion") -> None:
    """Leave a version undecided: what is missing of a verdict is the part that counts."""
    client.delete_model_version_tag(found.name, found.version, PROMOTED_TAG)


def _present(client: "MlflowClient", name: str) -> int | None:
    order = champions(client.get_registered_model(name))
    return order[-1] if order else None


def _moved(found: "ModelVersion", against: int | None, present: int | None) -> ChampionMovedError:
    return ChampionMovedError(
        f"the champion of {found.name} moved from {_version(against)} to {_version(present)} while "
        f"{found.name}/{found.version} was compared with it; nothing was changed, so promote again"
    )


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
        _AGAINST: _version(against),
        f"{_GATE}passed": str(decision.passed).lower(),
    }
    for condition in decision.conditions:
        outcome = "passed" if condition.passed else "failed"
        tags[f"{_GATE}condition.{condition.name.replace(' ', '_')}"] = f"{outcome}: {condition.detail}"
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
