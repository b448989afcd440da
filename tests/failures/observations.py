"""What a test saw when it provoked a failure, kept as a line of JSON for the table in docs/reliability.md."""

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER_VARIABLE = "MISTWORKS_OBSERVATIONS"

Observe = Callable[..., None]
"""`observe(failure, seen=…, afterwards=…)`: see `Observation`."""

_NOT_THE_SAME_TWICE = (
    (re.compile(r"/tmp/\S+?/([\w.-]+)(?=[\s,;)`']|$)"), r"…/\1"),
    (re.compile(r"/tmp/\w+"), "…"),
    (re.compile(r"test_\w+(\[[^\]]*\])?"), "…"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+"), "…"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "…"),
    (re.compile(r"\(process \d+\)"), "(process …)"),
)


@dataclass(frozen=True)
class Observation:
    """One failure that was provoked once.

    Attributes:
        failure: what was done, such as ``"Dask worker killed"``.
        seen: what the user sees, word for word: the last line of a failed command, or how it went on.
        afterwards: what was found to hold afterwards.
        test: the test that saw it.
    """

    failure: str
    seen: str
    afterwards: str
    test: str = ""


def keep(observation: Observation) -> None:
    """Add an observation to those of this run of the tests, if somebody collects them."""
    if (folder := os.environ.get(FOLDER_VARIABLE)) is None:
        return
    path = Path(folder) / f"{os.getpid()}.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(observation)) + "\n")


def read(folder: Path) -> list[Observation]:
    """What each test saw the last time that it ran."""
    paths = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    found = [Observation(**json.loads(line)) for path in paths for line in path.read_text().splitlines()]
    return list({(each.test, each.failure): each for each in found}.values())


def table(observations: Iterable[Observation]) -> str:
    """A table in Markdown: one row per failure, with how often it was provoked."""
    grouped: dict[str, list[Observation]] = {}
    for observation in observations:
        grouped.setdefault(observation.failure, []).append(observation)
    rows = [
        f"| {failure} | {len(them)} | {_cell(o.seen for o in them)} | {_cell(o.afterwards for o in them)} |"
        for failure, them in sorted(grouped.items())
    ]
    head = ["| failure | times | what you see | what holds afterwards |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _cell(texts: Iterable[str]) -> str:
    """The first of some texts, which are of one kind."""
    return _stable(next(iter(texts))).replace("|", r"\|")


def _stable(text: str) -> str:
    """A message without what differs from run to run."""
    for pattern, replacement in _NOT_THE_SAME_TWICE:
        text = pattern.sub(replacement, text)
    return text.strip()
