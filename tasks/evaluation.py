"""Steps that measure an estimator."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from mistworks import __version__
from mistworks.errors import MistworksError
from mistworks.evaluation import Evaluation, evaluate
from mistworks.files import write_whole
from storage.models import load_model
from storage.store import open_store
from tasks.retries import may_pass

Report = Callable[[float], None]


@task(
    task_run_name="evaluate-on-{url}",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=may_pass,
    persist_result=False,
    cache_policy=NO_CACHE,
)
def evaluate_on_store(
    model: str, url: str, folder: Path, prior_mean: float | None, tracking_uri: str, report: Report
) -> Evaluation:
    """Accuracy of an estimator on a store; an evaluation that is in the folder already is read from there.

    Args:
        model: folder of an estimator, or its name in the registry.
        url: the store.
        folder: where evaluations are kept.
        prior_mean: mean MI in nats of the training split, the baseline that sees no data.
        tracking_uri: where the registry is.
        report: told the number of datasets done.

    Raises:
        MistworksError: the estimator or the store is not there or not whole.
    """
    estimator, store = load_model(model, tracking_uri), open_store(url)
    key = f"{__version__}/{estimator.weights_sha256}/{store.content_hash()}/{prior_mean!r}"
    kept = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    if kept.is_file():
        with suppress(MistworksError):  # One that an older layout wrote is made again.
            return Evaluation.from_json(kept.read_text(encoding="utf-8"))
    split = store.manifest.split
    evaluation = evaluate(
        estimator, store, split=split, prior_mean=prior_mean, on_progress=lambda done, total: report(done)
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(kept, evaluation.to_json().encode())
    return evaluation
