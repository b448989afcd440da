"""Errors that a user can correct, and warnings that a user should heed."""

import sys
import warnings


class MistworksError(ValueError):
    """A request failed. The message says what was expected, what it got and what to do."""


class MissingValuesError(MistworksError):
    """Values are missing where none may be. The message names the argument that leaves their rows out."""

    def __init__(self, problem: str, fill: str) -> None:
        super().__init__(problem, fill)
        self._problem, self._fill = problem, fill

    def __str__(self) -> str:
        return self.naming("missing='drop'")

    def naming(self, option: str) -> str:
        """Return the message with another name for the argument, such as an option of a command line."""
        return f"{self._problem} Fill {self._fill}, or pass {option} to leave out their rows."


class MistworksWarning(UserWarning):
    """A result may be less reliable than it looks. The message says why.

    Attributes:
        text: the message without its remark.
        kind: what it is about: warnings of one kind differ only in their figures. Empty if it has no kind.
    """

    def __init__(self, text: str = "", kind: str = "", remark: str = "") -> None:
        super().__init__(f"{text}{remark}")
        self.text = text
        self.kind = kind


def warn(text: str, kind: str = "", remark: str = "") -> None:
    """Warn, and show the line outside this package that called it.

    Args:
        text: the warning, a sentence without its full stop.
        kind: see `MistworksWarning`.
        remark: what is added to the text, such as how many samples it is about.
    """
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(0)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(MistworksWarning(text, kind, remark), stacklevel=level)


__all__ = ["MissingValuesError", "MistworksError", "MistworksWarning", "warn"]
