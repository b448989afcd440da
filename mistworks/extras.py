"""Instructions to install the extras. This module imports nothing, so that the core can use it."""


def how_to_install(extra: str) -> str:
    """Return the sentence of an error that says how to install an extra from the source of Mistworks."""
    return f"Run pip install '.[{extra}]' in the folder of the source of Mistworks"


__all__ = ["how_to_install"]
