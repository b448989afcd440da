"""What to say where a library is missing. Imports nothing, so that the core install can say it."""


def not_installed(error: ModuleNotFoundError) -> str:
    """Which package is missing, and how to install it."""
    return (
        f"the command line needs {error.name}, which is not installed: pip install 'mistworks[pipeline]'; "
        "from Python, mistworks.estimate(x, y) works without it"
    )
