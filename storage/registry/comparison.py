"""Measure two registered versions side by side, so that the gate can decide which is champion."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from mistworks.baselines.trained import Trained
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.evaluation.gate import Decision, GateConfig, decide
from mistworks.evaluation.invariance import check_invariances
from mistworks.evaluation.runner import random_part, run_chunk
from mistworks.evaluation.suites.stored import StoredSuite
from mistworks.evaluation.timing import time_share
from storage.datasets.catalogue import find_by_content
from storage.errors import StoreUnreachableError
from storage.places.location import Location
from storage.registry.lineage import RegisteredVersion
from storage.registry.versions import load

_TIMED = 16


def decide_between(
    challenger: RegisteredVersion,
    present: RegisteredVersion | None,
    tracking_uri: str,
    stores: Sequence[Location],
    config: GateConfig | None,
) -> Decision:
    """Let the gate decide between a version and the champion, if there is one.

    Both are measured again, on the validation data of both trainings.

    Args:
        challenger: the version that may become champion.
        present: the present champion, or None.
        tracking_uri: where the registry is.
        stores: places to search for validation data that are no longer where they were recorded.
        config: conditions of the gate.

    Raises:
        MistworksError: an estimator cannot be loaded, or validation data are in none of the places.
    """
    compared = [challenger] if present is None else [challenger, present]
    entrants = [
        Trained(f"{version.name}/{version.version}", load(version.uri, tracking_uri)) for version in compared
    ]
    suites = _validation_suites(compared, stores)
    results = [[run_chunk(each, suite, range(len(suite))) for suite in suites] for each in entrants]
    estimator = entrants[0].estimator
    checks = check_invariances(estimator.estimate, estimator.network.invariances, estimator.training_range)
    share = 1.0 if present is None else _time_share(entrants[0], entrants[1], suites[0])
    return decide(results[0], None if present is None else results[1], checks, config, time_share=share)


def _time_share(challenger: Trained, present: Trained, suite: StoredSuite) -> float:
    """Time of the first as a share of the second's, on a few datasets of the suite, one by one."""
    samples = [suite.sample(position) for position in random_part(len(suite), _TIMED)]
    return time_share(_on(samples, challenger), _on(samples, present), len(samples))


def _on(samples: Sequence[tuple[FloatArray, FloatArray]], entrant: Trained) -> Callable[[int], None]:
    def estimate(number: int) -> None:
        # Where it fails, another condition of the gate says so.
        with suppress(Exception):
            entrant.estimate(*samples[number])

    return estimate


def _validation_suites(
    versions: Sequence[RegisteredVersion], stores: Sequence[Location]
) -> list[StoredSuite]:
    """Find the validation splits of some versions, without repeats.

    Raises:
        MistworksError: a split is neither where it was recorded nor in the stores.
    """
    owners = {version.lineage.validation_hash: version for version in reversed(versions)}
    suites: list[StoredSuite] = []
    for content_hash, version in reversed(owners.items()):
        reference = f"{version.name}/{version.version}"
        recorded = Location.parse(version.lineage.validation_store)
        try:
            store = find_by_content("validation", content_hash, (recorded, *stores))
        except StoreUnreachableError:
            raise
        except MistworksError as error:
            raise MistworksError(f"{reference} was not compared and nothing was decided. {error}") from None
        name = "validation" if not suites else f"validation-of-{version.name}-{version.version}"
        suites.append(StoredSuite(store, name, content_hash))
    return suites


__all__ = ["decide_between"]
