"""The picture and the table of the rooms in docs/architecture.md, made from the import graph.

    python docs/rooms_picture.py            write docs/rooms.svg and the table between the marks of docs/architecture.md
    python docs/rooms_picture.py --check    exit 1 if one of them is not what the sources say

Long arrows pass between the rooms of the floors on their way. The order on a floor and the places are found by sweeps, as Sugiyama,
Tagawa and Toda (Methods for visual understanding of hierarchical system structures, 1981) do it.
"""

from __future__ import annotations

import ast
import html
import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import rooms

DOCS = Path(__file__).resolve().parent
PICTURE, PAGE = DOCS / "rooms.svg", DOCS / "architecture.md"
COMMAND = "python docs/rooms_picture.py"
_MARKED = re.compile(r"(<!-- rooms: made by `.*?` -->\n)(.*?)(<!-- /rooms -->)", re.DOTALL)

WIDTH, MARGIN, LABELS = 1000, 24, 48
"""Of the picture, around it, and for the numbers of the floors; pixels."""
HIGH, APART = 34, 88
"""A room's height, and from floor to floor."""
LETTER, GAP, SLOT = 8.6, 18, 10
"""The width of a letter, the least distance between rooms, and the width that a passing arrow takes."""


class Node(NamedTuple):
    """A room, or the place where the arrow between two rooms passes a floor."""

    floor: int
    name: str
    passed: bool = False


Layers = list[list[Node]]


def label(room: str) -> str:
    """How a room is written: folders with a stroke."""
    if room == "multimlp":
        return "multimlp (the face)"
    folder = rooms.SOURCES[room].name == "__init__.py"
    return room.removeprefix("multimlp.") + ("/" if folder else "")


