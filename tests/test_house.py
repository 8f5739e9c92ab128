"""The rooms: which module imports which, drawn from the source, imports inside functions and for annotations included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {"torch", "jax", "jaxlib", "tensorflow", "mxnet", "cupy", "keras", "flax", "mlx", "optax"}

FRAMEWORK_ROOMS = ("multimlp.backends", "multimlp.interop", "benchmarks")
"""Where frameworks may be imported: the adapters, the exchange of models with frameworks, the peers of the benchmarks."""


def _sources() -> dict[str, Path]:
    """Every module of the three packages by its name when installed."""
    found = {}
    for folder, package in (
        ("multimlp", "multimlp"),
        ("backends", "multimlp.backends"),
        ("benchmarks", "benchmarks"),
    ):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join((package, *(part for part in parts if part != "__init__")))
            found[name] = path
    return found


SOURCES = _sources()


def _imported(name: str) -> Iterator[tuple[str, str | None]]:
    """``(module, name taken from it)`` for each import of a module, wherever in it."""
    for node in ast.walk(ast.parse(SOURCES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are written in full"
            yield from ((node.module or "", alias.name) for alias in node.names)


def _module(module: str, taken: str | None) -> str:
    """The module that an import means: ``from package import module`` means the module."""
    full = f"{module}.{taken}"
    return full if taken is not None and full in SOURCES else module


def _is_package(name: str) -> bool:
    return SOURCES[name].name == "__init__.py"


def _own_package(name: str) -> str:
    return name if _is_package(name) else name.rpartition(".")[0]


def _graph() -> dict[str, set[str]]:
    """Arrows between the modules; that importing a module runs its packages' ``__init__`` does not count as one."""
    return {
        name: {_module(*found) for found in _imported(name)} & SOURCES.keys() - {name} for name in SOURCES
    }


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one node (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            place = stack.index(node)
            component = stack[place:]
            del stack[place:]
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def _room(name: str) -> str:
    """The room of the first level: a folder or a single file of ``multimlp/``, the adapters, the benchmarks."""
    return ".".join(name.split(".")[:2]) if name.startswith("multimlp.") else name.partition(".")[0]


def test_there_are_no_circles_among_modules():
    assert _circles(_graph()) == []


def test_there_are_no_circles_among_rooms():
    rooms: dict[str, set[str]] = {_room(name): set() for name in SOURCES}
    for name, others in _graph().items():
        rooms[_room(name)] |= {_room(other) for other in others} - {_room(name)}
    assert _circles(rooms) == []


@pytest.mark.parametrize("name", [n for n in SOURCES if not n.startswith(FRAMEWORK_ROOMS)])
def test_portable_code_imports_no_framework_and_no_adapter(name):
    for module, taken in _imported(name):
        root = module.partition(".")[0]
        assert root not in FRAMEWORKS, f"{name} imports {module}"
        assert not _module(module, taken).startswith("multimlp.backends"), f"{name} imports {module}"


@pytest.mark.parametrize("name", SOURCES)
def test_private_modules_are_imported_by_their_own_package_alone(name):
    own = f"{_own_package(name)}."
    for module, taken in _imported(name):
        target = _module(module, taken)
        if target not in SOURCES:
            continue
        parts = target.split(".")
        for depth, part in enumerate(parts):
            if part.startswith("_"):
                owner = ".".join(parts[:depth])
                assert own.startswith(f"{owner}."), f"{name} imports {target}, which is private to {owner}"
                break


@pytest.mark.parametrize(
    ("graph", "circles"),
    [
        ({"a": {"b"}, "b": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, [["b", "c"]]),
    ],
)
def test_circles_are_seen(graph, circles):
    assert _circles(graph) == circles
