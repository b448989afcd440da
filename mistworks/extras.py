"""Packages that the core installation leaves out: how to import them, and how to install them."""

from importlib import import_module
from typing import Any

from mistworks.errors import MistworksError


def how_to_install(extra: str) -> str:
    """The sentence of an error that says how to install an extra: Mistworks is installed from its source."""
    return f"Run pip install '.[{extra}]' in the folder of the source of Mistworks"


def imported(module: str, purpose: str, extra: str = "tables") -> Any:
    """Import a module of an extra when it is first needed.

    Args:
        module: its dotted name.
        purpose: what it is needed for.
        extra: what installs it.

    Raises:
        MistworksError: its package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise MistworksError(
            f"Expected {package} for {purpose}, which is not installed. {how_to_install(extra)}."
        ) from None


__all__ = ["how_to_install", "imported"]
