"""Package an estimator as an MLflow model: its folder and the code that reads it, without pickle.

MLflow's global state must point at the right place before anything here is called: see
`storage.registry.tracking.fluent`.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mistworks
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError, MistworksWarning

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

    from mistworks.estimation.estimator import Estimator

QUANTILES = (0.05, 0.5, 0.95)

_REQUIREMENTS = ("mlflow", "numpy", "scipy", "pandas", "torch", "pydantic", "safetensors")


@contextmanager
def _of_probes() -> Iterator[None]:
    """Silence warnings of estimates: the probes are outside the training range of some estimators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistworksWarning)
        yield


@_of_probes()
def log_model(folder: Path, run_id: str, name: str) -> str:
    """Log the estimator and the code it needs on its run. Return the identifier of the logged model.

    The run is not activated: that would set its status to RUNNING, permanently if this process is killed or
    another one does the same.
    """
    import mlflow
    from mlflow.models import Model

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    logged = Model.log(
        artifact_path=None,
        name=name,
        run_id=run_id,
        # Created here, because it would otherwise belong to the default experiment.
        model_id=client.create_logged_model(
            run.info.experiment_id, name, source_run_id=run_id, params=run.data.params
        ).model_id,
        flavor=mlflow.pyfunc,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"estimator": str(folder)},
        code_paths=[str(Path(mistworks.__file__).parent)],
        signature=_signature(),
        input_example=_example(),
        # Given, not inferred: inference takes seconds to load the model in another process.
        pip_requirements=list(_requirements()),
    )
    return str(logged.model_id)


@_of_probes()
def check_predictions(estimator: "Estimator", model_uri: str) -> None:
    """Load a logged model back and compare its predictions with those of the estimator it was logged from.

    Raises:
        MistworksError: a prediction differs in any bit.
    """
    import mlflow

    expected = np.array([estimator.estimate(x, y).mi for x, y in _probes()])
    served = mlflow.pyfunc.load_model(model_uri).predict(_example())["mi"].to_numpy()
    if not np.array_equal(expected, served, equal_nan=True):
        raise MistworksError(
            f"Expected the logged model {model_uri} to predict {expected.tolist()}, got {served.tolist()}. "
            "Nothing was registered. Save the estimator again and register that."
        )


def estimator_folder(model: Path) -> Path:
    """Return the estimator's folder in a downloaded model. MLflow keeps the name it had before.

    Raises:
        MistworksError: there is none.
    """
    weights = sorted(model.glob("artifacts/*/model.safetensors"))
    if not weights:
        raise MistworksError(
            f"Expected model.safetensors in the registered model at {model}, got none. Register it again."
        )
    return weights[0].parent


def _signature() -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    table = Array(Array(DataType.double))
    return ModelSignature(
        inputs=Schema([ColSpec(table, "x"), ColSpec(table, "y")]),
        # Quantiles are optional columns: point estimators have none, and callers choose the levels.
        outputs=Schema(
            [
                ColSpec("double", "mi"),
                *(ColSpec("double", name, required=False) for name in ("q05", "q50", "q95")),
            ]
        ),
        params=ParamSchema([ParamSpec("quantiles", DataType.double, list(QUANTILES), shape=(-1,))]),
    )


def _example() -> "pd.DataFrame":
    import pandas as pd

    pairs = _probes()
    return pd.DataFrame({"x": [x.tolist() for x, _ in pairs], "y": [y.tolist() for _, y in pairs]})


def _probes() -> Sequence[tuple[FloatArray, FloatArray]]:
    """Samples of different shapes to compare predictions on, since padding could make them differ."""
    generator = np.random.Generator(np.random.Philox(20260901))
    pairs = []
    for n, dx, dy in ((24, 2, 2), (40, 3, 5)):
        x = generator.standard_normal((n, dx), dtype=np.float32)
        noise = generator.standard_normal((n, dy), dtype=np.float32)
        pairs.append((x, noise + x[:, :1]))
    return pairs


def _requirements() -> Iterator[str]:
    for package in _REQUIREMENTS:
        try:
            # Local labels such as 2.13.0+cpu name a build that no public index offers.
            yield f"{package}=={version(package).split('+')[0]}"
        except PackageNotFoundError:
            yield package


__all__ = ["QUANTILES", "check_predictions", "estimator_folder", "log_model"]
