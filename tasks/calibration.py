"""The step that calibrates a trained estimator."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import mistworks
from mistworks.estimation.folder import CONFIG_FILE, read_config
from mistworks.training import calibrate
from storage.places.folders import working_folder
from storage.places.lock import exclusive
from storage.registry.runs import log_calibration
from tasks.retries import retried
from tasks.stores import TrainingData
from tasks.training import Trained, readable


@retried
def calibrate_estimator(
    trained: Trained, data: TrainingData, seed: int, tracking_uri: str, report: Callable[[float], None]
) -> Trained:
    """Calibrate an estimator on the calibration split, or read the result if this was done before.

    Args:
        trained: the training, in whose MLflow run the calibration is recorded.
        data: the stores. Without a calibration split, nothing is done.
        seed: seed of everything that is drawn for calibration.
        tracking_uri: where the run is kept.
        report: called with the share of datasets done.

    Returns:
        The training with the folder of the calibrated estimator, beside the given one, and the store.

    Raises:
        MistworksError: the store is damaged, has another split or content than expected, or the
            estimator has no quantiles.
    """
    if (store := data.calibration) is None:
        return trained
    reference = data.reference("calibration", store)
    training = trained.folder.parent
    with exclusive(training, "training folder"), working_folder(training) as work:
        estimator = mistworks.load(work.path / trained.folder.name)
        text = f"{estimator.weights_sha256}\n{reference.content_hash}\n{seed}"
        name = f"calibrated-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        if not (work.path / name / CONFIG_FILE).exists():
            source = readable(store, estimator.network_config)
            calibrate(estimator, source, seed, report).save(work.path / name)
            work.save()
        calibration = read_config(work.path / name).calibration
    sha256 = "" if calibration is None else calibration.sha256
    log_calibration(tracking_uri, trained.run_id, reference, sha256)
    return replace(trained, folder=training / name, calibration=reference)


__all__ = ["calibrate_estimator"]
