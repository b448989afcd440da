"""The flow that registers an estimator."""

from pathlib import Path

from prefect import flow

from flows.evaluate import evaluate
from flows.promote import settle
from mistworks.errors import MistworksError
from mistworks.evaluation import metrics
from storage.registry import RegisteredVersion
from storage.runs import training_record
from storage.store import open_store
from tasks.registration import register_version


@flow(name="register", persist_result=False)
def register(folder: Path, run_id: str, metrics: dict[str, float], tracking_uri: str) -> RegisteredVersion:
    """Register a trained estimator with its metrics and lineage; it becomes champion if it passes the gate.

    Args:
        folder: the estimator.
        run_id: the MLflow run of its training, which says what it was trained on.
        metrics: of its evaluation, ``"validation.mse.all"`` among them.
        tracking_uri: where runs and models are kept.

    Raises:
        MistworksError: there is no such training run, or the folder does not hold the estimator that it made.
    """
    return settle(register_version(folder, run_id, metrics, tracking_uri), tracking_uri)


def evaluate_and_register(folder: Path, run_id: str, root: Path, tracking_uri: str) -> RegisteredVersion:
    """Measure an estimator on the validation store of its training, then register it.

    Raises:
        MistworksError: there is no such training run, the folder does not hold the estimator that it made, or
            a store of its training is gone or holds something else now.
    """
    record = training_record(tracking_uri, run_id)
    for reference in (record.train, record.validation):
        if (found := open_store(reference.url).content_hash()) != reference.content_hash:
            raise MistworksError(
                f"run {run_id} read {reference.url} with content {reference.content_hash[:12]}…, and it "
                f"holds {found[:12]}… now; put the former store back, or train again"
            )
    prior_mean = float(open_store(record.train.url).index.mi.mean())
    evaluated = evaluate(
        [str(folder)], [record.validation.url], root, tracking_uri, run_id=run_id, prior_mean=prior_mean
    )
    return register(folder, run_id, metrics(evaluated.accuracy(prior_mean)), tracking_uri)
