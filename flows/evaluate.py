"""The flow that runs estimators on suites, stores every result, and repeats none."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import ConfigDict, Field, model_serializer

from flows.artifacts import leave_table
from flows.declaration import flow
from flows.parameters import Models, Suites, Where, named, run_name
from flows.progress import progress
from flows.services import dask_cluster
from flows.workspace import Workspace
from mistworks.baselines import bare_name
from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from mistworks.evaluation.measures import AccuracyRow, accuracy
from mistworks.evaluation.results import Results
from mistworks.evaluation.runner import Identity, aligned, identities, random_part
from mistworks.evaluation.suites import Suite
from mistworks.evaluation.summary import SummaryRow, summarise
from storage.datasets.store import Store
from storage.evaluations.estimators import EstimatorReference, find_estimators
from storage.evaluations.results import ResultStore
from storage.evaluations.run_log import log_evaluation
from storage.evaluations.suites import SuiteReference, find_suite, suite_of
from storage.places.location import Location
from tasks.evaluation import Pairing, evaluate_positions
from tasks.jobs import Job
from tasks.on_dask import run_on_dask

SLOW_LIMIT = 120


@dataclass(frozen=True)
class Evaluated:
    """The results of estimators beside the true values.

    Attributes:
        results: one entry per suite and estimator, suites in the outer order.
        suites: by name.
        datasets: number of datasets of each suite; slow estimators are evaluated on a part of them.
        estimators: the estimators compared.
        computed: number of estimates that this run computed; the others existed.
        seconds: time taken.
    """

    results: tuple[Results, ...]
    suites: Mapping[str, Suite]
    datasets: Mapping[str, int]
    estimators: tuple[EstimatorReference, ...]
    computed: int
    seconds: float

    def summary(self) -> list[SummaryRow]:
        """Return one row per suite and estimator."""
        return [summarise(part) for part in self.results]

    def accuracy(self, prior_mean: float | None = None) -> tuple[AccuracyRow, ...]:
        """Return accuracy by family, n and dimension, compared with a constant, the mean MI in nats."""
        return tuple(row for part in self.results for row in accuracy(part, prior_mean=prior_mean))


@dataclass(frozen=True)
class OpenSuite:
    """An open suite.

    Attributes:
        reference: a reference from which another process opens it.
        suite: the suite.
    """

    reference: SuiteReference
    suite: Suite

    @cached_property
    def positions(self) -> Mapping[Identity, int]:
        """Positions of its datasets by their identities."""
        return identities(self.suite)

    @classmethod
    def of_store(cls, store: Store) -> Self:
        """Take the datasets of a store.

        Raises:
            MistworksError: the store is incomplete.
        """
        return cls(*suite_of(store))


class EvaluationPlan(FrozenConfig):
    """Open estimators and suites to compare. In recorded parameters, names stand for them.

    Attributes:
        estimators: estimators to compare.
        suites: suites to evaluate them on.
        slow_limit: maximum number of datasets of each suite for a slow estimator.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    estimators: tuple[EstimatorReference, ...]
    suites: tuple[OpenSuite, ...]
    slow_limit: int = SLOW_LIMIT

    @model_serializer
    def _names(self) -> dict[str, Any]:
        return {"models": self._models, "suites": self._places, "slow_limit": self.slow_limit}

    @property
    def _models(self) -> list[str]:
        return [estimator.label for estimator in self.estimators]

    @property
    def _places(self) -> list[str]:
        return [suite.reference.text for suite in self.suites]

    @property
    def title(self) -> str:
        """Name of its runs."""
        return named("evaluate", self._models, self._places)

    @property
    def folders(self) -> list[Location]:
        """Local folders from which workers read estimators and datasets."""
        texts = [bare_name(estimator.text) for estimator in self.estimators] + self._places
        return [Location(text, path) for text in texts if (path := Path(text)).is_dir()]

    def pairings(self) -> "list[_Pairing]":
        """Pair each estimator with each suite, suites in the outer order."""
        return [
            _Pairing(
                suite,
                estimator,
                frozenset(
                    random_part(
                        len(suite.positions), self.slow_limit if estimator.slow else None, suite.suite.block
                    )
                ),
            )
            for suite in self.suites
            for estimator in self.estimators
        ]


@dataclass(frozen=True)
class _Pairing:
    """One estimator on one suite.

    Attributes:
        suite: the suite.
        estimator: the estimator.
        wanted: positions of the datasets it is evaluated on.
    """

    suite: OpenSuite
    estimator: EstimatorReference
    wanted: frozenset[int]

    def read(self, store: ResultStore) -> Results | None:
        """Return the wanted rows that exist."""
        suite = self.suite.suite
        kept = store.read(suite.name, suite.version, self.estimator.name, self.estimator.version)
        if kept is None:
            return None
        rows = aligned(kept, self.suite.positions)
        return rows[np.isin(rows.position, list(self.wanted))]

    def missing(self, store: ResultStore) -> list[int]:
        """Return the positions without rows."""
        kept = self.read(store)
        return sorted(self.wanted - (set() if kept is None else set(kept.position.tolist())))

    def job(self, store: ResultStore) -> Job:
        """Return the work for Dask, without items if nothing is missing."""
        return Job(
            Pairing(self.suite.reference, self.estimator, store.place),
            self.missing(store),
            lambda position: f"{self.estimator.label} on dataset {position} of {self.suite.suite.name}",
            lambda: self.missing(store),
        )


