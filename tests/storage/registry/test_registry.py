"""Registered models against a real MLflow on SQLite: round trips compare values, never shapes."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

import mistworks
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimator, TrainingRange
from mistworks.evaluation.gate import Condition, Decision
from mistworks.networks import SetTransformerConfig, build_network
from storage.places.location import Location
from storage.registry.lineage import RegisteredVersion, champions
from storage.registry.package import estimator_folder
from storage.registry.promotion import ChampionMovedError, champion, promote, rollback
from storage.registry.revision import CodeRevision
from storage.registry.runs import StoreReference, TrainingRecord, find_run, start_or_resume
from storage.registry.tracking import local_tracking_uri, open_client
from storage.registry.versions import MissingModelError, load, lookup, register, versions
from tasks.registration import compare_with_champion
from tests.support.forks import at_once, in_fork

TRAIN = StoreReference("train", "/data/train.zarr", "a" * 64)
VALIDATION = StoreReference("validation", "/data/validation.zarr", "b" * 64)
REVISION = CodeRevision("c0ffee" * 6 + "c0ff", True, "1.2.3")
PASSED = Decision(
    (
        Condition("coverage", True, "90% where 80% is asked"),
        Condition("accuracy against the champion", True, "0.1 against 0.2"),
    ),
    {"validation.mse": 0.1},
)
REFUSED = Decision((Condition("coverage", False, "71% where 80% is asked: 9% off"),), {"validation.mse": 0.3})
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


def record(run_id: str, validation: StoreReference = VALIDATION) -> TrainingRecord:
    return TrainingRecord(run_id, TRAIN, validation, "", None, "", "tiny", REVISION)


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
    place = saved(folder / f"estimator-{seed}", seed, objective)
    return register(
        place,
        mistworks.load(place),
        record(run_of(tracking_uri, key), validation),
        tracking_uri=tracking_uri,
        validation_mse=mse,
        metrics={"test-imd.mse.all": 0.1 + mse},
    )


@pytest.fixture(scope="module")
def one_version(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> str:
    """A registry with one version, for tests that only read or that fork once all is imported."""
    root = tmp_path_factory.mktemp("registry")
    shutil.copy(empty_database, root / "mlflow.db")
    registered(local_tracking_uri(root), root)
    promote("mist/1", PASSED, None, local_tracking_uri(root))
    return local_tracking_uri(root)


def test_a_registered_estimator_comes_back_bit_equal_with_its_lineage(
    tracking_uri: str, tmp_path: Path
) -> None:
    registered(tracking_uri, tmp_path)
    made = promote("mist/1", PASSED, None, tracking_uri)
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


@pytest.mark.parametrize("objective", ["pinball", pytest.param("squared-error", marks=pytest.mark.slow)])
def test_a_fresh_process_elsewhere_serves_the_same_bits(
    tracking_uri: str, tmp_path: Path, objective: str
) -> None:
    registered(tracking_uri, tmp_path, objective=objective)
    promote("mist/1", PASSED, None, tracking_uri)
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
        "estimator.py",
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


def test_registering_the_same_weights_of_the_same_run_again_returns_the_version(
    tracking_uri: str, tmp_path: Path
) -> None:
    made = registered(tracking_uri, tmp_path)
    assert (made.promoted, made.decided, made.aliases) == (False, False, ())
    assert "not decided yet" in made.promotion
    assert registered(tracking_uri, tmp_path) == made
    assert registered(tracking_uri, tmp_path, key="another run").version == 2
    assert len(versions(tracking_uri)) == 2


def test_a_model_that_predicts_otherwise_when_it_is_loaded_is_not_registered(
    tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(folder: str | Path) -> Estimator:
        return estimator(seed=99) if "artifacts" in str(folder) else Estimator.load(folder)

    monkeypatch.setattr(mistworks, "load", wrong)
    with pytest.raises(MistworksError, match=r"to predict .*, got .*\. Nothing was registered"):
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


@pytest.mark.usefixtures("one_version")
def test_of_two_registrations_at_once_both_are_registered(tracking_uri: str, tmp_path: Path) -> None:
    registering = [
        partial(registered, tracking_uri, tmp_path, mse, seed=seed, key=f"key-{seed}")
        for seed, mse in ((1, 0.4), (2, 0.3))
    ]
    assert at_once(registering) == [0, 0]
    assert sorted(version.validation_mse for version in versions(tracking_uri)) == [0.3, 0.4]


# --- who is champion


@pytest.fixture(scope="module")
def four_versions(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """A registry with four versions about which nothing is decided, to be copied."""
    root = tmp_path_factory.mktemp("versions")
    shutil.copy(empty_database, root / "mlflow.db")
    for seed in range(1, 5):
        registered(local_tracking_uri(root), root, seed=seed, key=f"key-{seed}")
    return root / "mlflow.db"


@pytest.fixture
def four(four_versions: Path, tmp_path: Path) -> str:
    shutil.copy(four_versions, tmp_path / "mlflow.db")
    return local_tracking_uri(tmp_path)


def numbers(tracking_uri: str) -> tuple[int, ...]:
    return champions(open_client(tracking_uri).get_registered_model("mist"))


def tags(tracking_uri: str, number: int) -> dict[str, str]:
    return dict(open_client(tracking_uri).get_model_version("mist", str(number)).tags)


def everything(tracking_uri: str) -> object:
    model = open_client(tracking_uri).get_registered_model("mist")
    return model.aliases, model.tags, [tags(tracking_uri, number) for number in range(1, 5)]


def test_a_version_that_passes_becomes_champion_and_its_figures_are_kept(four: str) -> None:
    first = promote("mist/1", PASSED, None, four)
    assert (first.promoted, first.decided, first.aliases) == (True, True, ("champion",))
    assert first.promotion == "champion: accuracy against the champion (0.1 against 0.2)"
    second = promote("mist/2", PASSED, 1, four)
    assert second.aliases == ("champion",)
    assert lookup("mist@champion", four).version == 2
    former = lookup("mist/1", four)
    assert (former.promoted, former.aliases, former.promotion) == (True, (), first.promotion)
    recorded = tags(four, 2)
    assert recorded["mistworks.gate.passed"] == "true"
    assert recorded["mistworks.gate.against"] == "version 1"
    assert recorded["mistworks.gate.condition.accuracy_against_the_champion"] == "passed: 0.1 against 0.2"
    assert float(recorded["mistworks.gate.figure.validation.mse"]) == 0.1
    assert "mistworks.gate.forced" not in recorded
    assert champion(four) == second


def test_a_version_that_fails_changes_no_champion_and_its_record_says_why(four: str) -> None:
    promote("mist/1", PASSED, None, four)
    before = everything(four)
    refused = promote("mist/2", REFUSED, 1, four)
    assert (refused.promoted, refused.decided, refused.aliases) == (False, True, ())
    assert refused.promotion == "not champion: coverage (71% where 80% is asked: 9% off)"
    after = everything(four)
    assert before[:2] == after[:2]  # type: ignore[index]
    assert tags(four, 2)["mistworks.gate.condition.coverage"].startswith("failed: 71%")
    assert lookup("mist@champion", four).version == 1


def test_a_former_champion_that_is_refused_stays_known_as_one(four: str) -> None:
    first = promote("mist/1", PASSED, None, four)
    promote("mist/2", PASSED, 1, four)
    refused = promote("mist/1", REFUSED, 2, four)
    assert (refused.promoted, refused.promotion, refused.aliases) == (True, first.promotion, ())
    assert tags(four, 1)["mistworks.gate.condition.coverage"].startswith("failed: 71%")
    assert rollback(four).version == 1


def test_force_makes_a_champion_and_is_recorded(four: str) -> None:
    promote("mist/1", PASSED, None, four)
    assert not promote("mist/2", REFUSED, 1, four).promoted
    forced = promote("mist/2", REFUSED, 1, four, force=True)
    assert forced.aliases == ("champion",)
    assert forced.promotion == "champion by force, although coverage (71% where 80% is asked: 9% off)"
    assert tags(four, 2)["mistworks.gate.forced"].startswith("20")
    assert tags(four, 2)["mistworks.gate.passed"] == "false"
    promote("mist/3", PASSED, 2, four)
    promote("mist/2", PASSED, 3, four)
    assert "mistworks.gate.forced" in tags(four, 2), "what was forced once stays on record"


def test_rollback_walks_back_and_ends_at_the_first_champion(four: str) -> None:
    with pytest.raises(MistworksError, match=r"got alias 'champion'"):
        rollback(four)
    for number, against in ((1, None), (3, 1), (4, 3)):
        promote(f"mist/{number}", PASSED, against, four)
    assert rollback(four).version == 3
    withdrawn = lookup("mist/4", four)
    assert (withdrawn.promoted, withdrawn.decided) == (False, True)
    assert withdrawn.promotion.startswith("rolled back 20")
    assert rollback(four).version == 1
    before = everything(four)
    with pytest.raises(MistworksError, match="Expected a champion before mist/1 to restore, got none"):
        rollback(four)
    assert everything(four) == before
    again = promote("mist/4", PASSED, 1, four)
    assert (again.promoted, numbers(four)) == (True, (1, 4))
    assert again.promotion.startswith("champion: ")
    assert rollback(four).version == 1


def test_rollback_passes_over_versions_that_were_deleted(four: str) -> None:
    for number, against in ((1, None), (2, 1), (1, 2), (3, 1), (1, 3)):
        promote(f"mist/{number}", PASSED, against, four)
    open_client(four).delete_model_version("mist", "3")
    assert rollback(four).version == 2
    assert numbers(four) == (1, 2)


def test_a_champion_set_by_hand_is_believed(four: str) -> None:
    promote("mist/1", PASSED, None, four)
    open_client(four).set_registered_model_alias("mist", "champion", "3")
    found = lookup("mist@champion", four)
    assert (found.version, found.promotion) == (3, "champion: its alias was set without the gate")
    assert rollback(four).version == 1


def test_a_champion_that_moved_since_the_comparison_is_not_replaced(four: str) -> None:
    promote("mist/1", PASSED, None, four)
    promote("mist/2", PASSED, 1, four)
    before = everything(four)
    for force in (False, True):
        with pytest.raises(ChampionMovedError, match=r"to stay version 1 while mist/3 was .*, got version 2"):
            promote("mist/3", PASSED, 1, four, force=force)
    with pytest.raises(ChampionMovedError, match=r"to stay none while .*, got version 2"):
        promote("mist/3", PASSED, None, four)
    assert everything(four) == before


def test_of_two_promotions_at_once_exactly_one_wins(four: str) -> None:
    def promote_one(number: int) -> None:
        try:
            promote(f"mist/{number}", PASSED, 1, four)
        except ChampionMovedError:
            sys.exit(3)

    assert in_fork(lambda: promote("mist/1", PASSED, None, four)) == 0
    codes = at_once([partial(promote_one, number) for number in (2, 3)])
    assert sorted(codes) == [0, 3]
    winner = (2, 3)[codes.index(0)]
    assert lookup("mist@champion", four).version == winner
    assert numbers(four) == (1, winner)
    assert not lookup(f"mist/{5 - winner}", four).decided, "the loser was left as it was"


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it, and the kernel lets the lock go."""


