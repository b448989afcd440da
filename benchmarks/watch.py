"""Wall time and peak memory of a command and its descendants: `python benchmarks/watch.py mistworks …`."""

import subprocess
import sys
import threading
import time

import psutil

_EVERY_SECONDS = 0.5


class PeakMemory:
    """The greatest resident memory of a process and its descendants, looked at twice a second.

    Attributes:
        gigabytes: the greatest so far, 10⁹ bytes.
    """

    def __init__(self, pid: int) -> None:
        self.gigabytes = 0.0
        threading.Thread(target=self._watch, args=(pid,), daemon=True).start()

    def _watch(self, pid: int) -> None:
        try:
            top = psutil.Process(pid)
            while top.is_running():
                total = 0
                for process in [top, *top.children(recursive=True)]:
                    try:
                        total += process.memory_info().rss
                    except psutil.NoSuchProcess:
                        continue
                self.gigabytes = max(self.gigabytes, total / 1e9)
                time.sleep(_EVERY_SECONDS)
        except psutil.NoSuchProcess:
            return


def main() -> None:
    """Run the command and tell; the exit status is the command's."""
    if len(sys.argv) < 2:
        raise SystemExit("Expected a command, got none. Run python benchmarks/watch.py mistworks …")
    started = time.monotonic()
    process = subprocess.Popen(sys.argv[1:])
    peak = PeakMemory(process.pid)
    status = process.wait()
    print(f"{time.monotonic() - started:.1f} s, peak memory {peak.gigabytes:.2f} GB")
    sys.exit(status)


if __name__ == "__main__":
    main()
