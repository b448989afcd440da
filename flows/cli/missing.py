"""What to say where a library is missing. Imports no library, so that the core installation can say it."""

from mistworks.extras import how_to_install


def not_installed(error: ModuleNotFoundError) -> str:
    """Which package is missing, and how to install it."""
    return (
        f"Expected {error.name} for the command line, which is not installed. {how_to_install('pipeline')}; "
        "from Python, mistworks.estimate(x, y) works without it."
    )
