"""Promotion and rollback: move the alias ``champion`` as the gate decided, and record decisions as tags.

The alias is moved last, by one write. A promotion that is killed earlier has not changed the champion, and
what its tags say beyond the alias is ignored (see `storage.registry.lineage.champions`).

MLflow has no compare-and-swap for aliases, and an MLflow server has no lock across machines. There, the
verdict that a promotion writes before it moves the alias serves as its claim to succeed one champion. After
writing a claim, a promotion looks for others: of two claims to the same place at least one sees the other,
and the later version gives way.
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
# Longer than a promotion takes from its claim to the alias. An older claim belongs to a dead process.
_TURNS_TO_WAIT, _SECONDS_A_TURN = 40, 0.25


class ChampionMovedError(MistworksError):
    """The champion is no longer the one that the challenger was compared with."""


def champion(tracking_uri: str, name: str = MODEL) -> RegisteredVersion | None:
    """Return the champion of a registered model, or None."""
    client = open_client(tracking_uri)
    order = champions(client.get_registered_model(name))
    return read_version(client, client.get_model_version(name, str(order[-1]))) if order else None


def promote(
    reference: str, decision: Decision, against: int | None, tracking_uri: str, *, force: bool = False
) -> RegisteredVersion:
    """Make a version champion if the gate accepted it, or by force. Record the decision either way.

    Args:
        reference: the version, such as ``"mist/4"``.
        decision: the decision of the gate.
        against: the champion that it was compared with, or None.
        tracking_uri: where the registry is.
        force: make it champion whatever the gate decided. This is recorded.

    Returns:
        The version afterwards; its ``aliases`` say whether it is champion.

    Raises:
        ChampionMovedError: another version has become champion since then, or is about to. Nothing is decided
            about this one.
        MistworksError: there is no such version.
    """
    client = open_client(tracking_uri)
    version = resolve(client, reference, tracking_uri)
    with exclusive(tracking_uri):
        order = champions(client.get_registered_model(version.name))
        present = order[-1] if order else None
        if present != against:
            raise _moved(version, against, present)
        if present != int(version.version):
            promoted = decision.passed or force
            # A former champion stays recorded as such if it does not become champion again.
            verdict = promoted or int(version.version) not in order
            _record(client, version, decision, against, force=force, verdict=verdict)
            if promoted:
                _await_turn(client, version, against, spans_machines=not is_server(tracking_uri))
                _set_champion(client, version, against, (*order, int(version.version)))
        return read_version(client, client.get_model_version(version.name, version.version))


def rollback(tracking_uri: str, name: str = MODEL) -> RegisteredVersion:
    """Make the previous champion champion again. Repeated calls go further back.

    Returns:
        The version that is champion now.

    Raises:
        MistworksError: there is no champion, or none before it still exists. Nothing is changed.
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
                f"Expected a champion before {name}/{number} to restore, got none: it is the first of "
                f"{name}. Nothing was changed. Promote another version instead."
            )
        _tag(client, withdrawn, {ROLLED_BACK_TAG: _now()})
        client.set_registered_model_alias(name, CHAMPION, str(former[-1]))
        client.set_registered_model_tag(name, CHAMPIONS_TAG, ",".join(map(str, former)))
        return read_version(client, client.get_model_version(name, str(former[-1])))


def _set_champion(
    client: "MlflowClient", version: "ModelVersion", against: int | None, order: tuple[int, ...]
) -> None:
    client.set_registered_model_tag(version.name, CHAMPIONS_TAG, ",".join(map(str, order)))
    client.set_registered_model_alias(version.name, CHAMPION, str(order[-1]))
    if (present := _present(client, version.name)) != order[-1]:
        raise _moved(version, against, present)


