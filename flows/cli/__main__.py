"""``python -m flows.cli``."""

from flows.cli.commands import main

main()
