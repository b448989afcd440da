"""Provoke every failure and write docs/reliability.md: `python -m tests.failures [pytest options]`.

Set ``MISTWORKS_OBSERVATIONS`` to a folder to keep what the tests saw. Tests that failed can then be run again
alone, and the document has what all of them saw.
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.failures.observations import FOLDER_VARIABLE, read, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = """# Reliability

Written by `python -m tests.failures`, which provokes each failure with real processes: it kills, stops, cuts
off and fills up servers, workers and runs.
{counts}

Each row says what was done, how often, what you see, and what the test checked afterwards. *Same hash*
means that the same command, run again, finishes with the content hash of a run that nothing happened to.
*Nothing lost* means that every finished partition is still marked as finished, and is not generated twice.

{table}
"""


def main(keep: Path, chosen: list[str]) -> int:
    """Run the tests that observe failures, the slow ones too, and write the document if all pass.

    Args:
        keep: folder of what the tests saw, which may hold that of earlier runs.
        chosen: options for pytest that choose some of the tests; none for all.
    """
    keep.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow", "--observing"]
    # Most of the time is spent waiting for what is gone.
    command += ["-n", "3", "--dist", "loadfile", *(chosen or ["tests"])]
    environment = {**os.environ, FOLDER_VARIABLE: str(keep.absolute()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment)
    if done.returncode != 0:
        return done.returncode
    observations = read(keep)
    counts = (
        f"{len(observations)} failures were provoked on {os.cpu_count()} cores ({platform.machine()}); what "
        "each row says held every time."
    )
    DOCUMENT.write_text(HEAD.format(counts=counts, table=table(observations)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        place = Path(os.environ.get(FOLDER_VARIABLE, folder))
        sys.exit(main(place, sys.argv[1:]))
