"""Where the command starts. In the core install it says in one sentence how to get the rest."""

import sys


def main() -> None:
    """Run the command line if what it needs is installed: exit status 1 if not."""
    try:
        from flows.cli import main as run
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {not_installed(error)}\n")
        sys.exit(1)
    run()


def not_installed(error: ModuleNotFoundError) -> str:
    """Which package is missing, and how to install it."""
    return (
        f"the command line needs {error.name}, which is not installed: pip install 'mistworks[pipeline]'; "
        "from Python, mistworks.estimate(x, y) works without it"
    )
