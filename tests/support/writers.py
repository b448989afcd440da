"""A process that writes one partition slowly, to be stopped halfway."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_CODE = """
import sys, time
from mistworks.simulation.generation import generate_block
from storage.datasets.opening import open_store
from storage.datasets.store import Store

store, number = open_store(sys.argv[1], read_only=False), int(sys.argv[2])
manifest = store.manifest
block = generate_block(
    manifest.meta_distribution, manifest.root_seed, manifest.split, *manifest.bounds(number)
)
class Slow:
    def __setitem__(self, rows, content):
        print("halfway", flush=True)
        time.sleep(600)
store._columns["mi"] = Slow()
store.write(number, block)
"""


@contextmanager
def slow_writer(url: str, number: int) -> Iterator[subprocess.Popen[str]]:
    """A process that has written a part of a partition of a store, without a lock, and pauses there."""
    command = [sys.executable, "-c", _CODE, url, str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "halfway\n"
            yield process
        finally:
            process.kill()