def killed_before_write(monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    """Have the write to the registry of that number, counted from 0, and all after it not happen."""
    done = 0

    def counted(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            nonlocal done
            done += 1
            if done > which:
                raise KilledError
            return write(*arguments)

        return wrapped

    for name in (
        "set_model_version_tag",
        "delete_model_version_tag",
        "set_registered_model_tag",
        "set_registered_model_alias",
    ):
        monkeypatch.setattr(MlflowClient, name, counted(getattr(MlflowClient, name)))


# Seven tags are deleted and eight set, the verdict last; then the model's tag, then the alias.
@pytest.mark.parametrize("which", [0, 1, 7, 14, 15, 16])
def test_a_promotion_killed_at_any_write_has_one_champion_and_can_be_repeated(
    which: int, four: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote("mist/1", PASSED, None, four)
    promote("mist/2", REFUSED, 1, four)
    with monkeypatch.context() as patched:
        killed_before_write(patched, which)
        with pytest.raises(KilledError):
            promote("mist/2", PASSED, 1, four)
    challenger = lookup("mist/2", four)
    assert lookup("mist@champion", four).version == 1
    assert numbers(four) == (1,)
    assert not challenger.promoted
    assert challenger.decided == (which == 0), "killed on the way is told apart from refused"
    with pytest.raises(MistworksError, match="Expected a champion before"):
        rollback(four)
    assert promote("mist/2", PASSED, 1, four).promoted
    assert numbers(four) == (1, 2)


@pytest.mark.parametrize("which", range(3))
def test_a_rollback_killed_at_any_write_has_one_champion_and_can_be_repeated(
    which: int, four: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, against in ((1, None), (2, 1), (3, 2)):
        promote(f"mist/{number}", PASSED, against, four)
    with monkeypatch.context() as patched:
        killed_before_write(patched, which)
        with pytest.raises(KilledError):
            rollback(four)
    moved = which == 2
    assert numbers(four) == ((1, 2) if moved else (1, 2, 3))
    assert lookup("mist/3", four).promoted != moved
    assert rollback(four).version == (1 if moved else 2)


def test_whoever_only_reads_needs_neither_the_lock_nor_the_right_to_write(four: str, tmp_path: Path) -> None:
    promote("mist/1", PASSED, None, four)
    lock = tmp_path / "mlflow.db.lock"
    lock.unlink()
    assert lookup("mist@champion", four).version == 1
    assert len(versions(four)) == 4
    assert load("mist/1", four).weights_sha256 == estimator(1).weights_sha256
    assert not lock.exists()
    closed = Path(tempfile.mkdtemp())
    shutil.copy(tmp_path / "mlflow.db", closed)

    def read_as_nobody() -> None:
        if os.getuid() == 0:
            os.setuid(65534)
        assert not os.access(closed, os.W_OK)
        assert lookup("mist@champion", local_tracking_uri(closed)).version == 1

    (closed / "mlflow.db").chmod(0o444)
    closed.chmod(0o555)
    try:
        assert in_fork(read_as_nobody) == 0
    finally:
        closed.chmod(0o755)
        shutil.rmtree(closed)


# --- what does not exist, or cannot be


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "models:/mist@best",
            r"Expected an alias \(champion\) or version \(1\) of the model 'mist', got alias 'best'",
        ),
        ("mist/7", r"Expected an alias \(champion\) or version \(1\) of the model 'mist', got version 7"),
        ("fog@champion", r"Expected a registered model at sqlite.* \(mist\), got .*\. Train"),
        ("fo'g/1", r"Expected a registered model at .*, got .fo'g/1"),
        (
            "mist",
            r"Expected a registered model such as models:/mist@champion or models:/mist/3, .*got 'mist'",
        ),
        ("models:/mist/latest", "Expected a registered model such as"),
        ("mist/0", "Expected a registered model such as"),
        ("runs:/abc/model", "Expected a registered model such as"),
    ],
)
def test_a_reference_to_nothing_names_what_exists(reference: str, message: str, one_version: str) -> None:
    with pytest.raises(MistworksError, match=message):
        lookup(reference, one_version)
    with pytest.raises(MistworksError, match=message):
        load(reference, one_version)


def test_an_empty_registry_says_that_it_is_empty(tracking_uri: str) -> None:
    assert versions(tracking_uri) == []
    with pytest.raises(
        MistworksError, match=r"Expected a registered model at .* \(none\), got 'mist.*\. Train"
    ):
        lookup("mist@champion", tracking_uri)


def test_looking_for_a_registry_makes_none(tmp_path: Path) -> None:
    uri = local_tracking_uri(tmp_path / "nothing")
    for read in (lambda: versions(uri), lambda: lookup("mist/1", uri), lambda: load("mist/1", uri)):
        with pytest.raises(
            MistworksError, match=(r"Expected an MLflow database at .*nothing/mlflow.db, got none")
        ):
            read()
    assert find_run(uri, "key") is None
    assert not (tmp_path / "nothing").exists()


def test_what_cannot_be_registered_is_refused(tracking_uri: str, tmp_path: Path) -> None:
    with pytest.raises(MistworksError, match=r"Expected a readable model.safetensors"):
        register(
            tmp_path / "nothing",
            estimator(),
            record(run_of(tracking_uri, "key")),
            tracking_uri=tracking_uri,
            validation_mse=1.0,
        )
    with pytest.raises(MistworksError, match=r"Expected a run at .*, got 'nothing'"):
        register(
            saved(tmp_path / "estimator"),
            estimator(),
            record("nothing"),
            tracking_uri=tracking_uri,
            validation_mse=1.0,
        )


def test_the_estimator_is_found_only_where_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(
        MistworksError, match=(r"Expected model\.safetensors in .*, got none\. Register it again")
    ):
        estimator_folder(tmp_path)


# --- a root that was moved, models that are gone


def test_a_root_that_was_moved_takes_its_models_with_it(tracking_uri: str, tmp_path: Path) -> None:
    registered(tracking_uri, tmp_path)
    promote("mist/1", PASSED, None, tracking_uri)
    old, new = tmp_path / "root with a space", tmp_path / "somewhere" / "élse"
    new.parent.mkdir()
    old.rename(new)
    uri = local_tracking_uri(new)
    assert load("mist@champion", uri).weights_sha256 == estimator().weights_sha256
    for table in ("experiments", "runs", "logged_models", "model_versions"):
        with closing(sqlite3.connect(new / "mlflow.db")) as database:
            assert str(old.as_uri()) not in str(database.execute(f"SELECT * FROM {table}").fetchall())

    def predict() -> None:
        sample = [[1.0], [2.0], [3.0], [5.0], [8.0]]
        mlflow.set_tracking_uri(uri)
        frame = pd.DataFrame({"x": [sample], "y": [sample]})
        assert np.isfinite(mlflow.pyfunc.load_model("models:/mist@champion").predict(frame)["mi"][0])

    assert in_fork(predict) == 0
    assert registered(uri, tmp_path, seed=1, key="after").version == 2


def test_a_moved_root_that_is_read_only_serves_its_models(
    tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(tracking_uri, tmp_path)
    (tmp_path / "root with a space").rename(tmp_path / "moved")
    database = tmp_path / "moved" / "mlflow.db"
    before = database.read_bytes()

    def refuse(*_: object) -> None:
        raise MistworksError("cannot be written")

    monkeypatch.setattr("storage.registry.tracking.exclusive", refuse)
    assert load("mist/1", local_tracking_uri(tmp_path / "moved")).weights_sha256 == estimator().weights_sha256
    assert database.read_bytes() == before


def test_a_root_by_another_name_is_not_a_moved_one(tracking_uri: str, tmp_path: Path) -> None:
    registered(tracking_uri, tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "root with a space")
    before = (tmp_path / "root with a space" / "mlflow.db").read_bytes()
    assert load("mist/1", local_tracking_uri(tmp_path / "link")).weights_sha256 == estimator().weights_sha256
    assert (tmp_path / "root with a space" / "mlflow.db").read_bytes() == before


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_version_whose_model_is_gone_or_damaged_says_so(
    harm: str, tracking_uri: str, tmp_path: Path
) -> None:
    registered(tracking_uri, tmp_path)
    [weights] = (tmp_path / "root with a space").rglob("artifacts/estimator*/model.safetensors")
    if harm == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(
        MissingModelError, match=r"the model of mist/1 at .*Restore its artifacts from a backup"
    ):
        load("mist/1", tracking_uri)
    everything_before = tags(tracking_uri, 1)
    with pytest.raises(MissingModelError, match="the model of mist/1"):
        compare_with_champion.fn("mist/1", tracking_uri)
    assert tags(tracking_uri, 1) == everything_before


def test_what_cannot_be_compared_here_is_an_error_and_the_former_verdict_stays(
    four: str, tmp_path: Path
) -> None:
    promote("mist/1", PASSED, None, four)
    promote("mist/2", REFUSED, 1, four)
    before = everything(four)
    with pytest.raises(
        MistworksError,
        match=(
            r"mist/2 was not compared and nothing was decided\. Expected a store of the validation split "
            r"with content bbbbbbbbbbbb…, got none on .*nowhere.*Give the place of the store"
        ),
    ):
        compare_with_champion.fn("mist/2", four, (Location.parse(tmp_path / "nowhere"),))
    assert everything(four) == before


# --- a registration that is killed


def register_and_promote(tracking_uri: str, folder: Path) -> None:
    version = registered(tracking_uri, folder)
    if not version.decided:
        present = champion(tracking_uri)
        promote(version.uri, PASSED, present and present.version, tracking_uri)


def killed_at(point: str, tracking_uri: str, folder: Path) -> None:
    """Register and promote until a method of MLflow is called, or has been."""
    method, when = point.split(":")
    original = getattr(MlflowClient, method)

    def killed(*arguments: Any, **options: Any) -> None:
        if when == "after":
            original(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(MlflowClient, method, killed)
    register_and_promote(tracking_uri, folder)


@pytest.mark.parametrize(
    "point",
    [
        "create_logged_model:after",
        "log_model_artifacts:after",
        "create_registered_model:after",
        "create_model_version:after",
        "set_model_version_tag:after",
        "set_registered_model_tag:after",
        "set_registered_model_alias:after",
        # A kill before one is as a kill after what comes before it.
        *(
            pytest.param(point, marks=pytest.mark.slow)
            for point in (
                "log_model_artifacts:before",
                "create_registered_model:before",
                "create_model_version:before",
                "set_model_version_tag:before",
                "set_registered_model_tag:before",
                "set_registered_model_alias:before",
            )
        ),
    ],
)
@pytest.mark.usefixtures("one_version")
def test_a_registration_killed_at_any_step_is_finished_by_the_next(
    point: str, tracking_uri: str, tmp_path: Path
) -> None:
    assert in_fork(partial(killed_at, point, tracking_uri, tmp_path)) == -signal.SIGKILL
    assert in_fork(partial(register_and_promote, tracking_uri, tmp_path)) == 0
    [version] = versions(tracking_uri)
    assert (version.version, version.decided, version.aliases) == (1, True, ("champion",))
    assert numbers(tracking_uri) == (1,)
    assert load("mist@champion", tracking_uri).weights_sha256 == estimator().weights_sha256
    run = open_client(tracking_uri).get_run(version.lineage.run_id)
    assert run.info.status == "FINISHED"
