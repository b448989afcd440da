"""Ends what an owner that is gone has left: ``python -m tests.topology.reaper MARK FOLDER``."""

import shutil
import signal
import sys

from tests.topology import processes

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The kernel closes the pipe with the process that holds its other end.
    sys.stdin.read()
    processes.kill(sys.argv[1])
    shutil.rmtree(sys.argv[2], ignore_errors=True)
