"""How to install what the core installation leaves out. Imports nothing, so that the core can say it."""


def how_to_install(extra: str) -> str:
    """The sentence of an error that says how to install an extra: Mistworks is installed from its source."""
    return f"Run pip install '.[{extra}]' in the folder of the source of Mistworks"


__all__ = ["how_to_install"]
