"""Errors that a user can correct, and warnings that a user should heed."""

import sys
import warnings


class MistworksError(ValueError):
    """A request failed. The message says what was expected, what it got and what to do."""


class MistworksWarning(UserWarning):
    """A result may be less reliable than it looks. The message says why."""


def warn(text: str) -> None:
    """Warn, and show the line outside this package that called it.

    Args:
        text: the warning, a sentence without its full stop.
    """
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(0)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, MistworksWarning, stacklevel=level)


__all__ = ["MistworksError", "MistworksWarning", "warn"]
