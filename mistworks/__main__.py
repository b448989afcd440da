"""Entry point of the command ``mistworks`` and of ``python -m mistworks``.

The command line itself is in ``flows``. It starts here because a folder ``flows`` of the user's may be first
on the path.
"""

from importlib import import_module

from mistworks._packages import put_first

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    put_first()
    import_module("flows.entry").main()


if __name__ == "__main__":
    main()
