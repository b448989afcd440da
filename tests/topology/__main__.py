"""``make services``: starts every service, runs a pipeline through them, and ends them all."""

import subprocess
import sys
import time

from tests.topology import Topology

_LOOK_UP = """
import numpy as np, mistworks, storage.registry
estimator = storage.registry.load("models:/mist@champion")
x = np.random.default_rng(0).normal(size=(200, 1))
print(mistworks.estimate(x, x + np.random.default_rng(1).normal(size=(200, 1)), model=estimator))
"""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _run(name: str, command: list[str], environment: dict[str, str]) -> None:
    started = time.monotonic()
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    _say(f"{name}: {'done' if done.returncode == 0 else 'failed'} in {time.monotonic() - started:.0f} s")
    if done.returncode != 0:
        raise SystemExit(done.stdout)


def main() -> None:
    """Exit with 1, and the log, where a step fails or a process is left."""
    started = time.monotonic()
    with Topology() as topology:
        _say(f"services: {', '.join(topology.processes)}: healthy in {time.monotonic() - started:.0f} s")
        environment = topology.environment
        address = environment["MISTWORKS_DASK_ADDRESS"]
        _run(
            "pipeline", ["mistworks", "pipeline", "--preset", "tiny", "--dask-address", address], environment
        )
        _run("promotion", ["mistworks", "promote", "mist/1", "--force"], environment)
        _run("look-up without credentials", ["python", "-c", _LOOK_UP], topology.registry_environment)
    if left := topology.left():
        raise SystemExit(f"left running: {left}")
    _say("nothing is left running")


if __name__ == "__main__":
    main()