def purpose(room: str) -> str:
    """The first sentence of its docstring."""
    text = ast.get_docstring(ast.parse(rooms.SOURCES[room].read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def table(graph: rooms.Graph) -> str:
    """The rooms from bottom to top, one line each."""
    floors = rooms.floors(graph)
    arrows = sum(map(len, graph.values()))
    head = f"{len(graph)} rooms on {max(floors.values())} floors, {arrows} arrows, no circles."
    rows = [f"| {floor} | `{label(room)}` | {purpose(room)} |" for room, floor in floors.items()]
    return "\n".join([head, "", "| floor | room | what it is |", "| ---: | --- | --- |", *rows, ""])


def _layers(graph: rooms.Graph) -> tuple[Layers, list[list[Node]]]:
    """The floors with the places of passing arrows, and the way of every arrow, from floor to floor."""
    floors = rooms.floors(graph)
    layers: Layers = [[] for _ in range(max(floors.values()))]
    for room, floor in sorted(floors.items()):
        layers[floor - 1].append(Node(floor, room))
    ways = []
    for upper, others in sorted(rooms.essential(graph).items()):
        for lower in sorted(others):
            way = [Node(floors[upper], upper)]
            for floor in range(floors[upper] - 1, floors[lower], -1):
                way.append(Node(floor, f"{upper} to {lower}", passed=True))
                layers[floor - 1].append(way[-1])
            ways.append([*way, Node(floors[lower], lower)])
    return layers, ways


def _width(node: Node) -> float:
    return SLOT if node.passed else LETTER * len(label(node.name)) + 20


def _neighbours(ways: Sequence[Sequence[Node]]) -> dict[Node, list[Node]]:
    found: dict[Node, list[Node]] = {}
    for upper, lower in (piece for way in ways for piece in pairwise(way)):
        found.setdefault(upper, []).append(lower)
        found.setdefault(lower, []).append(upper)
    return found


def _ordered(layers: Layers, beside: dict[Node, list[Node]]) -> Layers:
    """Every floor in the order of its neighbours' mean places: the order with the fewest crossings of 40 sweeps."""

    def crossings(candidate: Layers) -> int:
        place = {node: i for layer in candidate for i, node in enumerate(layer)}
        total = 0
        for layer in candidate:
            ends = [
                (place[node], place[other])
                for node in layer
                for other in beside.get(node, ())
                if other.floor < node.floor
            ]
            total += sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(ends) for c, d in ends[:i])
        return total

    best, fewest = layers, crossings(layers)
    for sweep in range(40):
        layers = [list(layer) for layer in layers]
        for layer in layers if sweep % 2 else reversed(layers):
            place = {node: i / max(1, len(other) - 1) for other in layers for i, node in enumerate(other)}
            layer.sort(key=lambda node: (_mean([place[n] for n in beside.get(node, [node])]), node.name))
        if (found := crossings(layers)) < fewest:
            best, fewest = layers, found
    return best


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _placed(layers: Layers, beside: dict[Node, list[Node]]) -> dict[Node, float]:
    """The middle of every node: as near to its neighbours as order and widths allow."""
    left, right = MARGIN + LABELS, WIDTH - MARGIN
    x: dict[Node, float] = {}
    for layer in layers:
        free = (right - left - sum(map(_width, layer))) / (len(layer) + 1)
        edge = left
        for node in layer:
            edge += free + _width(node)
            x[node] = edge - _width(node) / 2
    for sweep in range(60):
        for layer in layers if sweep % 2 else reversed(layers):
            wanted = [0.5 * x[node] + 0.5 * _mean([x[n] for n in beside.get(node, [node])]) for node in layer]
            x.update(zip(layer, _apart(wanted, layer, left, right), strict=True))
    return x


def _apart(wanted: Sequence[float], layer: Sequence[Node], left: float, right: float) -> list[float]:
    """The places nearest to ``wanted`` in least squares at which nodes do not touch (pool adjacent violators)."""
    offsets = [0.0]
    for a, b in pairwise(layer):
        offsets.append(offsets[-1] + (_width(a) + _width(b)) / 2 + (SLOT if a.passed and b.passed else GAP))
    pools: list[list[float]] = []
    for value in (w - o for w, o in zip(wanted, offsets, strict=True)):
        pools.append([value])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    low = left + _width(layer[0]) / 2
    high = right - _width(layer[-1]) / 2 - offsets[-1]
    shifts = [min(max(_mean(pool), low), high) for pool in pools for _ in pool]
    return [shift + offset for shift, offset in zip(shifts, offsets, strict=True)]


def _line(points: Sequence[tuple[float, float]]) -> str:
    """A line through the floors, upright where it meets or passes one."""
    text = f"M{points[0][0]:.0f} {points[0][1] + HIGH / 2:.0f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        start, end = y + HIGH / 2, to_y - HIGH / 2
        bend = (start + end) / 2
        text += f"V{start:.0f}C{x:.0f} {bend:.0f} {to_x:.0f} {bend:.0f} {to_x:.0f} {end:.0f}"
    return text


def svg(graph: rooms.Graph) -> str:
    """The rooms on their floors, with the arrows that no others stand in for."""
    layers, ways = _layers(graph)
    beside = _neighbours(ways)
    layers = _ordered(layers, beside)
    x = _placed(layers, beside)
    count = len(layers)
    height = MARGIN * 2 + APART * (count - 1) + HIGH

    def y(floor: int) -> float:
        return MARGIN + HIGH / 2 + APART * (count - floor)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="15">',
        f"<!-- Made by {COMMAND}; edit that. -->",
        "<title>The rooms of multimlp, each above what it imports</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5b6b7c"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    lines += [
        f'<text x="{MARGIN}" y="{y(floor) + 5:.0f}" fill="#5b6b7c">{floor}</text>'
        for floor in range(1, count + 1)
    ]
    for way in ways:
        line = _line([(x[node], y(node.floor)) for node in way])
        lines.append(f'<path d="{line}" fill="none" stroke="#5b6b7c" marker-end="url(#tip)"/>')
    for node in (node for layer in layers for node in layer if not node.passed):
        wide, text = _width(node), html.escape(label(node.name))
        lines.append(
            f'<rect x="{x[node] - wide / 2:.0f}" y="{y(node.floor) - HIGH / 2:.0f}" width="{wide:.0f}" height="{HIGH}" rx="5" '
            f'fill="{"#fdf3e1" if node.name.rpartition(".")[2].startswith("_") else "#e8f1fb"}" stroke="#34495e"/>'
            f'<text x="{x[node]:.0f}" y="{y(node.floor) + 5:.0f}" text-anchor="middle" fill="#17202a">{text}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _page(graph: rooms.Graph) -> str:
    new, marks = _MARKED.subn(
        lambda found: f"{found[1]}{table(graph)}{found[3]}", PAGE.read_text(encoding="utf-8")
    )
    if marks != 1:
        raise ValueError(
            f"{PAGE}: expected one pair of marks <!-- rooms: ... --> and <!-- /rooms -->, found {marks}"
        )
    return new


def stale(read: Callable[[], rooms.Graph] = rooms.rooms) -> list[Path]:
    """The files that are not what the sources say."""
    graph = read()
    made = {PICTURE: svg(graph), PAGE: _page(graph)}
    return [
        path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str]) -> int:
    if arguments == ["--check"]:
        for path in (old := stale()):
            print(f"{path} is stale; run {COMMAND}")
        return bool(old)
    graph = rooms.rooms()
    PICTURE.write_text(svg(graph), encoding="utf-8")
    PAGE.write_text(_page(graph), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
