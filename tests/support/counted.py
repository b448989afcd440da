"""Runs the command line, and counts what this process reads: the preset, stores, folders of estimators.

``python -m tests.support.counted FILE PRESET COMMAND …`` writes the counts to a file as JSON. Right after the
file of the preset is read for the first time, it is replaced by the one beside it whose name ends in
``.edited``, where there is one: whatever read it again would mix two configurations.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.services import quieten


def main(file: str, preset: str, *command: str) -> None:
    """Count while the command runs."""
    # As the command line does before it imports anything of Prefect.
    quieten()
    counts: dict[str, Counter[str]] = {"presets": Counter(), "stores": Counter(), "estimators": Counter()}
    from mistworks.estimation import estimator
    from storage.datasets.store import Store

    _before(Store, "__init__", lambda _self, place, *_: counts["stores"].update([place.url]))
    _before(estimator, "read_model", lambda path, *_: counts["estimators"].update([str(path)]))
    _count_readings(Path(preset), counts["presets"])
    from flows.cli.commands import main as run

    sys.argv = ["mistworks", *command]
    try:
        run()
    finally:
        Path(file).write_text(json.dumps(counts))


def _before(holder: Any, name: str, count: Callable[..., None]) -> None:
    function = getattr(holder, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        count(*arguments)
        return function(*arguments, **named)

    setattr(holder, name, counted)


def _count_readings(preset: Path, counts: Counter[str]) -> None:
    read_text, edited = Path.read_text, preset.with_suffix(".edited")

    def counted(path: Path, *arguments: Any, **named: Any) -> str:
        text = read_text(path, *arguments, **named)
        if path == preset:
            counts[str(path)] += 1
            if edited.exists():
                edited.rename(preset)
        return text

    Path.read_text = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    main(*sys.argv[1:])
