"""What computes in a process: versions of libraries, and hashes of the code for datasets and for statistics.

Two processes with equal fingerprints make the same bytes of the same dataset, on machines of one kind. A
difference may show only in the last bit of a few values, where nobody would notice it, so it is checked.

Statistics are equal to the last digit only if the build is the same too: the same sources compiled for
another instruction set agree to 1e-5. Machines with different builds may therefore work together, and a store
records which build began its statistics.
"""

import ast
import hashlib
import os
import platform
import socket
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import mistworks
from mistworks import native
from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError

GENERATING = ("mistworks", "code", "numpy", "scipy")
"""Members of a fingerprint that determine the bytes of a dataset."""

SUMMARISING = ("statistics",)
"""Members of a fingerprint that determine the statistics of a dataset to 1e-5."""

_GENERATION = "mistworks.simulation.generation"
_STATISTICS = "mistworks.statistics.table"
# Machines that work together may differ in these.
_MAY_DIFFER = {"build"}
_HASH_LENGTH = 16
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Fingerprint(FrozenConfig):
    """What computes in one process.

    Attributes:
        mistworks: version of the package.
        code: hash of the code that generates datasets.
        statistics: hash of the code that computes their statistics, compiled sources included.
        build: instruction set that statistics were compiled for, or ``torch`` if nothing was compiled.
        python: version of the interpreter.
        numpy: version of NumPy.
        scipy: version of SciPy.
        torch: version of torch, empty if it is not installed.
    """

    mistworks: str
    code: str
    statistics: str
    build: str
    python: str
    numpy: str
    scipy: str
    torch: str

    @classmethod
    def of_versions(cls, versions: Mapping[str, str]) -> Self:
        """Read the fingerprint from the versions in a manifest. Members that it lacks are empty."""
        return cls(**{name: versions.get(name, "") for name in cls.model_fields})

    def differences(self, other: "Fingerprint", among: Iterable[str] | None = None) -> list[str]:
        """Name each member in which another process differs from this one, which is expected.

        Args:
            other: the fingerprint of the other process.
            among: the members to compare. If None, all that must agree on machines that work together.
        """
        if among is None:
            among = [name for name in type(self).model_fields if name not in _MAY_DIFFER]
        return [
            f"{name} {getattr(self, name) or 'none'} expected, {getattr(other, name) or 'none'} found"
            for name in among
            if getattr(self, name) != getattr(other, name)
        ]


@cache
def fingerprint() -> Fingerprint:
    """The fingerprint of this process, computed once."""
    package = Path(mistworks.__file__).parent
    build, sources = native.build()
    return Fingerprint(
        mistworks=mistworks.__version__,
        code=code_hash(package),
        statistics=statistics_hash(package, sources),
        build=build or "torch",
        python=platform.python_version(),
        numpy=version("numpy"),
        scipy=version("scipy"),
        torch=_version_if_any("torch"),
    )


def require_same_code(expected: Fingerprint) -> None:
    """Refuse to generate datasets in a process that would make other bytes than expected.

    Raises:
        MistworksError: versions or code differ. The message names each difference and this machine.
    """
    if differing := expected.differences(fingerprint(), GENERATING):
        raise MistworksError(
            f"Expected the same generating code on every machine, got another on {this_process()}: "
            f"{'; '.join(differing)}. Install the same Mistworks, NumPy and SciPy there."
        )


def this_process() -> str:
    """Name this process among those of several machines."""
    return f"{socket.gethostname()} (process {os.getpid()})"


def code_hash(package: Path) -> str:
    """Hash the code that generates datasets: `mistworks.simulation.generation` and what it imports.

    Comments, docstrings and the layout of the source do not count.

    Args:
        package: the folder of the package ``mistworks``.
    """
    return _hash_of(package, _GENERATION)


def statistics_hash(package: Path, sources: str) -> str:
    """Hash the code that computes statistics in the same way, and the compiled sources.

    Args:
        package: the folder of the package ``mistworks``.
        sources: hash of the compiled sources, empty if torch computes instead.
    """
    return _hash_of(package, _STATISTICS, sources)


def _hash_of(package: Path, root: str, beside: str = "") -> str:
    """Hash a module, everything it imports of the package, and some text."""
    trees: dict[str, ast.Module] = {}
    pending = [root]
    while pending:
        name = pending.pop()
        path = _file_of(package, name)
        if name in trees or path is None:
            continue
        trees[name] = ast.parse(path.read_bytes())
        pending += _parents(name)
        pending += _imports(trees[name])
    digest = hashlib.sha256(beside.encode())
    for name in sorted(trees):
        digest.update(f"{name}\n{''.join(_tokens(trees[name]))}\n".encode())
    return digest.hexdigest()[:_HASH_LENGTH]


def _file_of(package: Path, name: str) -> Path | None:
    """Return the source of a module; None if the name is not a module but something in one."""
    base = package.parent.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _imports(tree: ast.AST) -> Iterator[str]:
    """Return the names of ``mistworks`` that a module imports at run time, in functions too."""
    for child in ast.iter_child_nodes(tree):
        match child:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                imported = [module, *(f"{module}.{alias.name}" for alias in names)]
            case _:
                imported = []
                yield from _imports(child)
        yield from (name for name in imported if name.split(".")[0] == "mistworks")


def _tokens(node: ast.AST) -> Iterator[str]:
    """Dump the syntax tree as text without empty fields, since newer versions of Python add some."""
    yield f"({type(node).__name__}"
    for name, value in ast.iter_fields(node):
        if (
            name == "body"
            and isinstance(node, _DOCUMENTED)
            and ast.get_docstring(node, clean=False) is not None
        ):
            value = value[1:]
        members = value if isinstance(value, list) else [value]
        if value is None or not members:
            continue
        yield f" {name}="
        for member in members:
            if isinstance(member, ast.AST):
                yield from _tokens(member)
            else:
                yield f"{type(member).__name__}:{member!r};"
    yield ")"


def _version_if_any(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


__all__ = [
    "GENERATING",
    "SUMMARISING",
    "Fingerprint",
    "code_hash",
    "fingerprint",
    "require_same_code",
    "statistics_hash",
    "this_process",
]
