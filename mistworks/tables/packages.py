"""Packages of the extra ``mistworks[tables]``, imported when they are first needed."""

from importlib import import_module
from typing import Any

from mistworks.errors import MistworksError
from mistworks.extras import how_to_install


def imported(module: str, purpose: str) -> Any:
    """Import a module.

    Args:
        module: its dotted name.
        purpose: what it is needed for.

    Raises:
        MistworksError: its package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise MistworksError(
            f"Expected {package} for {purpose}, which is not installed. {how_to_install('tables')}."
        ) from None


__all__ = ["imported"]
