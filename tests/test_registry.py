"""Registered models against a real MLflow on SQLite: round trips compare values, never shapes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

import mistworks
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation import Estimator, TrainingRange
from mistworks.networks import SetTransformerConfig, build_network
from storage.model_package import estimator_folder
from storage.registry import RegisteredVersion, load, lookup, register, versions
from storage.runs import CodeRevision, StoreReference, find_run, start_or_resume
from storage.tracking import local_tracking_uri, open_client

REPOSITORY = Path(__file__).resolve().parents[1]
TRAIN = StoreReference("train", "/data/train.zarr", "a" * 64)
VALIDATION = StoreReference("validation", "s3://bucket/validation.zarr", "b" * 64)
REVISION = CodeRevision("c0ffee" * 6 + "c0ff", True, "1.2.3")
NETWORK = SetTransformerConfig(
    hidden=8,
    heads=2,
    feedforward=8,
    relation_hidden=8,
    self_attention_blocks=1,
    induced_attention_blocks=1,
    inducing_points=2,
    seeds=2,
    head_hidden=8,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in another order differ in their last bit, and what is compared here is bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def estimator(seed: int = 0, objective: str = "pinball") -> Estimator:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(NETWORK)
    training_range = TrainingRange(n=(10, 500), dx=(1, 8), dy=(1, 8))
    return Estimator(
        network, NETWORK, "pinball" if objective == "pinball" else "squared-error", training_range
    )


def saved(folder: Path, seed: int = 0, objective: str = "pinball") -> Path:
    estimator(seed, objective).save(folder)
    return folder


def pairs() -> list[tuple[FloatArray, FloatArray]]:
    generator = np.random.default_rng(7)
    return [
        (generator.normal(size=(n, dx)).astype(np.float32), generator.normal(size=(n, dy)).astype(np.float32))
        for n, dx, dy in ((20, 1, 3), (64, 4, 4), (33, 5, 1))
    ]


def run_of(tracking_uri: str, key: str) -> str:
    with start_or_resume(tracking_uri, training_key=key, name="tiny", parameters={}) as run:
        return run.run_id


def registered(
    tracking_uri: str,
    folder: Path,
    mse: float = 0.5,
    *,
    seed: int = 0,
    key: str = "key",
    validation: StoreReference = VALIDATION,
    objective: str = "pinball",
) -> RegisteredVersion:
    return register(
        saved(folder / f"estimator-{seed}", seed, objective),
        tracking_uri=tracking_uri,
        run_id=run_of(tracking_uri, key),
        train=TRAIN,
        validation=validation,
        validation_mse=mse,
        preset="tiny",
        metrics={"test-imd.mse.all": 0.1 + mse},
        revision=REVISION,
    )


def test_a_registered_estimator_comes_back_bit_equal_with_its_lineage(
    tracking_uri: str, tmp_path: Path
) -> None:
    made = registered(tracking_uri, tmp_path)
    expected = estimator().estimate_many(pairs())
    for reference in ("models:/mist@champion", "models:/mist/1", "mist@champion", "mist/1"):
        assert lookup(reference, tracking_uri) == made
        assert load(reference, tracking_uri).estimate_many(pairs()) == expected
    assert versions(tracking_uri) == [made]
    assert (made.name, made.version, made.aliases, made.uri) == ("mist", 1, ("champion",), "models:/mist/1")
    assert made.metrics == {"validation.mse": 0.5, "test-imd.mse.all": 0.6}
    lineage = made.lineage
    assert (lineage.train_store, lineage.train_hash) == (TRAIN.url, TRAIN.content_hash)
    assert (lineage.validation_store, lineage.validation_hash) == (VALIDATION.url, VALIDATION.content_hash)
    assert (lineage.code_commit, lineage.code_dirty, lineage.code_version) == (REVISION.commit, True, "1.2.3")
    assert (lineage.preset, lineage.run_id) == ("tiny", find_run(tracking_uri, "key"))
    assert json.loads(json.dumps(made.as_dict()))["lineage"]["train_hash"] == TRAIN.content_hash


@pytest.mark.parametrize("objective", ["pinball", "squared-error"])
def test_a_fresh_process_elsewhere_serves_the_same_bits(
    tracking_uri: str, tmp_path: Path, objective: str
) -> None:
    registered(tracking_uri, tmp_path, objective=objective)
    samples = [{"x": x.tolist(), "y": y.tolist()} for x, y in pairs()]
    (tmp_path / "samples.json").write_text(json.dumps(samples))
    code = """
