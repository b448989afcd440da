"""The step that puts an estimator to some datasets of a suite."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from mistworks.evaluation.runner import run_chunk
from storage.estimators import EstimatorReference, open_estimator
from storage.results import ResultStore
from storage.suites import SuiteReference, open_suite
from tasks.retries import may_pass


@task(
    task_run_name="{estimator.label}-on-{suite.text}-from-{positions[0]}",
    retries=3,
    retry_delay_seconds=[1, 5, 25],
    retry_condition_fn=may_pass,
    persist_result=False,
    cache_policy=NO_CACHE,
)
def evaluate_chunk(
    suite: SuiteReference, estimator: EstimatorReference, positions: list[int], results: str, seconds: float
) -> int:
    """Estimate datasets for some time, keep the results, tell how many were done: the first, at least one.

    Args:
        suite: where the datasets come from.
        estimator: what is evaluated.
        positions: of the datasets in the suite.
        results: path or URL of the store of results.
        seconds: time after which no further dataset is begun.

    Raises:
        MistworksError: the suite or the estimator is not what was referred to, or results cannot be written.
    """
    done = run_chunk(open_estimator(estimator), open_suite(suite), positions, seconds=seconds)
    ResultStore(results).write(done)
    return len(done)
