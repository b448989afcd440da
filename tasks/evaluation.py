"""The step that runs an estimator on datasets of a suite, on Dask workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mistworks.evaluation.runner import run_chunk
from storage.evaluations.estimators import EstimatorReference, open_estimator
from storage.evaluations.results import ResultStore
from storage.evaluations.suites import SuiteReference, open_suite
from storage.places.location import Location
from tasks.worker import Terms


@dataclass(frozen=True)
class Pairing:
    """An estimator on a suite.

    Attributes:
        suite: the suite of datasets.
        estimator: the estimator to evaluate.
        results: where results are stored.
    """

    suite: SuiteReference
    estimator: EstimatorReference
    results: Location


def evaluate_positions(pairing: Pairing, positions: Sequence[int], terms: Terms) -> Iterator[int]:
    """Estimate the first datasets, as many as time allows and at least one, and store the results.

    Raises:
        MistworksError: the suite or the estimator has another version, or results cannot be written.
    """
    estimator, suite = open_estimator(pairing.estimator), open_suite(pairing.suite)
    # One file of results per share.
    done = run_chunk(estimator, suite, positions, seconds=terms.seconds)
    ResultStore(pairing.results).write(done)
    yield len(done)


__all__ = ["Pairing", "evaluate_positions"]
