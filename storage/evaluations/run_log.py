"""Log evaluations on the MLflow run of a training: metrics, tables, estimates and plots."""

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from storage.registry.runs import existing_run
from storage.registry.tracking import open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from mistworks.evaluation.measures import AccuracyRow
    from mistworks.evaluation.results import Results

_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
_METRICS_A_BATCH = 500


def log_evaluation(
    tracking_uri: str,
    run_id: str,
    results: "Sequence[Results]",
    *,
    prior_mean: float | None = None,
    folder: str = "evaluation",
) -> dict[str, float]:
    """Record an evaluation on a run: metrics, the table as CSV, all estimates as Parquet. May be repeated.

    With a single estimator, in nats, plots are drawn too.

    Args:
        tracking_uri: where the run is kept.
        run_id: identifier of the run.
        results: one entry per suite and estimator.
        prior_mean: mean MI in nats of the training split, the constant prediction that accuracy is compared
            with.
        folder: folder of the run's artifacts for tables and plots.

    Returns:
        The metrics, such as ``"test-imd.mse.n_10_100"``, MSE in nats² and bias in nats. With several
        estimators, each name begins with the estimator's, such as ``"ksg-3.test-imd.mse.n_10_100"``.

    Raises:
        MistworksError: there is no such run.
    """
    from mistworks.evaluation.measures import accuracy, to_csv
    from storage.evaluations.results import to_parquet

    client = open_client(tracking_uri)
    known = existing_run(client, run_id, tracking_uri).data.metrics
    rows = [row for part in results for row in accuracy(part, prior_mean=prior_mean)]
    metrics = _metrics_by_estimator(rows)
    _log_new_metrics(client, run_id, {k: v for k, v in metrics.items() if known.get(k) != v})
    client.log_text(run_id, to_csv(rows), f"{folder}/accuracy.csv")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "estimates.parquet"
        path.write_bytes(to_parquet(results))
        client.log_artifact(run_id, str(path), folder)
    if len({part.estimator for part in results}) == 1 and all(part.in_nats for part in results):
        from mistworks.report.plots import figures

        for name, figure in figures(results, rows).items():
            client.log_figure(run_id, figure, f"{folder}/{name}.png")
    return metrics


def log_file(tracking_uri: str, run_id: str, path: Path, folder: str = "evaluation") -> None:
    """Record a file, such as a report, among the artifacts of a run.

    Raises:
        MistworksError: there is no such run.
    """
    client = open_client(tracking_uri)
    existing_run(client, run_id, tracking_uri)
    client.log_artifact(run_id, str(path), folder)


def _metrics_by_estimator(rows: "Sequence[AccuracyRow]") -> dict[str, float]:
    from mistworks.evaluation.measures import metrics

    estimators = list(dict.fromkeys(row.estimator for row in rows))
    if len(estimators) == 1:
        return metrics(rows)
    return {
        f"{_NOT_IN_NAMES.sub('-', estimator)}.{name}": value
        for estimator in estimators
        for name, value in metrics([row for row in rows if row.estimator == estimator]).items()
    }


def _log_new_metrics(client: "MlflowClient", run_id: str, metrics: Mapping[str, float]) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    points = [Metric(name, value, now, 0) for name, value in metrics.items()]
    for first in range(0, len(points), _METRICS_A_BATCH):
        client.log_batch(run_id, metrics=points[first : first + _METRICS_A_BATCH])


__all__ = ["log_evaluation", "log_file"]
