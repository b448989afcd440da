"""Trainings as MLflow runs. A training that was killed continues its run."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mistworks.errors import MistworksError
from mistworks.estimation.loaders import MODEL
from storage.registry.outage import shown
from storage.registry.revision import CodeRevision, code_revision
from storage.registry.tracking import EXPERIMENT, exclusive, experiment_id, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


KEY_TAG = "mistworks.training_key"
COMMIT_TAG = "mlflow.source.git.commit"
DIRTY_TAG = "mistworks.git_dirty"
VERSION_TAG = "mistworks.version"
WEIGHTS_TAG = "mistworks.weights_sha256"
CALIBRATION_TAG = "mistworks.calibration_sha256"
PRESET_TAG = "mistworks.preset"
MODEL_TAG = "mistworks.model"
"""Name to register under, if it is another than that of all estimators."""

_NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_METRICS_A_BATCH = 500
_ENTRIES_A_BATCH = 100
_SECONDS_BETWEEN_FLUSHES = 5.0
_TURNS_TO_GIVE_WAY, _SECONDS_A_TURN = 20, 0.25
_DIGEST_LENGTH = 32


@dataclass(frozen=True, slots=True)
class StoreReference:
    """A reference to the data of one split, by which it can be found and checked again.

    Attributes:
        split: name of the split, such as ``"train"``.
        url: path or URL of the store.
        content_hash: hash over all its samples and labels.
    """

    split: str
    url: str
    content_hash: str


class TrainingRun:
    """One training in MLflow, used as a context: an exception marks the run as failed.

    Created by `start_or_resume`. A run that has produced its estimator stays finished, even if another
    machine repeats the training and fails.

    Points of curves are buffered and written in batches. A resumed training repeats those that may have been
    lost, and none is written twice.

    Attributes:
        run_id: MLflow's identifier of the run.
        resumed: whether the run existed before.
    """

    def __init__(self, client: "MlflowClient", run_id: str, *, resumed: bool) -> None:
        self.run_id = run_id
        self.resumed = resumed
        self._client = client
        self._pending: list[Any] = []
        self._last_step: dict[str, int] = {}
        self._flushed = time.monotonic()

    def log_parameters(self, values: Mapping[str, object]) -> None:
        """Record parameters, nested mappings under dotted names.

        Raises:
            MistworksError: the run has another value of a parameter.
        """
        from mlflow.entities import Param

        known = self._client.get_run(self.run_id).data.params
        wanted = _flatten(values)
        for name, value in wanted.items():
            if known.get(name, value) != value:
                raise MistworksError(
                    f"Expected {name} = {known[name]}, with which run {self.run_id} was started, got "
                    f"{value}. Resume it with its own settings, or train under another training key."
                )
        params = [Param(name, value) for name, value in wanted.items() if name not in known]
        for first in range(0, len(params), _ENTRIES_A_BATCH):
            self._client.log_batch(self.run_id, params=params[first : first + _ENTRIES_A_BATCH])

    def log_curves(self, step: int, values: Mapping[str, float]) -> None:
        """Add one point to each named curve.

        Steps that a curve already has are skipped: a training resumed from a checkpoint repeats the steps
        after it, which would otherwise be logged twice.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for name, value in values.items():
            if step > self._passed(name):
                self._last_step[name] = step
                self._pending.append(Metric(name, float(value), now, step))
        overdue = time.monotonic() - self._flushed > _SECONDS_BETWEEN_FLUSHES
        if overdue or len(self._pending) >= _METRICS_A_BATCH:
            self.flush()

    def flush(self) -> None:
        """Write the buffered points."""
        while self._pending:
            self._client.log_batch(self.run_id, metrics=self._pending[:_METRICS_A_BATCH])
            del self._pending[:_METRICS_A_BATCH]
        self._flushed = time.monotonic()

    def set_tag(self, name: str, value: str) -> None:
        """Set one tag of the run."""
        self._client.set_tag(self.run_id, name, value)

    def finish(self, status: str = "FINISHED") -> None:
        """Write the buffered points and end the run as FINISHED, FAILED or KILLED."""
        self.flush()
        self._client.set_terminated(self.run_id, status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
            return
        if _is_finished(self._client.get_run(self.run_id)):
            self.finish()
            return
        self.set_tag("mistworks.failure", f"{type(error).__name__}: {error}"[:1000])
        self.finish("FAILED" if isinstance(error, Exception) else "KILLED")

    def _passed(self, name: str) -> int:
        if name not in self._last_step:
            history = self._client.get_metric_history(self.run_id, name) if self.resumed else []
            self._last_step[name] = max((point.step for point in history), default=-1)
        return self._last_step[name]


def start_or_resume(
    tracking_uri: str,
    *,
    training_key: str,
    name: str,
    parameters: Mapping[str, object],
    datasets: Sequence[StoreReference] = (),
    tags: Mapping[str, str] | None = None,
    revision: CodeRevision | None = None,
    experiment: str = EXPERIMENT,
) -> TrainingRun:
    """Return the run with a training key, or start a new one.

    If two machines begin the same training at once on a server without locks, both get the same run.

    Args:
        tracking_uri: where runs are kept. An SQLite database is created if it does not exist.
        training_key: equal exactly for equal trainings, such as a hash of configuration and data.
        name: displayed name of a new run.
        parameters: settings, nested mappings allowed.
        datasets: the stores that are read, recorded as inputs, tags and parameters.
        tags: further tags.
        revision: the running code; determined if None.
        experiment: name of the experiment.

    Raises:
        MistworksError: the key contains a quote, a parameter differs from that of the resumed run, or the
            database cannot be created.
    """
    if "'" in training_key or '"' in training_key:
        raise MistworksError(f"Expected a training key without quotes, got {training_key!r}.")
    client = open_client(tracking_uri, create=True)
    experiment_of_run = experiment_id(client, tracking_uri, experiment)
    code = code_revision() if revision is None else revision
    own_tags = {
        **(tags or {}),
        KEY_TAG: training_key,
        COMMIT_TAG: code.commit,
        DIRTY_TAG: str(code.dirty).lower(),
        VERSION_TAG: code.version,
    }
    data_tags = _data_tags(datasets)
    with exclusive(tracking_uri):
        former = _run_with_key(client, experiment_of_run, training_key)
        if former is None:
            created = client.create_run(experiment_of_run, run_name=name, tags=own_tags | data_tags)
            former = _other_run(client, created, training_key)
            run_id = (created if former is None else former).info.run_id
        else:
            run_id = former.info.run_id
    run = TrainingRun(client, run_id, resumed=former is not None)
    run.log_parameters(parameters)
    if former is not None and not _is_finished(former):
        client.update_run(run_id, status="RUNNING")
        # The same content may have moved. The code that began the training stays recorded. One request, so
        # that of two machines one is recorded and not half of each.
        _set_tags(client, run_id, data_tags)
    _log_inputs(client, run_id, datasets)
    return run


def log_calibration(tracking_uri: str, run_id: str, store: StoreReference, calibration_sha256: str) -> None:
    """Record on a training's run the data of its calibration, and the hash of the calibration.

    Raises:
        MistworksError: there is no such run.
    """
    client = open_client(tracking_uri)
    known = existing_run(client, run_id, tracking_uri).data.tags
    wanted = {**_data_tags([store]), CALIBRATION_TAG: calibration_sha256}
    # The same calibration from another place, such as another machine, changes nothing.
    places = {f"mistworks.{store.split}.store"}
    if any(known.get(tag) != value for tag, value in wanted.items() if tag not in places):
        _set_tags(client, run_id, wanted)
    _log_inputs(client, run_id, [store])


def find_run(tracking_uri: str, training_key: str, experiment: str = EXPERIMENT) -> str | None:
    """Return the identifier of the run with a training key, or None. Creates nothing."""
    try:
        client = open_client(tracking_uri)
    except MistworksError:
        return None
    existing = client.get_experiment_by_name(experiment)
    run = None if existing is None else _run_with_key(client, existing.experiment_id, training_key)
    return None if run is None else str(run.info.run_id)


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """The record of a finished training run.

    Attributes:
        run_id: MLflow's identifier of the run.
        train: the store it was trained on.
        validation: the store it was validated on.
        weights_sha256: SHA-256 of its estimator's weights.
        calibration: the store its estimator was last calibrated on, None if never.
        calibration_sha256: SHA-256 of that calibration, empty if there is none.
        preset: name of its preset.
        revision: the code that ran it.
        model: name under which its estimator is registered.
    """

    run_id: str
    train: StoreReference
    validation: StoreReference
    weights_sha256: str
    calibration: StoreReference | None
    calibration_sha256: str
    preset: str
    revision: CodeRevision
    model: str = MODEL


def training_record(tracking_uri: str, run_id: str) -> TrainingRecord:
    """Read the record of a training run.

    Raises:
        MistworksError: there is no such run, or it is not a finished training of ours.
    """
    tags = existing_run(open_client(tracking_uri), run_id, tracking_uri).data.tags
    try:
        calibrated = CALIBRATION_TAG in tags
        return TrainingRecord(
            run_id=run_id,
            train=_tagged_store(tags, "train"),
            validation=_tagged_store(tags, "validation"),
            weights_sha256=tags[WEIGHTS_TAG],
            calibration=_tagged_store(tags, "calibration") if calibrated else None,
            calibration_sha256=tags.get(CALIBRATION_TAG, ""),
            preset=tags[PRESET_TAG],
            revision=CodeRevision(tags[COMMIT_TAG], tags[DIRTY_TAG] == "true", tags[VERSION_TAG]),
            model=tags.get(MODEL_TAG, MODEL),
        )
    except KeyError as error:
        raise MistworksError(
            f"Expected a finished training of Mistworks, got run {run_id} without the tag {error}. Give the "
            "identifier of a finished training."
        ) from None


def existing_run(client: "MlflowClient", run_id: str, tracking_uri: str) -> "Run":
    """Return a run by its identifier.

    Raises:
        MistworksError: there is no such run, or the tracking server does not answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in _NO_SUCH_RUN:
            raise MistworksError(
                f"Expected MLflow at {shown(tracking_uri)} to work, got: {error}. Repair it and run again."
            ) from error
        raise MistworksError(
            f"Expected a run at {shown(tracking_uri)}, got {run_id!r}, which does not exist. Give the "
            "identifier of a training run kept there."
        ) from None


def _run_with_key(client: "MlflowClient", experiment: str, training_key: str) -> "Run | None":
    runs = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{training_key}'")
    return min(runs, key=_age, default=None)


def _age(run: "Run") -> tuple[int, str]:
    return run.info.start_time, run.info.run_id


def _other_run(client: "MlflowClient", own: "Run", training_key: str) -> "Run | None":
    """Return the run that another machine began for the same training, if our own has to give way.

    Each machine creates its run before it looks for others, so at least one sees the other. The younger run
    gives way at once. The older one waits for that; if the younger stays, its machine had looked earlier and
    is working on it.
    """
    experiment = own.info.experiment_id
    for _ in range(_TURNS_TO_GIVE_WAY):
        runs = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{training_key}'")
        others = [run for run in runs if run.info.run_id != own.info.run_id]
        if not others:
            return None
        oldest = min(others, key=_age)
        if _age(oldest) < _age(own):
            break
        time.sleep(_SECONDS_A_TURN)
    client.delete_run(own.info.run_id)
    return oldest


def _is_finished(run: "Run") -> bool:
    return WEIGHTS_TAG in run.data.tags


def _set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run in one request: all of them or none."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def _data_tags(datasets: Sequence[StoreReference]) -> dict[str, str]:
    tags = {f"mistworks.{data.split}.store": data.url for data in datasets}
    return tags | {f"mistworks.{data.split}.content_hash": data.content_hash for data in datasets}


def _tagged_store(tags: Mapping[str, str], split: str) -> StoreReference:
    return StoreReference(split, tags[f"mistworks.{split}.store"], tags[f"mistworks.{split}.content_hash"])


def _log_inputs(client: "MlflowClient", run_id: str, datasets: Sequence[StoreReference]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            # MLflow's column holds 36 characters; the complete hash is in the run's tags.
            dataset=Dataset(
                name=data.split,
                digest=data.content_hash[:_DIGEST_LENGTH],
                source_type="zarr",
                source=json.dumps({"uri": data.url, "content_hash": data.content_hash}),
            ),
            tags=[InputTag("mlflow.data.context", data.split)],
        )
        for data in datasets
    ]
    if inputs:
        client.log_inputs(run_id, inputs)


def _flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


__all__ = [
    "CALIBRATION_TAG",
    "COMMIT_TAG",
    "DIRTY_TAG",
    "KEY_TAG",
    "MODEL_TAG",
    "PRESET_TAG",
    "VERSION_TAG",
    "WEIGHTS_TAG",
    "StoreReference",
    "TrainingRecord",
    "TrainingRun",
    "existing_run",
    "find_run",
    "log_calibration",
    "start_or_resume",
    "training_record",
]
