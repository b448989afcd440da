"""The flow that trains an estimator."""

from typing import Annotated

from pydantic import Field

from flows.declaration import flow
from flows.parameters import ChosenPreset, Seed, StoreUrl, Where
from flows.plans import plan_training
from flows.progress import progress
from flows.summarise import make_readable
from flows.workspace import Workspace
from mistworks.presets import TrainingPlan
from mistworks.training.config import Objective
from tasks.calibration import calibrate_estimator
from tasks.stores import TrainingData, open_data
from tasks.training import Trained, train_estimator


@flow("train", "train-{preset}")
def train(
    store: StoreUrl,
    validation_store: StoreUrl,
    calibration_store: Annotated[
        StoreUrl | None, Field(description="Store of the calibration split. Default: not calibrated.")
    ] = None,
    preset: ChosenPreset = "quick",
    objective: Annotated[
        Objective | None, Field(description="The loss to minimise. Default: the preset's.")
    ] = None,
    seed: Annotated[
        Seed | None, Field(description=("Seed of weights and order. Default: the preset's."))
    ] = None,
    workspace: Where = None,
) -> Trained:
    """Train an estimator on a store, resume a training that was stopped, or read a finished one.

    With a calibration store the estimator is calibrated on it, unless it has no quantiles.

    Args:
        store: path or URL of the training split.
        validation_store: path or URL of the validation split.
        calibration_store: path or URL of the calibration split; not calibrated if None.
        preset: name of a preset, or path of a JSON file with one.
        objective: the loss to minimise; the preset's if None.
        seed: seed of weights and order; the preset's if None.
        workspace: where checkpoints, runs and the Dask cluster are.

    Raises:
        MistworksError: a store is missing or damaged, another run does the same training, or the loss
            diverges.
    """
    plan = plan_training(preset, objective, seed)
    return train_on(open_data(store, validation_store, calibration_store), plan, workspace or Workspace.of())


def train_on(data: TrainingData, plan: TrainingPlan, workspace: Workspace) -> Trained:
    """Train an estimator on open stores, as planned.

    Raises:
        MistworksError: see `train`.
    """
    if not plan.has_quantiles:
        data = data.model_copy(update={"calibration": None})
    make_readable(data.stores, plan.network, workspace)
    with progress("train", 100) as report:
        trained = train_estimator(
            data, plan, workspace.checkpoints, workspace.tracking_uri, lambda share: report(100 * share)
        )
    if data.calibration is None:
        return trained
    with progress("calibrate", 100) as report:
        return calibrate_estimator(
            trained, data, plan.training.seed, workspace.tracking_uri, lambda share: report(100 * share)
        )


train_planned = flow("train", "train-{plan.preset}", checked=False)(train_on)
"""Run `train_on` as a separate flow."""


__all__ = ["train", "train_on", "train_planned"]
