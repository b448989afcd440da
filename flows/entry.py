"""The entry point of the command. In the core install it says how to install the rest."""

import sys

from flows.cli.missing import not_installed


def main() -> None:
    """Run the command line, or exit with status 1 if a package that it needs is missing."""
    try:
        from flows.cli.commands import main as run
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {not_installed(error)}\n")
        sys.exit(1)
    run()