@flow("evaluate", run_name("evaluate", "models", "suites"))
def evaluate(
    models: Models,
    suites: Suites,
    sizes: Annotated[
        Sequence[Annotated[int, Field(ge=1, le=10**6)]] | None,
        Field(description="Sample sizes n, for suites that support several. Default: those of the suite."),
    ] = None,
    slow_limit: Annotated[
        int, Field(ge=1, description="Datasets of each suite that a slow estimator is evaluated on.")
    ] = SLOW_LIMIT,
    run_id: Annotated[
        str | None, Field(description="MLflow run to log the accuracy on. Default: none.")
    ] = None,
    workspace: Where = None,
) -> Evaluated:
    """Evaluate each estimator on each suite, and read the results that are stored already.

    Args:
        models: baselines, groups of baselines, registered versions and folders; any with ``"+bootstrap"``.
        suites: names of suites, paths or URLs of stores.
        sizes: n of the datasets, for suites that support several; those of the suite if None.
        slow_limit: maximum number of datasets of each suite for a slow estimator.
        run_id: the MLflow run on which accuracy is logged, or None.
        workspace: where results, the registry and the Dask cluster are.

    Raises:
        MistworksError: an estimator, a suite or the run does not exist, or datasets could not be evaluated.
    """
    where = workspace or Workspace.of()
    plan = plan_evaluation(models, suites, where, sizes=sizes, slow_limit=slow_limit)
    evaluated = evaluate_in(plan, where, run_id=run_id)
    rows = [asdict(row) for row in evaluated.summary()]
    leave_table("evaluation", rows, f"{len(rows)} pairings of estimators and suites, in nats and nats²")
    return evaluated


def plan_evaluation(
    models: Sequence[str],
    suites: Sequence[str],
    workspace: Workspace,
    *,
    sizes: Sequence[int] | None = None,
    slow_limit: int = SLOW_LIMIT,
) -> EvaluationPlan:
    """Open the estimators and suites of some names; see `evaluate`.

    Raises:
        MistworksError: an estimator or a suite does not exist, or two different ones have the same name.
    """
    return EvaluationPlan(
        estimators=tuple(find_estimators(models, workspace.tracking_uri)),
        suites=tuple(_open_suites(suites, None if sizes is None else tuple(sizes))),
        slow_limit=slow_limit,
    )


def evaluate_in(
    plan: EvaluationPlan, workspace: Workspace, *, run_id: str | None = None, prior_mean: float | None = None
) -> Evaluated:
    """Evaluate as planned, and store the results in a workspace.

    Args:
        plan: the estimators and the suites.
        workspace: where results, the run and the Dask cluster are.
        run_id: see `evaluate`.
        prior_mean: mean MI in nats of the training split, the constant prediction that accuracy is compared
            with.

    Raises:
        MistworksError: see `evaluate`.
    """
    started = time.monotonic()
    pairings, store = plan.pairings(), ResultStore(workspace.results)
    jobs = [job for pairing in pairings if (job := pairing.job(store)).items]
    computed = sum(len(job.items) for job in jobs)
    with dask_cluster(workspace.dask_address, workspace.workers, "tasks.evaluation") as address:
        if jobs:
            with progress("evaluate", computed) as report:
                run_on_dask(
                    evaluate_positions, jobs, "estimates", address, report, [store.place, *plan.folders]
                )
    evaluated = Evaluated(
        results=tuple(_labelled(pairing, store) for pairing in pairings),
        suites={each.suite.name: each.suite for each in plan.suites},
        datasets={each.suite.name: len(each.positions) for each in plan.suites},
        estimators=plan.estimators,
        computed=computed,
        seconds=time.monotonic() - started,
    )
    if run_id is not None:
        log_evaluation(workspace.tracking_uri, run_id, evaluated.results, prior_mean=prior_mean)
    return evaluated


evaluate_planned = flow("evaluate", "{plan.title}", checked=False)(evaluate_in)
"""Run `evaluate_in` as a separate flow."""


def _open_suites(texts: Sequence[str], sizes: tuple[int, ...] | None) -> list[OpenSuite]:
    opened: dict[str, OpenSuite] = {}
    for text in texts:
        reference, suite = find_suite(text, sizes)
        if opened.setdefault(suite.name, OpenSuite(reference, suite)).suite.version != suite.version:
            raise MistworksError(
                f"Expected suites with different names, got two called {suite.name}. Evaluate on them one "
                "after the other."
            )
    return list(opened.values())


def _labelled(pairing: _Pairing, store: ResultStore) -> Results:
    """Rename results from the name of the code to the requested name."""
    kept = pairing.read(store)
    if kept is None or len(kept) < len(pairing.wanted):
        count = 0 if kept is None else len(kept)
        raise MistworksError(
            f"Expected {len(pairing.wanted):,} results of {pairing.estimator.label} on "
            f"{pairing.suite.suite.name} at {store.place}, got {count:,}. Have all workers write to the same "
            "place."
        )
    return replace(kept, estimator=pairing.estimator.label)


__all__ = [
    "SLOW_LIMIT",
    "Evaluated",
    "EvaluationPlan",
    "OpenSuite",
    "evaluate",
    "evaluate_in",
    "evaluate_planned",
    "plan_evaluation",
]
