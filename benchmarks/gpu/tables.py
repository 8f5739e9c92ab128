"""What was found, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.results import Measurement, ratio

TINY_TARGET = 20.0
PRODUCTS_TARGET = 0.9
FLOOR = 0.97
"""Never slower than the usual loop; less counts as noise."""


class Table(NamedTuple):
    """A heading, columns, and rows of cells."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]


Pieces = Mapping[str, Mapping[str, Any]]


def tables(pieces: Pieces, device: str) -> Iterator[Table]:
    """Those that have rows, and last what could not be measured; targets are a GPU's."""
    for table in (
        _probes(pieces),
        _training(pieces, device != "cpu"),
        _activations(pieces),
        _growth(pieces),
        _problems(pieces),
    ):
        if table.rows:
            yield table


def _found(pieces: Pieces, kind: str) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The words of the names of finished pieces of a kind, and what they found."""
    for name, entry in pieces.items():
        if name.startswith(kind) and entry["found"]:
            yield name.split(), entry["found"]


def _probes(pieces: Pieces) -> Table:
    rows: list[tuple[object, ...]] = []
    for (kind, backend), found in _found(pieces, "probes"):
        if "product" in found:
            best = max(found["product"].values())
            rows.append((backend, _tf32(kind), best, found["copy"], found["launch"]))
    return Table("At best", ("backend", "TF32", "product, GFLOP/s", "copy, GB/s", "launch, us"), rows)


def _training(pieces: Pieces, targets: bool) -> Table:
    rows: list[tuple[object, ...]] = []
    for words, found in _found(pieces, "training"):
        times = _by_role(found)
        ours = times.get("ours")
        if ours is not None:
            loop, best, products = (
                ratio(times[role], ours).value if role in times else None
                for role in ("loop", "best", "products")
            )
            verdict = _verdict(words[1], loop, products) if targets else None
            rows.append(
                (words[1], words[2], _tf32(words[0]), 1e6 * ours.median, loop, best, products, verdict)
            )
    columns = (
        "case",
        "backend",
        "TF32",
        "ours, us",
        "usual loop / ours",
        "best loop / ours",
        "products / ours",
        "target",
    )
    return Table("A training step", columns, rows)


def _verdict(case: str, loop: float | None, products: float | None) -> str | None:
    """Against the targets: 20 times the usual loop on tiny, never below it, 90 % of the bare products on wide."""
    wanted = TINY_TARGET if case == "tiny" else FLOOR
    reached = [found >= limit for found, limit in ((loop, wanted),) if found is not None]
    if case == "wide" and products is not None:
        reached.append(products >= PRODUCTS_TARGET)
    if not reached:
        return None
    return "reached" if all(reached) else "missed"


def _activations(pieces: Pieces) -> Table:
    rows: list[tuple[object, ...]] = []
    for (name, backend), found in _found(pieces, "activation-"):
        times = _by_role(found)
        ours = times.get("ours")
        if ours is not None:
            native = ratio(times["native"], ours).value if "native" in times else None
            rows.append((name.removeprefix("activation-"), backend, 1e6 * ours.median, native))
    return Table("An activation", ("activation", "backend", "ours, us", "the library's own / ours"), rows)


def _growth(pieces: Pieces) -> Table:
    rows: list[tuple[object, ...]] = []
    for _, found in _found(pieces, "growth"):
        for curve in found["curves"]:
            if curve["sizes"]:
                last, seconds = curve["sizes"][-1], curve["seconds"][-1]
                rows.append(
                    (
                        curve["axis"],
                        curve["backend"],
                        last,
                        1e6 * seconds,
                        1e6 * seconds / last,
                        curve["exponent"],
                    )
                )
    columns = ("axis", "backend", "largest", "us a step", "us a step and unit", "exponent")
    return Table("Growth", columns, rows)


def _problems(pieces: Pieces) -> Table:
    rows: list[tuple[object, ...]] = [
        (name, entry["problem"]) for name, entry in pieces.items() if entry["problem"]
    ]
    return Table("Not measured", ("piece", "why"), rows)


def _by_role(found: Mapping[str, Any]) -> dict[str, Measurement]:
    measured = (Measurement(**plain) for plain in found["measurements"])
    return {one.role: one for one in measured if one.counts}


def _tf32(kind: str) -> str:
    return "on" if kind.endswith("-tf32") else "off"