import json
import mlflow
import pandas as pd
model = mlflow.pyfunc.load_model("models:/mist@champion")
import mistworks
frame = pd.DataFrame(json.load(open("samples.json")), index=[3, 1, 2])
answers = [model.predict(frame), model.predict(frame, params={"quantiles": [0.025, 0.9]})]
print(json.dumps([mistworks.__file__, *[answer.to_dict(orient="split") for answer in answers]]))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"MLFLOW_TRACKING_URI": tracking_uri, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, plain, chosen = json.loads(done.stdout)
    assert Path(package).is_relative_to(tmp_path), "the version must bring its own copy of the package"
    expected = [estimator(objective=objective).estimate(x, y) for x, y in pairs()]
    assert plain["index"] == [3, 1, 2]
    if objective == "squared-error":
        assert plain["columns"] == chosen["columns"] == ["mi"]
        assert plain["data"] == [[estimate.mi] for estimate in expected]
        return
    assert plain["columns"] == ["mi", "q05", "q50", "q95"]
    assert plain["data"] == [
        [estimate.mi, *(estimate.quantile(level) for level in (0.05, 0.5, 0.95))] for estimate in expected
    ]
    assert chosen["columns"] == ["mi", "q02.5", "q90"]
    assert chosen["data"] == [
        [estimate.mi, estimate.quantile(0.025), estimate.quantile(0.9)] for estimate in expected
    ]


def test_nothing_that_is_logged_is_a_pickle(tracking_uri: str, tmp_path: Path) -> None:
    registered(tracking_uri, tmp_path)
    files = [path for path in (tmp_path / "root with a space" / "artifacts").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {
        "model.safetensors",
        "config.json",
        "pyfunc_model.py",
        "estimation.py",
    }
    for path in files:
        assert path.suffix not in {
            ".pkl",
            ".pickle",
            ".pt",
            ".pth",
            ".bin",
            ".joblib",
            ".npy",
            ".npz",
            ".pyc",
        }
        start = path.read_bytes()[:2]
        assert start not in {b"\x80" + bytes([protocol]) for protocol in range(6)}
        assert start != b"PK", "torch.save writes pickles into zip files"


def test_the_champion_changes_only_for_a_strictly_lower_error_on_the_same_data(
    tracking_uri: str, tmp_path: Path
) -> None:
    def challenge(seed: int, mse: float, validation: StoreReference = VALIDATION) -> tuple[bool, str, int]:
        made = registered(tracking_uri, tmp_path, mse, seed=seed, key=f"key-{seed}", validation=validation)
        assert made.promoted == ("champion" in made.aliases)
        return made.promoted, made.promotion, lookup("mist@champion", tracking_uri).version

    assert challenge(1, 0.5) == (
        True,
        "champion: the first version with a finite validation MSE, 0.5 nats²",
        1,
    )
    promoted, reason, champion = challenge(2, 0.5)
    assert (promoted, champion) == (False, 1)
    assert reason == "not champion: its validation MSE is not lower, 0.5 nats² against 0.5 of version 1"
    assert challenge(3, 0.6)[::2] == (False, 1)
    promoted, reason, champion = challenge(4, 0.1, replace(VALIDATION, content_hash="d" * 64))
    assert (promoted, champion) == (False, 1)
    assert "measured on validation data dddddddddddd and champion version 1 on bbbbbbbbbbbb" in reason
    promoted, reason, champion = challenge(5, float("nan"))
    assert (promoted, champion) == (False, 1)
    assert "validation MSE is nan" in reason
    promoted, reason, champion = challenge(6, float(np.nextafter(0.5, 0)))
    assert (promoted, champion) == (True, 6)
    assert "lower" in reason
    assert [version.version for version in versions(tracking_uri)] == [1, 2, 3, 4, 5, 6]


def test_registering_the_same_weights_of_the_same_run_again_returns_the_version(
    tracking_uri: str, tmp_path: Path
) -> None:
    made = registered(tracking_uri, tmp_path)
    assert registered(tracking_uri, tmp_path) == made
    assert registered(tracking_uri, tmp_path, key="another run").version == 2

    # As if the first registration had been killed between making the version and deciding.
    client = open_client(tracking_uri)
    client.delete_registered_model_alias("mist", "champion")
    client.delete_model_version_tag("mist", "1", "mistworks.promotion")
    assert "not decided yet" in lookup("mist/1", tracking_uri).promotion
    again = registered(tracking_uri, tmp_path)
    assert (again.version, again.promoted, again.aliases) == (1, True, ("champion",))
    assert len(versions(tracking_uri)) == 2


def test_a_model_that_predicts_otherwise_when_it_is_loaded_is_not_registered(
    tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(folder: str | Path) -> Estimator:
        return estimator(seed=99) if "artifacts" in str(folder) else Estimator.load(folder)

    monkeypatch.setattr(mistworks, "load", wrong)
    with pytest.raises(MistworksError, match=r"where the estimator itself predicts.*nothing was registered"):
        registered(tracking_uri, tmp_path)
    assert versions(tracking_uri) == []


def test_registering_leaves_no_trace_in_the_process(
    tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.invalid")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    registered(tracking_uri, tmp_path)
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://example.invalid"
    assert "MLFLOW_REGISTRY_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://another.invalid")
    assert mlflow.get_tracking_uri() == mlflow.get_registry_uri() == "http://another.invalid"
    assert sys.path == path
    assert {item.name for item in tmp_path.iterdir()} == {"root with a space", "estimator-0"}
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_of_two_registrations_at_once_the_better_becomes_champion(tracking_uri: str, tmp_path: Path) -> None:
    code = """
import sys
from storage.registry import register
from storage.runs import CodeRevision, StoreReference
folder, uri, run_id, mse = sys.argv[1:]
data = StoreReference("validation", "/data", "b" * 64)
register(folder, tracking_uri=uri, run_id=run_id, train=data, validation=data, validation_mse=float(mse),
         preset="tiny", revision=CodeRevision("unknown", False, "unknown"))
"""
    processes = []
    for seed, mse in ((1, 0.4), (2, 0.3)):
        folder = saved(tmp_path / f"estimator-{seed}", seed)
        arguments = [str(folder), tracking_uri, run_of(tracking_uri, f"key-{seed}"), str(mse)]
        processes.append(subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=REPOSITORY))
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert sorted(version.validation_mse for version in versions(tracking_uri)) == [0.3, 0.4]
    assert lookup("mist@champion", tracking_uri).validation_mse == 0.3


# --- what does not exist, or cannot be


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "models:/mist@best",
            "'mist' has no alias 'best'; its aliases: champion; its versions: 1; ask for one",
        ),
        ("mist/7", "'mist' has no version 7; its aliases: champion; its versions: 1"),
        ("fog@champion", "there is no registered model 'fog' at sqlite.*; registered models: mist; train"),
        ("fo'g/1", 'there is no registered model "fo\'g"'),
        (
            "mist",
            r"'mist' does not name a registered model; expected models:/mist@champion or models:/mist/3",
        ),
        ("models:/mist/latest", "does not name a registered model"),
        ("mist/0", "does not name a registered model"),
        ("runs:/abc/model", "does not name a registered model"),
    ],
)
def test_a_reference_to_nothing_names_what_exists(reference: str, message: str, one_version: str) -> None:
    with pytest.raises(MistworksError, match=message):
        lookup(reference, one_version)
    with pytest.raises(MistworksError, match=message):
        load(reference, one_version)


