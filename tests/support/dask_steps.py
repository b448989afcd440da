"""Steps for workers in tests: each item leaves a file that says how often it was done."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mistworks.errors import MistworksError
from storage.errors import StoreRefusedError
from tasks.worker import Terms


@dataclass(frozen=True)
class Subject:
    """A folder for what items leave behind, seconds that each takes, and what is wrong with some."""

    folder: str
    seconds: float = 0.0
    broken: tuple[int, ...] = ()
    deadly: tuple[int, ...] = ()
    away: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    held: tuple[int, ...] = ()

    def missing(self, items: Sequence[int]) -> list[int]:
        return [item for item in items if not self.is_done(item)]

    def is_done(self, item: int) -> bool:
        return (Path(self.folder) / str(item)).exists()

    def times(self, item: int) -> int:
        return len((Path(self.folder) / str(item)).read_text())


def leave_files(subject: Subject, items: Sequence[int], _terms: Terms) -> Iterator[int]:
    for item in items:
        if item in subject.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if item in subject.broken:
            raise MistworksError(f"Expected item {item} to be whole, got a broken one. Mend it.")
        if item in subject.refused:
            raise StoreRefusedError("the store s3://b/s refuses (403); check the credentials")
        if item in subject.away and not (Path(subject.folder) / "back").exists():
            raise ConnectionError("away")
        if subject.is_done(item):
            yield 1
            continue
        while item in subject.held and not (Path(subject.folder) / "back").exists():
            time.sleep(0.05)
        time.sleep(subject.seconds)
        with (Path(subject.folder) / str(item)).open("a") as file:
            file.write("x")
        yield 1
