"""The results as tables: the same for the terminal and for Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks import targets
from benchmarks.busy import SPINNERS
from benchmarks.compare import Change
from benchmarks.implementations import ROLES
from benchmarks.machine import BUSY
from benchmarks.results import Alone, Curve, Measurement, Memory, Results, ratio
from benchmarks.tasks import SMOOTH

_MARKS = {"reached": "✓", "close": "≈", "missed": "✗"}


@dataclass(frozen=True)
class Table:
    """A title, headings, rows of text, and remarks below."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    remarks: tuple[str, ...] = ()


def duration(seconds: float) -> str:
    """Three significant digits and a unit.

    Examples
    --------
    >>> duration(17.23e-6), duration(0.596), duration(2.5)
    ('17.2 us', '596 ms', '2.5 s')
    """
    scale, unit = next(
        ((scale, unit) for scale, unit in ((1, "s"), (1e-3, "ms")) if seconds >= scale), (1e-6, "us")
    )
    value = seconds / scale
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"


def tables(results: Results) -> list[Table]:
    """Everything that there is to show, one table a group of cases."""
    groups: dict[str, list[Measurement]] = {}
    for one in results.measurements:
        groups.setdefault(_group(one.case), []).append(one)
    found = [_contest(title, some, results) for title, some in groups.items()]
    found.append(_busy(results))
    if results.curves:
        found.append(_growth(results.curves))
    if results.memory:
        found.append(_memory(results.memory))
    return [*found, *_alone(results.alone)]


def _alone(some: list[Alone]) -> list[Table]:
    """A table for each library and dtype, a row for each function."""
    found = []
    for backend, dtype in dict.fromkeys((one.backend, one.dtype) for one in some):
        chosen = [one for one in some if (one.backend, one.dtype) == (backend, dtype)]
        ways = list(dict.fromkeys((one.way, one.elements) for one in chosen))
        rows = []
        for function in dict.fromkeys(one.function for one in chosen):
            by_way = {(one.way, one.elements): one for one in chosen if one.function == function}
            rows.append((function, *(_alone_cell(by_way.get(way)) for way in ways)))
        remarks = dict.fromkeys(f"{one.function}: {one.problem}" for one in chosen if one.problem)
        columns = ("function", *(f"{way} {size:.0e}".replace("e+0", "e") for way, size in ways))
        title = f"Activations and losses by themselves: {backend}, {dtype}; the time of its own function over ours"
        found.append(Table(title, columns, rows, tuple(remarks)))
    return found


def _alone_cell(one: Alone | None) -> str:
    if one is None or not one.ours:
        return "-"
    if one.problem:
        return "failed"
    found = one.peer / one.ours
    return f"{found:.2f} {_MARKS['reached' if found >= targets.ALONE else 'missed']}"


def _group(case: str) -> str:
    head, _, rest = case.partition("-")
    group = {
        "ensemble": "Ensemble: 64 networks trained together, against one after another",
        "inference": "Inference",
        "activation": "Activations over 1e7 elements",
        "transform": "Gradient transforms",
        "derivative": "Transforms of ten functions, float64",
        "cold": "Cold start",
    }.get(head, "Training: time of a step")
    return "Training with other activations" if rest in SMOOTH and group.startswith("Training") else group


def _contest(title: str, some: list[Measurement], results: Results) -> Table:
    roles = [role for role in ROLES if role != "ours" and any(one.role == role for one in some)]
    rows = []
    for case in dict.fromkeys(one.case for one in some):
        entries = [one for one in some if one.case == case]
        for backend in dict.fromkeys(one.backend for one in entries):
            ours = next(one for one in entries if one.backend == backend and one.role == "ours")
            cells = [_against(case, backend, role, ours, results) for role in roles]
            label = case if ours.title == case else f"{case}: {ours.title}"
            rows.append((label, backend, _time(ours), *cells))
    remarks = [f"{one.backend} {ROLES[one.role]}, {one.case}: {one.problem}" for one in some if one.problem]
    columns = ("case", "backend", ROLES["ours"], *(ROLES[role] for role in roles))
    return Table(title, columns, rows, tuple(dict.fromkeys(remarks)))


def _time(ours: Measurement) -> str:
    if not ours.counts:
        return "failed" if ours.problem else "-"
    return f"{duration(ours.median)} ±{100 * ours.spread:.0f}%"


def _against(case: str, backend: str, role: str, ours: Measurement, results: Results) -> str:
    peer = results.find(case, backend, role)
    if peer is None:
        return "failed" if results.tried(case, backend, role) else "-"
    if not ours.counts:
        return duration(peer.median)
    found = ratio(peer, ours)
    limit = role in ("products", "copy", "ours-relu")
    text = f"{100 * found.value:.0f}%" if limit else f"{found.value:.3g}x"
    wanted = None if results.machine.get("gpu") else targets.target(case, backend, role)
    if wanted is None:
        return text
    return f"{text} {_MARKS[targets.verdict(found, wanted)]}"


