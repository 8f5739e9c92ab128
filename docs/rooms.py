"""Which module imports which, drawn from the source, imports inside functions and for annotations included; the rooms and their floors.

A room is a folder or a single file of ``multimlp/``, the adapters, or the benchmarks. It stands one floor above the highest
room that it imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

Graph = Mapping[str, set[str]]
"""The names that each name imports."""


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


def imported(name: str) -> Iterator[tuple[str, str | None]]:
    """``(module, name taken from it)`` for each import of a module, wherever in it."""
    for node in ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are written in full"
            yield from ((node.module or "", alias.name) for alias in node.names)


def meant(module: str, taken: str | None) -> str:
    """The module that an import means: ``from package import module`` means the module."""
    full = f"{module}.{taken}"
    return full if taken is not None and full in SOURCES else module


def modules() -> dict[str, set[str]]:
    """The arrows between modules; that importing a module runs its packages' ``__init__`` does not count as one."""
    return {name: {meant(*found) for found in imported(name)} & SOURCES.keys() - {name} for name in SOURCES}


def room(name: str) -> str:
    """The room of a module."""
    return ".".join(name.split(".")[:2]) if name.startswith("multimlp.") else name.partition(".")[0]


def rooms() -> dict[str, set[str]]:
    """The arrows between rooms."""
    found: dict[str, set[str]] = {room(name): set() for name in SOURCES}
    for name, others in modules().items():
        found[room(name)] |= {room(other) for other in others} - {room(name)}
    return found


def floors(graph: Graph) -> dict[str, int]:
    """The floor of every node of a graph without circles, from 1.

    >>> floors({"roof": {"wall", "floor"}, "wall": {"floor"}, "floor": set()})
    {'floor': 1, 'wall': 2, 'roof': 3}
    """
    found: dict[str, int] = {}

    def visit(node: str) -> int:
        if node not in found:
            found[node] = 1 + max((visit(other) for other in sorted(graph[node])), default=0)
        return found[node]

    for node in sorted(graph):
        visit(node)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def essential(graph: Graph) -> dict[str, set[str]]:
    """The arrows that no way over other nodes stands in for (the transitive reduction of a graph without circles).

    >>> essential({"roof": {"wall", "floor"}, "wall": {"floor"}, "floor": set()})
    {'roof': {'wall'}, 'wall': {'floor'}, 'floor': set()}
    """
    below: dict[str, set[str]] = {}
    for node in floors(graph):
        below[node] = set(graph[node]).union(*(below[other] for other in graph[node]))
    return {
        node: {other for other in others if not any(other in below[between] for between in others)}
        for node, others in graph.items()
    }
