"""Functions in processes of their own that have at hand what this one has imported: that takes seconds."""

import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress


class Fork:
    """A process that calls a function and ends.

    It must open what it uses of SQLite: a connection does not survive the way from one process to another.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            # Nothing of the tests runs on from here, whatever is raised.
            with suppress(BaseException):
                code = _exit_code(function)
            os._exit(code)

    def end(self) -> int:
        """Wait for the exit status: minus the number of the signal where one ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def in_fork(function: Callable[[], object]) -> int:
    """The exit status of a process that calls a function: 0 if that returned, 1 if it raised."""
    return Fork(function).end()


def at_once(functions: Sequence[Callable[[], object]]) -> list[int]:
    """The exit statuses of processes that begin their functions together."""
    read, write = os.pipe()

    def waiting(function: Callable[[], object]) -> Callable[[], object]:
        def wait_then_call() -> object:
            os.close(write)
            os.read(read, 1)
            return function()

        return wait_then_call

    forks = [Fork(waiting(function)) for function in functions]
    # What they wait for is the end of this pipe.
    os.close(write)
    os.close(read)
    return [fork.end() for fork in forks]


def _exit_code(function: Callable[[], object]) -> int:
    try:
        function()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