def _busy(results: Results) -> Table:
    measured = [one for one in results.measurements if one.slowdown is not None]
    roles = [role for role in ROLES if any(one.role == role for one in measured)]
    rows = []
    for case, backend in dict.fromkeys((one.case, one.backend) for one in measured):
        cells = []
        for role in roles:
            one = results.find(case, backend, role)
            slowdown = None if one is None else one.slowdown
            text = "-" if slowdown is None else f"{slowdown:.3g}x"
            if role == "ours" and slowdown is not None:
                text += " ✓" if slowdown <= targets.SLOWDOWN else " ✗"
            cells.append(text)
        rows.append((case, backend, *cells))
    return Table(
        f"Busy machine: how many times as long a step takes beside {SPINNERS} other processes at full load",
        ("case", "backend", *(ROLES[role] for role in roles)),
        rows,
    )


def _growth(curves: list[Curve]) -> Table:
    rows = []
    for curve in curves:
        fitted = "-" if curve.exponent is None else f"{curve.exponent:.2f}"
        ends = [f"{size}: {duration(value)}" for size, value in zip(curve.sizes, curve.seconds, strict=True)]
        rows.append((curve.axis, curve.backend, fitted, ends[0] if ends else "-", ends[-1] if ends else "-"))
    remarks = tuple(f"{curve.axis}, {curve.backend}: {curve.problem}" for curve in curves if curve.problem)
    return Table(
        "Growth: time ~ size ^ exponent, fitted to the largest sizes",
        ("doubled", "backend", "exponent", "smallest", "largest"),
        rows,
        remarks,
    )


def _memory(figures: list[Memory]) -> Table:
    rows = []
    for one in figures:
        if one.peak is not None:
            share = f"{100 * one.peak / one.needed:.0f}%"
            rows.append((one.title, one.backend, megabytes(one.needed), megabytes(one.peak), share))
    remarks = tuple(f"{one.backend}: {one.problem}" for one in figures if one.problem)
    return Table(
        "Memory: peak of a run beside parameters x 4 (gradient, two moments), a batch's activations and the data once",
        ("case", "backend", "needed", "peak", "peak / needed"),
        rows,
        remarks,
    )


def megabytes(size: int) -> str:
    """Examples
    --------
    >>> megabytes(123_456_789)
    '123 MB'
    """
    return f"{size / 1e6:.0f} MB"


def target_table(*runs: Results) -> Table:
    """Every target that was tried in all of the runs, the newest first: reached is what each of them reached."""
    rows = []
    for case, backend, role, wanted, who in targets.rows():
        if not all(run.tried(case, backend, one) for run in runs for one in (role, who)):
            continue
        pairs = [(run.find(case, backend, role), run.find(case, backend, who)) for run in runs]
        found = [None if peer is None or ours is None else ratio(peer, ours) for peer, ours in pairs]
        spans = [
            "failed" if one is None else f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})" for one in found
        ]
        verdicts = {"failed" if one is None else targets.verdict(one, wanted) for one in found}
        worst = next(verdict for verdict in ("failed", "missed", "close", "reached") if verdict in verdicts)
        rows.append((case, backend, ROLES[who], ROLES[role], f"{wanted:.3g}", *spans, worst))
    ratios = ("ratio",) if len(runs) == 1 else ("ratio now", *("ratio before" for _ in runs[1:]))
    columns = ("case", "backend", "who", "against", "target", *ratios, "verdict")
    reached = sum(row[-1] == "reached" for row in rows)
    in_all = "" if len(runs) == 1 else f" in each of {len(runs)} runs"
    return Table("Targets", columns, rows, (f"{reached} of {len(rows)} targets reached{in_all}",))


def change_table(found: Iterable[Change]) -> Table:
    """This run against an older one."""
    rows = [
        (
            one.new.case,
            one.new.backend,
            ROLES[one.new.role],
            duration(one.old.median),
            duration(one.new.median),
            f"{100 * (one.factor - 1):+.0f}%",
            f"±{100 * one.noise:.0f}%",
            one.verdict,
        )
        for one in found
    ]
    return Table(
        "Against the older run", ("case", "backend", "who", "then", "now", "change", "noise", "verdict"), rows
    )


def quiet(results: Results) -> str:
    """A warning if the machine was not quiet, or ""."""
    disturbed = [load for load in results.loads if load > BUSY]
    if len(disturbed) * 5 < len(results.loads) or not disturbed:
        return ""
    return (
        f"the machine was not quiet: before {len(disturbed)} of {len(results.loads)} turns others kept "
        f"{statistics.median(disturbed):.1f} of {results.machine['cores']} processors busy; do not rely on these times"
    )
