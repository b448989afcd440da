"""Import packages that are installed with this one, even if a folder of the user's has the same name.

``flows``, ``tasks`` and ``storage`` are common names. Python searches the folder of a script, or the working
directory of a notebook, before installed packages, so it finds the user's first.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.metadata import Distribution
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType

__all__ = ["PACKAGES", "importing", "put_first"]

PACKAGES = ("flows", "tasks", "storage")

_HERE = Path(__file__).parents[1]
_LOCK = threading.RLock()
# Modules that were imported despite another package of the same name, cached.
_ASIDE: dict[str, dict[str, ModuleType]] = {}


def put_first() -> None:
    """Search the folder of this installation first, if another folder on the path hides one of its packages.
    For processes that run only Mistworks, and for those that they start with their path.
    """
    if any(_is_hidden(package, _HERE) for package in PACKAGES):
        sys.path.insert(0, str(_HERE))


@contextmanager
def importing(package: str, distribution: Distribution | None = None) -> Iterator[None]:
    """Import from a package that is installed with this one. Another package of that name is not affected.

    Both can be used in one process. If ours is hidden, it is not in `sys.modules` outside this block. Its
    modules must then import one another when they are imported, not later, and its objects cannot be pickled.

    Args:
        package: name of the package, such as ``"storage"``.
        distribution: distribution that it belongs to. MLflow loads a copy of this package without the others.
    """
    folders = [_HERE, *([] if distribution is None else [Path(str(distribution.locate_file("")))])]
    folder = next((folder for folder in folders if _is_package(folder / package)), None)
    with _LOCK:
        if folder is None or not _is_hidden(package, folder):
            yield
            return
        theirs = _taken_out(package)
        try:
            sys.modules.update(_ASIDE.get(package) or {package: _import_from(folder, package)})
            yield
        finally:
            _ASIDE[package] = _taken_out(package)
            sys.modules.update(theirs)


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def _is_hidden(package: str, folder: Path) -> bool:
    """Whether importing a package of a folder would import another package."""
    if not _is_package(folder / package):
        return False
    present = sys.modules.get(package)
    if present is None:
        spec = find_spec(package)
        origin = None if spec is None else spec.origin
    else:
        origin = getattr(present, "__file__", None)
    return origin is None or Path(origin).resolve() != (folder / package / "__init__.py").resolve()


def _taken_out(package: str) -> dict[str, ModuleType]:
    """Remove the modules of a package from `sys.modules`, and return them."""
    names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in names}


def _import_from(folder: Path, package: str) -> ModuleType:
    spec = PathFinder.find_spec(package, [str(folder)])
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(
            f"Expected the package {package} in {folder}, got none. Reinstall Mistworks."
        )
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
