"""A night of a team, whole: the clock starts a run, its model becomes champion, and scores come of it."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import obstore
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from mistworks.presets import PRESETS
from storage.places.location import Location
from tests.topology import Topology

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PAIRS = 40
OFTEN = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
    "MISTWORKS_SCORE_SOURCE": "s3://mistworks/pairs",
    "MISTWORKS_SCORE_TARGET": "s3://mistworks/scores",
}
PROJECT = """
name: night
pull: []
deployments:
  - name: each-minute
    entrypoint: flows.nightly.nightly
    description: A night that comes each minute.
    work_pool: {name: mistworks}
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW, grace_period_seconds: 300}
    schedules: [{cron: "* * * * *", timezone: Etc/UTC}]
    parameters: {preset: PRESET, seed: date, keep: 3}
"""
USE = """
import json, numpy, mistworks
estimator = mistworks.load("models:/mist@champion")
x, noise = numpy.random.default_rng(0).normal(size=(2, 50, 1))
print(json.dumps([estimator.weights_sha256, mistworks.estimate(x, x + noise, model=estimator).mi]))
"""


def preset(path: Path) -> Path:
    """A preset of seconds that learns enough to pass the gate."""
    values = PRESETS["tiny"].model_dump(mode="json")
    values["network"] = {"network": "summary", "hidden": 32, "members": 1}
    values["training"] |= {"epochs": 12, "validate_every": 20, "checkpoint_every": 20}
    for split, count in {"train": 1_000, "validation": 288, "calibration": 400}.items():
        values["splits"][split]["count"] = count
    path.write_text(json.dumps(values))
    return path


def put_pairs() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(PAIRS, 30, 2))
    table = pa.table({"id": [f"pair-{i}" for i in range(PAIRS)], "x": x.tolist(), "y": (x + 1.0).tolist()})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    obstore.put(Location.parse("s3://mistworks/pairs").object_store(), "some.parquet", sink.getvalue())


def scores() -> pa.Table:
    files = Location.parse("s3://mistworks/scores").object_store()
    paths = [entry["path"] for entry in obstore.list(files).collect() if entry["path"].endswith(".parquet")]
    contents = [bytes(obstore.get(files, path).bytes()) for path in paths]
    return pa.concat_tables([pq.read_table(pa.BufferReader(content)) for content in contents])


class Api:
    """What the test asks Prefect's server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        """Runs of a deployment that have ended, oldest first."""
        query = {
            "deployments": {"name": {"any_": [deployment]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
            "sort": "START_TIME_ASC",
        }
        found: list[dict[str, Any]] = httpx.post(
            f"{self.url}/flow_runs/filter", json=query, timeout=30
        ).json()
        return found


def await_that(condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (met := condition()):
        assert time.monotonic() < deadline
        time.sleep(2)
    return met


def test_a_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "night.yaml"
    file.write_text(PROJECT.replace("PRESET", str(preset(tmp_path / "night.json"))))
    with Topology(environment=OFTEN) as topology:
        for name, value in topology.environment.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        put_pairs()
        mistworks = [sys.executable, "-m", "flows.cli"]
        subprocess.run([*mistworks, "deploy", "--file", str(file)], env=topology.environment, check=True)
        api = Api(topology.environment["PREFECT_API_URL"])

        first, second = await_that(
            lambda: (runs := api.runs("each-minute")) and len(runs) > 1 and runs[:2], 600
        )
        assert first["state_type"] == "COMPLETED", first["state"]["message"]
        assert first["auto_scheduled"]
        assert first["state"]["message"].startswith("mist/1 is champion: accuracy against")
        assert second["state"]["message"].startswith("Nothing new: mist/1 was made from this data")

        told = subprocess.run(
            [*mistworks, "lookup", "mist@champion", "--json"],
            env=topology.registry_environment,
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stderr
        champion = json.loads(told.stdout)
        assert (champion["version"], champion["promoted"]) == (1, True)
        used = subprocess.run(
            [sys.executable, "-c", USE],
            env=topology.registry_environment,
            capture_output=True,
            text=True,
        )
        assert used.returncode == 0, used.stderr
        weights, mi = json.loads(used.stdout)
        assert weights == champion["lineage"]["weights_sha256"]
        assert 0.0 <= mi < 5.0

        [scored] = await_that(lambda: api.runs("score"), 120)
        assert scored["state_type"] == "COMPLETED", scored["state"]["message"]
        rows = scores().to_pylist()
        assert len(rows) == PAIRS
        assert {row["model"] for row in rows} == {"mist/1"}
        assert {row["weights_sha256"] for row in rows} == {weights}
