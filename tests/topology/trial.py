"""What the services are for: a pipeline through them, and an estimator for whoever has no credentials."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from obstore.store import from_url

from tests.topology.topology import Topology

_LOOK_UP = """
import numpy, mistworks
estimator = mistworks.load("models:/mist@champion")
x, noise = numpy.random.default_rng(0).normal(size=(2, 200, 1))
assert mistworks.estimate(x, x + noise, model=estimator).mi < 10
"""


class TrialError(Exception):
    """A step failed; the message is what it printed."""


def run(say: Callable[[str], None]) -> None:
    """Start all services, run the preset `tiny` through them, load what it made, and end everything.

    Args:
        say: told what was done, line by line.

    Raises:
        TopologyError: a service did not start.
        TrialError: a step failed, or a process is left.
    """
    started = time.monotonic()
    with Topology() as topology:
        say(f"{len(topology.processes)} services are healthy after {time.monotonic() - started:.0f} s")
        environment = topology.environment
        deployment = ["prefect", "deployment", "run", "pipeline/pipeline", "--watch"]
        step(say, "pipeline, deployed", [*deployment, "--param", 'preset="tiny"'], environment)
        _require_objects(environment)
        # One pass over 192 datasets does not pass the gate.
        step(say, "promotion", ["mistworks", "promote", "mist/1", "--force"], environment)
        step(say, "doctor", ["mistworks", "doctor"], environment)
        step(say, "use without credentials", ["python", "-c", _LOOK_UP], topology.registry_environment)
    if left := topology.left():
        raise TrialError(f"left running: {left}")
    if topology.folder.exists():
        raise TrialError(f"left behind: {topology.folder}")
    say("nothing is left running")


def _require_objects(environment: Mapping[str, str]) -> None:
    """Refuse a run that kept its data elsewhere.

    Raises:
        TrialError: nothing was written to one of the places in the object store.
    """
    names = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    options: Any = {name.lower(): environment[name] for name in names}
    bucket = from_url("s3://mistworks", config=options, client_options={"allow_http": True})
    kept = {entry["path"].split("/")[0] for page in bucket.list() for entry in page}
    if missing := {"stores", "checkpoints", "results", "mlflow"} - kept:
        raise TrialError(f"nothing in the object store below {sorted(missing)}")


def step(
    say: Callable[[str], None], name: str, command: Sequence[str], environment: Mapping[str, str]
) -> str:
    """Run a command and return what it printed.

    Raises:
        TrialError: it failed.
    """
    started = time.monotonic()
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise TrialError(f"{name} failed:\n{done.stdout}")
    say(f"{name}: {time.monotonic() - started:.0f} s")
    return done.stdout
