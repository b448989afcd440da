"""The flow that measures an estimator on stores."""

from functools import reduce
from pathlib import Path

from prefect import flow

from flows.progress import progress
from mistworks.evaluation import Evaluation
from storage.runs import log_evaluation
from storage.store import open_store
from tasks.evaluation import evaluate_on_store


@flow(name="evaluate", persist_result=False)
def evaluate(
    model: str,
    stores: list[str],
    root: Path,
    tracking_uri: str,
    prior_mean: float | None = None,
    run_id: str | None = None,
) -> Evaluation:
    """Accuracy of an estimator on each store by sample size and family; logged on a run if one is given.

    Args:
        model: folder of an estimator, or its name in the registry.
        stores: paths or URLs.
        root: directory below which evaluations are kept, so that none is repeated.
        tracking_uri: where runs and models are kept.
        prior_mean: mean MI in nats of the training split, the baseline that sees no data.
        run_id: the MLflow run on which the result is logged.

    Raises:
        MistworksError: the estimator, a store or the run is not there, or a store is not whole.
    """
    opened = [open_store(url) for url in stores]
    for store in opened:
        store.require_complete()
    parts = []
    for store in opened:
        with progress(f"evaluate {store.manifest.split}", len(store)) as report:
            parts.append(
                evaluate_on_store(model, store.url, root / "evaluations", prior_mean, tracking_uri, report)
            )
    evaluation = reduce(Evaluation.join, parts)
    if run_id is not None:
        log_evaluation(tracking_uri, run_id, evaluation)
    return evaluation
