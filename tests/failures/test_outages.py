"""Services that fail under a run: it waits, loses nothing, and ends as one that nothing happened to."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest

from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, find_manifest, open_store
from storage.datasets.partitions import generate_partition
from storage.datasets.verification import verify
from storage.places.location import Location
from tests.failures.observations import Observe
from tests.support.commands import Run, hash_in, until
from tests.topology import Topology

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

COUNT, SIZE = 24_000, 80
PARTITIONS = COUNT // SIZE
RUN_SECONDS = 600.0


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with Topology() as running:
        yield running


@pytest.fixture(autouse=True)
def credentials(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process looks into the bucket, too."""
    for name, value in topology.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def whole_hash(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content hash of the store, made here without any service."""
    manifest = Manifest.of(
        "train", load_preset("tiny").split("train", COUNT), partition_size=4_000, root_seed=0
    )
    store = create_store(str(tmp_path_factory.mktemp("whole") / "s.zarr"), manifest)
    for number in store.missing():
        generate_partition(store, number)
    return store.content_hash()


@dataclass(frozen=True)
class Failure:
    """A failure of services.

    Attributes:
        name: what is done.
        provoke: does it, and mends it.
        warning: what the run says while it waits; nothing if it need not.
    """

    name: str
    provoke: Callable[[Topology], None]
    warning: str = ""


def gone(service: str, seconds: float, *, kill: bool = False) -> Callable[[Topology], None]:
    """Take a service away for some time."""

    def provoke(topology: Topology) -> None:
        (topology.kill if kill else topology.stop)(service)
        time.sleep(seconds)
        topology.start_service(service)

    return provoke


LOST = "Lost the Dask scheduler"
FAILURES = [
    Failure("Dask worker killed", gone("dask-worker-1", 3, kill=True)),
    Failure("both Dask workers killed, back after 15 s", lambda topology: _both_workers(topology, 15)),
    Failure("Dask scheduler killed, back after 5 s", lambda topology: _scheduler(topology, 5), LOST),
    Failure("Dask scheduler killed, back after 60 s", lambda topology: _scheduler(topology, 60), LOST),
    Failure("object store stopped for 30 s", gone("seaweedfs", 30)),
    Failure("object store killed, back after 10 s", gone("seaweedfs", 10, kill=True)),
    Failure("PostgreSQL restarted", lambda topology: topology.restart("postgres")),
    Failure("PostgreSQL killed, back after 10 s", gone("postgres", 10, kill=True)),
    Failure("Prefect server gone for 60 s", gone("prefect-server", 60)),
    Failure("MLflow server gone while stores are made", gone("mlflow", 10)),
]


def _both_workers(topology: Topology, seconds: float) -> None:
    workers = [name for name in topology.processes if name.startswith("dask-worker")]
    for name in workers:
        topology.kill(name)
    time.sleep(seconds)
    for name in workers:
        topology.start_service(name)


def _scheduler(topology: Topology, seconds: float) -> None:
    """Its workers end when it has gone; in containers `restart: unless-stopped` starts them again."""
    topology.kill("dask-scheduler")
    time.sleep(seconds)
    topology.start_service("dask-scheduler")
    for name in topology.processes:
        if name.startswith("dask-worker"):
            until(lambda name=name: not topology.pids(name))  # type: ignore[misc]
            topology.start_service(name)


def marks(url: str) -> dict[str, tuple[str | None, object]]:
    """The marks of done partitions with what changes when one is written again."""
    files = obstore.list(Location.parse(url).object_store(), "partition_digest/c").collect()
    return {entry["path"]: (entry["e_tag"], entry["last_modified"]) for entry in files}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name.replace(" ", "-"))
def test_a_run_outlives_it(
    failure: Failure, topology: Topology, whole_hash: str, tmp_path: Path, observe: Observe
) -> None:
    url = f"s3://mistworks/stores/{failure.name.replace(' ', '-').replace(',', '')}.zarr"
    arguments = ["--preset", "tiny", "--count", str(COUNT), "--partition-size", str(SIZE)]
    run = Run("generate", "--store", url, *arguments, root=tmp_path, environment=topology.environment)
    until(
        lambda: (
            run.process.poll() is not None or (find_manifest(Location.parse(url)) and len(marks(url)) >= 5)
        )
    )
    assert run.process.poll() is None, run.end()
    before = marks(url)
    failure.provoke(topology)
    code, out, err = run.end(RUN_SECONDS)
    assert code == 0, err
    assert "Traceback" not in err
    assert hash_in(out) == whole_hash
    warnings = [line for line in err.splitlines() if failure.warning and failure.warning in line]
    assert bool(warnings) == bool(failure.warning), err
    after = marks(url)
    rewritten = [path for path, state in before.items() if after[path] != state]
    assert rewritten == []
    assert verify(open_store(url)).content_hash == whole_hash
    observe(
        failure.name,
        seen=warnings[0] if warnings else "the run goes on",
        afterwards="the same run ends: same hash, nothing lost",
    )


def test_no_workers_is_an_error_in_the_time_set(topology: Topology, tmp_path: Path, observe: Observe) -> None:
    workers = [name for name in topology.processes if name.startswith("dask-worker")]
    for name in workers:
        topology.stop(name)
    try:
        environment = {**topology.environment, "MISTWORKS_WORKERS_TIMEOUT": "5"}
        run = Run(
            "generate",
            "--store",
            "s3://mistworks/stores/no-workers.zarr",
            "--preset",
            "tiny",
            root=tmp_path,
            environment=environment,
        )
        started = time.monotonic()
        code, _, err = run.end(RUN_SECONDS)
    finally:
        for name in workers:
            topology.start_service(name)
    last = err.strip().splitlines()[-1]
    assert (code, "Traceback" in err) == (1, False)
    assert "worker" in last
    assert time.monotonic() - started < 90
    assert find_manifest(Location.parse("s3://mistworks/stores/no-workers.zarr")) is None
    observe("no Dask workers", seen=last, afterwards="nothing was made")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bad secret of the object store", {"AWS_SECRET_ACCESS_KEY": "wrong"}),
        ("unknown key of the object store", {"AWS_ACCESS_KEY_ID": "wrong"}),
    ],
)
def test_bad_credentials_are_told_at_once(
    name: str, changes: dict[str, str], topology: Topology, tmp_path: Path, observe: Observe
) -> None:
    run = Run(
        "generate",
        "--store",
        "s3://mistworks/stores/bad.zarr",
        "--preset",
        "tiny",
        root=tmp_path,
        environment={**topology.environment, **changes},
    )
    code, _, err = run.end(RUN_SECONDS)
    last = err.strip().splitlines()[-1]
    assert (code, "Traceback" in err) == (1, False)
    assert "s3://mistworks/stores/bad.zarr" in last
    assert "<?xml" not in last
    observe(name, seen=last, afterwards="nothing was made")


def test_a_missing_bucket_is_told_at_once(topology: Topology, tmp_path: Path, observe: Observe) -> None:
    run = Run(
        "generate",
        "--store",
        "s3://no-such-bucket/s.zarr",
        "--preset",
        "tiny",
        root=tmp_path,
        environment=topology.environment,
    )
    code, _, err = run.end(RUN_SECONDS)
    last = err.strip().splitlines()[-1]
    assert (code, "Traceback" in err) == (1, False)
    assert "bucket" in last
    observe("missing bucket", seen=last, afterwards="nothing was made")
