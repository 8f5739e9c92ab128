"""The rooms: no circles of imports, no framework in portable code, nobody in another's private modules."""

from __future__ import annotations

import pytest
from rooms import SOURCES, imported, meant, modules, rooms

FRAMEWORKS = {
    "torch",
    "jax",
    "jaxlib",
    "tensorflow",
    "mxnet",
    "cupy",
    "keras",
    "flax",
    "mlx",
    "optax",
    "paddle",
}

FRAMEWORK_ROOMS = ("multimlp.backends", "multimlp.interop", "benchmarks")
"""Where frameworks may be imported: the adapters, the exchange of models with frameworks, the peers of the benchmarks."""


def _is_package(name: str) -> bool:
    return SOURCES[name].name == "__init__.py"


def _own_package(name: str) -> str:
    return name if _is_package(name) else name.rpartition(".")[0]


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


def test_there_are_no_circles_among_modules():
    assert _circles(modules()) == []


def test_there_are_no_circles_among_rooms():
    assert _circles(rooms()) == []


@pytest.mark.parametrize("name", [n for n in SOURCES if not n.startswith(FRAMEWORK_ROOMS)])
def test_portable_code_imports_no_framework_and_no_adapter(name):
    for module, taken in imported(name):
        root = module.partition(".")[0]
        assert root not in FRAMEWORKS, f"{name} imports {module}"
        assert not meant(module, taken).startswith("multimlp.backends"), f"{name} imports {module}"


@pytest.mark.parametrize("name", SOURCES)
def test_private_modules_are_imported_by_their_own_package_alone(name):
    own = f"{_own_package(name)}."
    for module, taken in imported(name):
        target = meant(module, taken)
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
