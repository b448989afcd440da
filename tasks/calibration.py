"""The step that calibrates a trained estimator."""

import hashlib
from collections.abc import Callable

import mistworks
from mistworks.estimation.folder import CONFIG_FILE
from mistworks.training import calibrate
from storage.datasets.opening import open_store
from storage.places.folders import working_folder
from storage.places.lock import exclusive
from storage.registry.runs import StoreReference, log_calibration
from tasks.retries import retried
from tasks.training import readable, store_reference


@retried
def calibrate_estimator(
    folder: str,
    store_url: str,
    seed: int,
    run_id: str,
    tracking_uri: str,
    content_hash: str | None,
    report: Callable[[float], None],
) -> tuple[str, StoreReference]:
    """Calibrate an estimator on a store, or read the result if this was done before.

    Args:
        folder: path or URL of the estimator.
        store_url: store of the calibration split.
        seed: seed of everything that is drawn for calibration.
        run_id: the MLflow run of the training, where the calibration is recorded.
        tracking_uri: where the run is kept.
        content_hash: expected content hash of the store; not checked if None.
        report: called with the share of datasets done.

    Returns:
        The folder of the calibrated estimator, beside the given one, and the store.

    Raises:
        MistworksError: the store is missing or damaged, has another split or content than expected, or the
            estimator has no quantiles.
    """
    store, training = open_store(store_url), folder.rpartition("/")[0]
    reference = store_reference(store, "calibration", content_hash)
    with exclusive(training, "training folder"), working_folder(training) as work:
        estimator = mistworks.load(work.path / folder.rpartition("/")[2])
        text = f"{estimator.weights_sha256}\n{reference.content_hash}\n{seed}"
        name = f"calibrated-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        if not (work.path / name / CONFIG_FILE).exists():
            source = readable(store, estimator.network_config)
            calibrate(estimator, source, seed, report).save(work.path / name)
            work.save()
        calibration = mistworks.load(work.path / name).calibration
    log_calibration(tracking_uri, run_id, reference, "" if calibration is None else calibration.sha256)
    return f"{training}/{name}", reference
