"""The flow that runs estimators on suites, stores every result, and repeats none."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from flows.artifacts import leave_table
from flows.declaration import flow
from flows.parameters import Models, Suites, Where, run_name
from flows.progress import progress
from flows.services import dask_cluster
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from mistworks.evaluation.measures import AccuracyRow, accuracy
from mistworks.evaluation.results import Results
from mistworks.evaluation.runner import Identity, aligned, identities, random_part
from mistworks.evaluation.summary import SummaryRow, summarise
from storage.evaluations.estimators import EstimatorReference, find_estimators
from storage.evaluations.results import ResultStore
from storage.evaluations.run_log import log_evaluation
from storage.evaluations.suites import SuiteReference, find_suite
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
    suites: Mapping[str, SuiteReference]
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
class _OpenSuite:
    reference: SuiteReference
    name: str
    version: str
    block: int
    positions: Mapping[Identity, int]


@dataclass(frozen=True)
class _Pairing:
    """One estimator on one suite.

    Attributes:
        suite: the suite.
        estimator: the estimator.
        wanted: positions of the datasets it is evaluated on.
    """

    suite: _OpenSuite
    estimator: EstimatorReference
    wanted: frozenset[int]

    def read(self, store: ResultStore) -> Results | None:
        """Return the wanted rows that exist."""
        kept = store.read(self.suite.name, self.suite.version, self.estimator.name, self.estimator.version)
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
            Pairing(self.suite.reference, self.estimator, store.url),
            self.missing(store),
            lambda position: f"{self.estimator.label} on dataset {position} of {self.suite.name}",
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
    evaluated = evaluate_in(models, suites, where, sizes=sizes, slow_limit=slow_limit, run_id=run_id)
    rows = [asdict(row) for row in evaluated.summary()]
    leave_table("evaluation", rows, f"{len(rows)} pairings of estimators and suites, in nats and nats²")
    return evaluated


def evaluate_in(
    models: Sequence[str],
    suites: Sequence[str],
    workspace: Workspace,
    *,
    sizes: Sequence[int] | None = None,
    slow_limit: int = SLOW_LIMIT,
    run_id: str | None = None,
    prior_mean: float | None = None,
) -> Evaluated:
    """Do the same as `evaluate`, in a workspace.

    Args:
        models: see `evaluate`.
        suites: see `evaluate`.
        workspace: where results, the registry and the Dask cluster are.
        sizes: see `evaluate`.
        slow_limit: see `evaluate`.
        run_id: see `evaluate`.
        prior_mean: mean MI in nats of the training split, the constant prediction that accuracy is compared
            with.

    Raises:
        MistworksError: see `evaluate`.
    """
    with dask_cluster(workspace.dask_address, workspace.workers, "tasks.evaluation") as address:
        evaluated = evaluate_on_dask(
            address,
            list(models),
            list(suites),
            None if sizes is None else tuple(sizes),
            slow_limit,
            workspace,
        )
    if run_id is not None:
        log_evaluation(workspace.tracking_uri, run_id, evaluated.results, prior_mean=prior_mean)
    return evaluated


@flow("evaluate", run_name("evaluate", "models", "suites"), checked=False)
def evaluate_on_dask(
    dask_address: str,
    models: list[str],
    suites: list[str],
    sizes: tuple[int, ...] | None,
    slow_limit: int,
    workspace: Workspace,
) -> Evaluated:
    """Do the same as `evaluate`, on a Dask cluster."""
    started = time.monotonic()
    estimators, opened = find_estimators(models, workspace.tracking_uri), _open_suites(suites, sizes)
    pairings = [
        _Pairing(
            suite,
            estimator,
            frozenset(random_part(len(suite.positions), slow_limit if estimator.slow else None, suite.block)),
        )
        for suite in opened
        for estimator in estimators
    ]
    store = ResultStore(workspace.results)
    jobs = [job for pairing in pairings if (job := pairing.job(store)).items]
    computed = sum(len(job.items) for job in jobs)
    if jobs:
        places = [store.url, *(text for text in (*models, *suites) if Path(text).is_dir())]
        with progress("evaluate", computed) as report:
            run_on_dask(evaluate_positions, jobs, "estimates", dask_address, report, places)
    return Evaluated(
        results=tuple(_labelled(pairing, store) for pairing in pairings),
        suites={suite.name: suite.reference for suite in opened},
        datasets={suite.name: len(suite.positions) for suite in opened},
        estimators=tuple(estimators),
        computed=computed,
        seconds=time.monotonic() - started,
    )


def _open_suites(texts: Sequence[str], sizes: tuple[int, ...] | None) -> list[_OpenSuite]:
    opened: dict[str, _OpenSuite] = {}
    for text in texts:
        reference, suite = find_suite(text, sizes)
        found = _OpenSuite(reference, suite.name, suite.version, suite.block, identities(suite))
        if opened.setdefault(suite.name, found).version != suite.version:
            raise MistworksError(
                f"Expected suites with different names, got two called {suite.name}. Evaluate on them one "
                "after the other."
            )
    return list(opened.values())


def _labelled(pairing: _Pairing, store: ResultStore) -> Results:
    """Rename results from the name of the code to the requested name."""
    kept = pairing.read(store)
    if kept is None or len(kept) < len(pairing.wanted):
        found = 0 if kept is None else len(kept)
        raise MistworksError(
            f"Expected {len(pairing.wanted):,} results of {pairing.estimator.label} on {pairing.suite.name} "
            f"at {store.url}, got {found:,}. Have all workers write to the same place."
        )
    return replace(kept, estimator=pairing.estimator.label)
