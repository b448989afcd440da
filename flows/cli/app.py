"""The application that commands are added to, and what becomes of errors and signals."""

import logging
import os
import signal
import sys
from types import FrameType

import typer

from flows.cli.missing import not_installed
from mistworks.errors import MistworksError

INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="mistworks",
    help="Mutual information from samples: meta-datasets, estimators, registry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line: 0 on success, 1 on a failure, with one sentence about it, 2 on a usage error."""
    signal.signal(signal.SIGTERM, _end)
    # Where Prefect cannot take a log record, that is not the error to tell.
    logging.raiseExceptions = False
    try:
        app()
    except Exception as error:
        if os.environ.get("MISTWORKS_TRACEBACK"):
            raise
        sys.stderr.write(f"error: {_sentence(error)}\n")
        sys.exit(1)
    except SystemExit as end:
        # What Typer makes of an interrupt.
        if end.code == INTERRUPTED:
            sys.stderr.write("interrupted; run the same command again to resume\n")
        raise


def _sentence(error: BaseException) -> str:
    # What fails last may hide what failed first: on a full disk Prefect cannot record a failure either.
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MistworksError):
            return str(cause)
        if isinstance(cause, ModuleNotFoundError):
            return not_installed(cause)
        cause = cause.__cause__ or cause.__context__
    line = next(iter(str(error).splitlines()), "no message")
    return f"unexpected {type(error).__name__}: {line}; set MISTWORKS_TRACEBACK=1 to see where, and report it"


def _end(number: int, _frame: FrameType | None) -> None:
    # As an exception, so that what was started is stopped on the way out.
    sys.exit(128 + number)


__all__ = ["INTERRUPTED", "app", "main"]
