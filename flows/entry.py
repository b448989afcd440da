"""Where the command starts. In the core install it says in one sentence how to get the rest."""

import sys

from flows.cli.missing import not_installed


def main() -> None:
    """Run the command line if what it needs is installed: exit status 1 if not."""
    try:
        from flows.cli.commands import main as run
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {not_installed(error)}\n")
        sys.exit(1)
    run()
