"""The flow that trains an estimator."""

from pathlib import Path
from typing import Literal

from prefect import flow

from flows.progress import progress
from mistworks.presets import load_preset, preset_name
from mistworks.training.config import TrainingConfig
from storage.store import open_store
from tasks.training import Trained, train_estimator


@flow(name="train", persist_result=False)
def train(
    store: str,
    validation_store: str,
    preset: str,
    root: Path,
    tracking_uri: str,
    objective: Literal["pinball", "squared-error"] | None = None,
    seed: int | None = None,
    content_hashes: dict[str, str] | None = None,
) -> Trained:
    """Train an estimator on a store; a training that was stopped is continued, a finished one is read.

    Args:
        store: path or URL of the training split.
        validation_store: path or URL of the validation split.
        preset: name of a preset, or path of a JSON file with one.
        root: directory below which checkpoints and estimators are kept.
        tracking_uri: where runs are kept.
        objective: what is minimised, the preset's if None.
        seed: of weights and order, the preset's if None.
        content_hashes: by split, what the stores must hold; whatever they hold if None.

    Raises:
        MistworksError: a store is missing or damaged, another run trains the same, or the loss diverges.
    """
    chosen = load_preset(preset)
    changes = {"objective": objective, "seed": seed}
    training = TrainingConfig.parse(
        {**dict(chosen.training), **{key: value for key, value in changes.items() if value is not None}}
    )
    for url in (store, validation_store):
        open_store(url).require_complete()
    with progress("train", 100) as report:
        return train_estimator(
            store,
            validation_store,
            chosen.network,
            training,
            root / "training",
            tracking_uri,
            preset_name(preset),
            content_hashes,
            lambda share: report(100 * share),
        )