@pytest.fixture(scope="module")
def one_version(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> str:
    """A registry with one version, for tests that only read."""
    root = tmp_path_factory.mktemp("registry")
    shutil.copy(empty_database, root / "mlflow.db")
    registered(local_tracking_uri(root), root)
    return local_tracking_uri(root)


def test_an_empty_registry_says_that_it_is_empty(tracking_uri: str) -> None:
    assert versions(tracking_uri) == []
    with pytest.raises(
        MistworksError, match=r"no registered model 'mist' at .*; registered models: none; train"
    ):
        lookup("mist@champion", tracking_uri)


def test_looking_for_a_registry_makes_none(tmp_path: Path) -> None:
    uri = local_tracking_uri(tmp_path / "nothing")
    for read in (lambda: versions(uri), lambda: lookup("mist/1", uri), lambda: load("mist/1", uri)):
        with pytest.raises(MistworksError, match=r"there is no MLflow database at .*nothing/mlflow.db"):
            read()
    assert find_run(uri, "key") is None
    assert not (tmp_path / "nothing").exists()


def test_what_cannot_be_registered_is_refused(tracking_uri: str, tmp_path: Path) -> None:
    with pytest.raises(MistworksError, match=r"holds no readable model.safetensors"):
        register(
            tmp_path / "nothing",
            tracking_uri=tracking_uri,
            run_id=run_of(tracking_uri, "key"),
            train=TRAIN,
            validation=VALIDATION,
            validation_mse=1.0,
            preset="tiny",
        )
    with pytest.raises(MistworksError, match="there is no run 'nothing'"):
        register(
            saved(tmp_path / "estimator"),
            tracking_uri=tracking_uri,
            run_id="nothing",
            train=TRAIN,
            validation=VALIDATION,
            validation_mse=1.0,
            preset="tiny",
        )


def test_the_estimator_is_found_only_where_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(MistworksError, match=r"holds no model\.safetensors; register it again"):
        estimator_folder(tmp_path)
