"""Runs against a real MLflow on SQLite: killed, resumed and recorded once."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mistworks.errors import MistworksError
from storage.evaluations.run_log import log_evaluation, log_file
from storage.registry.revision import CodeRevision, code_revision
from storage.registry.runs import StoreReference, TrainingRun, find_run, start_or_resume
from storage.registry.tracking import exclusive, experiment_id, local_tracking_uri, open_client
from tests.support.forks import in_fork
from tests.support.sources import results_of

REPOSITORY = Path(__file__).resolve().parents[3]
TRAIN = StoreReference("train", "/data/train.zarr", "a" * 64)
VALIDATION = StoreReference("validation", "s3://bucket/validation.zarr", "b" * 64)
REVISION = CodeRevision("c0ffee" * 6 + "c0ff", True, "1.2.3")


def training(
    tracking_uri: str, key: str = "key", parameters: Mapping[str, object] | None = None
) -> TrainingRun:
    return start_or_resume(
        tracking_uri,
        training_key=key,
        name="tiny",
        parameters={} if parameters is None else parameters,
        datasets=[TRAIN, VALIDATION],
        revision=REVISION,
    )


def steps(tracking_uri: str, run_id: str, name: str) -> list[tuple[int, float]]:
    history = open_client(tracking_uri).get_metric_history(run_id, name)
    return [(point.step, point.value) for point in history]


def test_a_resumed_training_continues_its_run_and_draws_no_point_twice(tracking_uri: str) -> None:
    first = training(tracking_uri)
    for step in range(6):
        first.log_curves(step, {"train.loss": 1 / (step + 1), "validation.mse": float(step)})
    first.flush()
    # The process dies here; its checkpoint was that of step 3.
    second = training(tracking_uri)
    assert (second.run_id, first.resumed, second.resumed) == (first.run_id, False, True)
    with second:
        for step in range(3, 9):
            second.log_curves(step, {"train.loss": 1 / (step + 1)})
    assert steps(tracking_uri, first.run_id, "train.loss") == [(step, 1 / (step + 1)) for step in range(9)]
    assert len(steps(tracking_uri, first.run_id, "validation.mse")) == 6
    assert find_run(tracking_uri, "key") == first.run_id
    assert find_run(tracking_uri, "another") is None
    assert training(tracking_uri, "another").run_id != first.run_id


def test_a_killed_process_loses_nothing_that_was_flushed(tracking_uri: str) -> None:
    def killed() -> None:
        run = start_or_resume(tracking_uri, training_key="key", name="tiny", parameters={})
        for step in range(2500):
            run.log_curves(step, {"train.loss": 1.0 / (step + 1)})
        run.flush()
        run.log_curves(2500, {"train.loss": 0.0})
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_fork(killed) == -signal.SIGKILL
    with start_or_resume(tracking_uri, training_key="key", name="tiny", parameters={}) as run:
        assert run.resumed
        for step in range(2400, 2600):
            run.log_curves(step, {"train.loss": 1.0 / (step + 1)})
    assert steps(tracking_uri, run.run_id, "train.loss") == [(step, 1 / (step + 1)) for step in range(2600)]
    assert open_client(tracking_uri).get_run(run.run_id).info.status == "FINISHED"


def test_a_run_holds_parameters_data_and_code_revision(tracking_uri: str) -> None:
    with training(tracking_uri, parameters={"lr": 1e-3, "network": {"hidden": 8, "heads": (2, 3)}}) as run:
        pass
    found = open_client(tracking_uri).get_run(run.run_id)
    assert found.data.params == {"lr": "0.001", "network.hidden": "8", "network.heads": "[2, 3]"}
    tags = found.data.tags
    assert tags["mlflow.source.git.commit"] == REVISION.commit
    assert (tags["mistworks.git_dirty"], tags["mistworks.version"]) == ("true", "1.2.3")
    assert tags["mistworks.validation.store"] == VALIDATION.url
    assert tags["mistworks.train.content_hash"] == TRAIN.content_hash
    assert found.inputs is not None
    inputs = {item.dataset.name: item.dataset for item in found.inputs.dataset_inputs}
    assert set(inputs) == {"train", "validation"}
    assert json.loads(inputs["train"].source) == {"uri": TRAIN.url, "content_hash": TRAIN.content_hash}


def test_a_run_is_not_resumed_with_other_settings(tracking_uri: str) -> None:
    training(tracking_uri, parameters={"lr": 0.1})
    training(tracking_uri, parameters={"lr": 0.1})
    with pytest.raises(MistworksError, match=r"Expected lr = 0\.1, .* got 0\.2"):
        training(tracking_uri, parameters={"lr": 0.2})


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("diverged"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_a_run_left_by_an_exception_says_so(tracking_uri: str, error: BaseException, status: str) -> None:
    run = training(tracking_uri)
    with pytest.raises(type(error)), run:
        raise error
    found = open_client(tracking_uri).get_run(run.run_id)
    assert found.info.status == status
    assert type(error).__name__ in found.data.tags["mistworks.failure"]


def test_an_evaluation_is_recorded_once_however_often_it_is_logged(tracking_uri: str) -> None:
    results = results_of([20, 200], [1.0, 2.0], [1.5, np.nan], suite="test-imd")
    run = training(tracking_uri)
    for _ in range(2):
        metrics = log_evaluation(tracking_uri, run.run_id, [results], prior_mean=1.0)
    assert metrics["test-imd.mse.n_10_100"] == 0.25
    assert steps(tracking_uri, run.run_id, "test-imd.mse.n_10_100") == [(0, 0.25)]
    assert steps(tracking_uri, run.run_id, "test-imd.failures.all") == [(0, 1.0)]
    names = {item.path for item in open_client(tracking_uri).list_artifacts(run.run_id, "evaluation")}
    pictures = {f"evaluation/{name}.png" for name in ("truth", "mse", "bias", "families")}
    assert names == {"evaluation/accuracy.csv", "evaluation/estimates.parquet"} | pictures
    with pytest.raises(MistworksError, match=r"Expected a run at .*, got 'nothing'"):
        log_evaluation(tracking_uri, "nothing", [results])


def test_metrics_of_several_estimators_are_told_apart(tracking_uri: str) -> None:
    results = results_of([20], [1.0], [1.5])
    other = replace(results, estimator="cca+bootstrap", estimate=results.estimate + 1)
    run = training(tracking_uri)
    metrics = log_evaluation(tracking_uri, run.run_id, [results, other])
    assert metrics["constant.suite.mse.all"] == 0.25
    assert metrics["cca-bootstrap.suite.mse.all"] == 2.25
    names = {item.path for item in open_client(tracking_uri).list_artifacts(run.run_id, "evaluation")}
    assert names == {"evaluation/accuracy.csv", "evaluation/estimates.parquet"}


def test_a_file_is_recorded_on_a_run_that_exists(tracking_uri: str, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<p>", encoding="utf-8")
    run = training(tracking_uri)
    log_file(tracking_uri, run.run_id, report)
    names = {item.path for item in open_client(tracking_uri).list_artifacts(run.run_id, "evaluation")}
    assert names == {"evaluation/report.html"}
    with pytest.raises(MistworksError, match=r"Expected a run at .*, got 'nothing'"):
        log_file(tracking_uri, "nothing", report)


def test_artifacts_lie_beside_the_database(tracking_uri: str, tmp_path: Path) -> None:
    client = open_client(tracking_uri)
    experiment = client.get_experiment(experiment_id(client, tracking_uri))
    assert experiment.artifact_location == (tmp_path / "root with a space" / "artifacts").as_uri()


def test_the_code_revision_is_that_of_the_repository_the_package_lies_in() -> None:
    git = ["git", "rev-parse", "HEAD"]
    head = subprocess.run(git, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert code_revision().commit == (head.stdout.strip() if head.returncode == 0 else "unknown")


def test_an_image_says_what_it_was_built_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.registry.revision._git", lambda *_: None)
    monkeypatch.setenv("MISTWORKS_COMMIT", "c0ffee")
    assert code_revision().commit == "c0ffee"
    monkeypatch.delenv("MISTWORKS_COMMIT")
    assert code_revision().commit == "unknown"


def test_the_registry_is_held_by_one_at_a_time(tracking_uri: str) -> None:
    order: list[str] = []

    def wait_for_it() -> None:
        with exclusive(tracking_uri):
            order.append("second")

    with exclusive(tracking_uri):
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        waiting.join(timeout=0.3)
        order.append("first")
    waiting.join(timeout=10)
    assert order == ["first", "second"]


def test_what_is_slow_to_import_is_imported_when_it_is_used() -> None:
    modules = "storage.registry.versions, storage.registry.runs, mistworks.report.plots"
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert not {"mlflow", "torch", "matplotlib", "pandas"} & set(done.stdout.split())


@pytest.mark.parametrize("uri", ["/tmp/mlruns", "mlflow.db", "file:///tmp/mlruns"])
def test_a_tracking_uri_that_is_neither_database_nor_server_is_refused(uri: str) -> None:
    with pytest.raises(MistworksError, match="Expected a tracking URI such as sqlite"):
        open_client(uri)


def test_a_database_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        MistworksError, match=(r"Expected to create the folder .*file/root of the MLflow database")
    ):
        open_client(local_tracking_uri(tmp_path / "file" / "root"), create=True)
