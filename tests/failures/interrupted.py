"""Runs the command line, and has it killed in the middle of a step.

``python -m tests.failures.interrupted MODULE:NAME before|after SIGNAL COMMAND …`` replaces a function by one
that sends this process the signal when the function is called, or has returned.
"""

import functools
import importlib
import os
import signal
import sys
import time
from typing import Any

from flows.services import quieten


def main(place: str, moment: str, number: str, *command: str) -> None:
    """Prepare the interruption, then run the command."""
    # As the command line does before it imports anything of Prefect.
    quieten()
    module, _, name = place.partition(":")
    _interrupt(importlib.import_module(module), name, moment, signal.Signals[number])
    from flows.cli.commands import main as run

    sys.argv = ["mistworks", *command]
    run()


def _interrupt(holder: Any, name: str, moment: str, number: signal.Signals) -> None:
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    function = getattr(holder, last)

    @functools.wraps(function)
    def interrupted(*arguments: Any, **named: Any) -> Any:
        if moment == "after":
            function(*arguments, **named)
        os.kill(os.getpid(), number)
        # A signal that is handled arrives at the main thread, wherever this is.
        time.sleep(60)

    setattr(holder, last, interrupted)


if __name__ == "__main__":
    main(*sys.argv[1:])
