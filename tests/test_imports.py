"""Imports among the four packages form no circle: each module can be understood after those it imports."""

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mistworks

PROJECT = Path(__file__).parents[1]
PACKAGES = ("mistworks", "storage", "tasks", "flows")


def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name."""
    paths = (path for package in PACKAGES for path in PROJECT.joinpath(package).rglob("*.py"))
    return {_name(path): path for path in paths}


def _name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, known: dict[str, Path], *, annotations: bool) -> Iterator[str]:
    """What a module imports of the packages, in functions too, and only for annotations if asked for."""
    for child in ast.iter_child_nodes(tree):
        match child:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) if not annotations:
                continue
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in known)
            case ast.ImportFrom(module=str(module), names=names):
                of_module = [f"{module}.{alias.name}" for alias in names]
                yield from (name for name in of_module if name in known)
                if module in known and not all(name in known for name in of_module):
                    yield module
            case _:
                yield from imported(child, known, annotations=annotations)


def graph(*, annotations: bool) -> dict[str, set[str]]:
    known = modules()
    return {
        name: set(imported(ast.parse(path.read_bytes()), known, annotations=annotations)) - {name}
        for name, path in known.items()
    }


def circle(edges: dict[str, set[str]]) -> list[str]:
    """The modules of one circle, or none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("annotations", [False, True], ids=["as they run", "for annotations too"])
def test_no_module_imports_itself_by_way_of_others(annotations: bool) -> None:
    edges = graph(annotations=annotations)
    assert len(edges) > 200
    assert circle(edges) == []


def test_a_circle_is_found() -> None:
    edges = graph(annotations=False)
    edges["storage.errors"].add("storage.datasets.store")
    found = circle(edges)
    assert {"storage.errors", "storage.datasets.store"} <= set(found)


def public_modules() -> set[str]:
    """Those of the API reference, those of entry points, and the homes of what `import mistworks` offers."""
    pages = PROJECT.joinpath("docs", "api").glob("*.md")
    found = {name for page in pages for name in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE)}
    points = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"]
    found |= {value.partition(":")[0] for group in points.values() for value in group.values()}
    return found | set(mistworks._HOMES.values())


def test_public_modules_say_what_is_public() -> None:
    known = modules()
    lacking = []
    for name in sorted(public_modules()):
        body = ast.parse(known[name].read_bytes()).body
        targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
        if "__all__" not in {target.id for target in targets if isinstance(target, ast.Name)}:
            lacking.append(name)
    assert len(public_modules()) > 15
    assert lacking == []
