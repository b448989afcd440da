"""The step that puts an estimator to datasets of a suite; runs on Dask's workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mistworks.evaluation.runner import run_chunk
from storage.evaluations.estimators import EstimatorReference, open_estimator
from storage.evaluations.results import ResultStore
from storage.evaluations.suites import SuiteReference, open_suite
from tasks.worker import Terms


@dataclass(frozen=True)
class Pairing:
    """An estimator on a suite.

    Attributes:
        suite: where the datasets come from.
        estimator: what is evaluated.
        results: path or URL of the store of results.
    """

    suite: SuiteReference
    estimator: EstimatorReference
    results: str


def evaluate_positions(pairing: Pairing, positions: Sequence[int], terms: Terms) -> Iterator[int]:
    """Estimate datasets for some time and keep the results: those of the first positions, at least one.

    Raises:
        MistworksError: the suite or the estimator is not what was referred to, or results cannot be written.
    """
    estimator, suite = open_estimator(pairing.estimator), open_suite(pairing.suite)
    # One file of results a share.
    done = run_chunk(estimator, suite, positions, seconds=terms.seconds)
    ResultStore(pairing.results).write(done)
    yield len(done)
