"""Provokes every failure and writes docs/reliability.md: `python -m tests.failures [pytest options]`."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.failures.observations import FOLDER_VARIABLE, read, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = """# Reliability

Written by `python -m tests.failures`, which provokes each failure with real processes: servers, workers and
runs are killed, stopped, cut off and filled up. {counts}

A row says what was done, how often, what you see, and what the test found to hold afterwards. *Same hash*
means that the same command, run again, finishes with the content hash of a run that nothing happened to.
*Nothing lost* means that every partition that was marked done before is still marked, and is not made twice.

{table}
"""


def main() -> int:
    """Run the tests that observe failures, the slow ones too; the document is written where all pass."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow"]
        # Most of the time is spent waiting for what is gone.
        command += ["-n", "3", "--dist", "loadfile"]
        chosen = sys.argv[1:] or ["tests", "--observing"]
        done = subprocess.run(
            [*command, *chosen], env={**os.environ, FOLDER_VARIABLE: folder, "OMP_NUM_THREADS": "1"}
        )
        observations = read(Path(folder))
    if done.returncode != 0:
        return done.returncode
    counts = (
        f"{len(observations)} failures were provoked in {(time.monotonic() - started) / 60:.0f} minutes on "
        f"{os.cpu_count()} cores ({platform.machine()}), and each held what its row says."
    )
    DOCUMENT.write_text(HEAD.format(counts=counts, table=table(observations)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
