"""Times set by environment variables: how long a run waits for failures that may pass."""

import os

from mistworks.errors import MistworksError


def seconds(variable: str, default: float) -> float:
    """Read a time in seconds from an environment variable.

    Raises:
        MistworksError: it is not a number ≥ 0.
    """
    text = os.environ.get(variable) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise MistworksError(f"Expected {variable} in seconds, got {text!r}. Set a number such as 300.")
    return value


__all__ = ["seconds"]
