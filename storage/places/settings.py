"""Times that the environment sets: for how long a run bears with what may pass."""

import os

from mistworks.errors import MistworksError


def seconds(variable: str, default: float) -> float:
    """A time in seconds that a variable of the environment sets.

    Raises:
        MistworksError: it holds something other than a number from 0 on.
    """
    text = os.environ.get(variable) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise MistworksError(f"Expected {variable} in seconds, got {text!r}. Set a number such as 300.")
    return value
