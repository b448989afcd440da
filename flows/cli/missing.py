"""What to say where a library is missing. Imports no library, so that the core installation can say it."""

from mistworks.extras import how_to_install

_OF_TABLES = {"matplotlib", "pandas", "pyarrow", "rich", "scipy", "sklearn", "typer"}


def not_installed(error: ModuleNotFoundError) -> str:
    """Which package is missing, and how to install it."""
    extra = "tables" if str(error.name).partition(".")[0] in _OF_TABLES else "pipeline"
    return (
        f"Expected {error.name} for the command line, which is not installed. {how_to_install(extra)}; "
        "from Python, mistworks.estimate(x, y) works without it."
    )


__all__ = ["not_installed"]