def _await_turn(
    client: "MlflowClient", version: "ModelVersion", against: int | None, *, spans_machines: bool
) -> None:
    """Give way to a promotion with the same claim if its version is earlier, or if it is finished.

    Args:
        client: client of the registry.
        version: the version whose verdict was just written.
        against: the champion that it is to succeed.
        spans_machines: whether the lock that is held spans machines. Then any other claim is a dead
            process's.

    Raises:
        ChampionMovedError: the other one goes first, and the verdict is withdrawn.
    """
    while True:
        present, rivals = _standing(client, version, against)
        if present != against:
            _withdraw(client, version)
            raise _moved(version, against, present)
        if not rivals:
            return
        if spans_machines or not _cleared(client, version, against, rivals):
            for rival in rivals:
                _withdraw(client, rival)


def _cleared(
    client: "MlflowClient", version: "ModelVersion", against: int | None, rivals: Sequence["ModelVersion"]
) -> bool:
    """Whether all rivals finish within the time that a living one takes. Earlier ones go first."""
    gives_way = any(int(rival.version) < int(version.version) for rival in rivals)
    if gives_way:
        _withdraw(client, version)
    try:
        for _ in range(_TURNS_TO_WAIT):
            present, remaining = _standing(client, version, against)
            if present != against or not remaining:
                return True
            time.sleep(_SECONDS_A_TURN)
        return False
    finally:
        if gives_way:
            _tag(client, version, {PROMOTED_TAG: "true"})


def _standing(
    client: "MlflowClient", version: "ModelVersion", against: int | None
) -> tuple[int | None, list["ModelVersion"]]:
    """Return the champion, and other versions whose verdict says that they succeed ``against`` but never did.

    The champion is read once, before the verdicts: a rival that becomes champion in between still counts as a
    rival, and the next call sees that the champion moved. What the tag of champions says beyond the alias is
    ignored here, since a rival writes it first.
    """
    order = champions(client.get_registered_model(version.name))
    known = {*map(str, order), version.version}
    rivals = [
        other
        for other in model_versions(client, version.name)
        if other.version not in known
        and other.tags.get(PROMOTED_TAG) == "true"
        and other.tags.get(_AGAINST) == _version(against)
        and ROLLED_BACK_TAG not in other.tags
    ]
    return (order[-1] if order else None), rivals


def _withdraw(client: "MlflowClient", version: "ModelVersion") -> None:
    """Leave a version undecided by removing the part of its verdict that counts."""
    client.delete_model_version_tag(version.name, version.version, PROMOTED_TAG)


def _present(client: "MlflowClient", name: str) -> int | None:
    order = champions(client.get_registered_model(name))
    return order[-1] if order else None


def _moved(version: "ModelVersion", against: int | None, present: int | None) -> ChampionMovedError:
    return ChampionMovedError(
        f"Expected the champion of {version.name} to stay {_version(against)} while "
        f"{version.name}/{version.version} was compared with it, got {_version(present)}. Nothing was "
        "changed. Promote again."
    )


def _record(
    client: "MlflowClient",
    version: "ModelVersion",
    decision: Decision,
    against: int | None,
    *,
    force: bool,
    verdict: bool,
) -> None:
    """Replace the record of a version. The old verdict is removed first, and a new one is written last."""
    replaced = [key for key in version.tags if key.startswith(_GATE) and key != _FORCED]
    if verdict:
        replaced = [*(key for key in _VERDICT if key in version.tags), *replaced]
    for key in replaced:
        client.delete_model_version_tag(version.name, version.version, key)
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
    _tag(client, version, tags)


def _sentence(decision: Decision, *, force: bool) -> str:
    if decision.passed:
        return f"champion: {decision.sentence}"
    return f"{'champion by force, although' if force else 'not champion:'} {decision.sentence}"


def _tag(client: "MlflowClient", version: "ModelVersion", tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(version.name, version.version, key, value)


def _exists(client: "MlflowClient", name: str, number: int) -> bool:
    return bool(client.search_model_versions(f"name = '{name}' and version_number = {number}"))


def _version(number: int | None) -> str:
    return "none" if number is None else f"version {number}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


__all__ = ["ChampionMovedError", "champion", "promote", "rollback"]
