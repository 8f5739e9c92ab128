"""The results as tables, on the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.machine import environment
from benchmarks.markdown import table_text
from benchmarks.report import Table, duration
from benchmarks.scale.model import LINKS, Link, Step, members_speed_up
from benchmarks.scale.results import ALONE, Measured, Results
from multimlp.bench import CASES

PROCESSES = (8, 64, 512)
MEMBERS = 1024
AGREED = 2.0
"""The factor within which a step on a delayed communicator is expected to be what the model says."""


def tables(results: Results) -> list[Table]:
    """All that have rows."""
    found = [
        _sums(results),
        _steps(results),
        _parts(results),
        _model(results),
        _simulated(results),
        _problems(results),
    ]
    return [table for table in found if table.rows]


def section(results: Results, picture: str | None) -> str:
    """For the documentation: the machine, the tables, the picture (its path seen from the page)."""
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    versions += environment(machine)
    parts = [
        f"Measured on {machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}: {versions}. "
        "Each process is pinned to a core of its own and computes on one thread; times are the least of several short runs.",
    ]
    busy = sorted(results.loads)[len(results.loads) // 2] if results.loads else 0.0
    if busy > 0.15:
        parts.append(f"**Other programs kept {busy:.1f} of {machine['cores']} cores busy meanwhile.**")
    for table in tables(results):
        parts.append(table_text(table))
        if picture is not None and table.title.startswith("Cost model"):
            parts.append(f"![Speed-up by the cost model]({picture})")
    return "\n\n".join(parts) + "\n"


def _sums(results: Results) -> Table:
    carriers = list(dict.fromkeys(one.carrier for one in results.sums))
    found = {(one.carrier, one.bytes): one.seconds for one in results.sums}
    rows = []
    for size in sorted({one.bytes for one in results.sums}):
        times = [found.get((carrier, size)) for carrier in carriers]
        rows.append((_bytes(size), *("-" if time is None else duration(time) for time in times)))
    return Table("A sum over two processes of this machine", ("bytes", *carriers), rows)


def _steps(results: Results) -> Table:
    """One process, then two with each carrier: seconds, and which share of them is communicating."""
    carriers = [c for c in results.carriers() if any(one.carrier == c for one in results.steps)]
    rows = []
    for case in results.cases():
        for backend in results.backends():
            alone = results.step(backend, case)
            if alone is None:
                continue
            cells = []
            for carrier in carriers:
                one = results.step(backend, case, carrier)
                cells.append("-" if one is None else _in_two(one, alone))
            rows.append((f"{case}: {CASES[case].title}", backend, duration(alone.seconds), *cells))
    remarks = (
        "In two processes: the time, the speed-up, and the share of the time spent communicating, which cannot be seen where the library "
        "sums inside its program.",
    )
    return Table(
        "A step in one process and in two", ("case", "backend", "one process", *carriers), rows, remarks
    )


def _in_two(one: Measured, alone: Measured) -> str:
    share = "" if one.communicating is None else f" ({one.communicating:.0%})"
    return f"{duration(one.seconds)}, {alone.seconds / one.seconds:.2f}x{share}"


def _parts(results: Results) -> Table:
    rows = []
    for case, backend, step in _modelled(results):
        rows.append(
            (
                f"{case}: {CASES[case].title}", backend, _bytes(step.bytes), duration(step.fixed), duration(step.update),
                duration(step.row * step.batch),
            )
        )  # fmt: skip
    remarks = ("From steps of one process with the whole batch and an eighth of it.",)
    columns = ("case", "backend", "bytes summed", "fixed", "update", "forward and back")
    return Table("What a step is made of", columns, rows, remarks)


def _model(results: Results) -> Table:
    first = next(iter(results.backends()), "")
    rows = [
        (
            f"{case}: {CASES[case].title}",
            link.name,
            _by_processes(step, link, sharded=False),
            _by_processes(step, link, sharded=True),
            f"{step.efficiency(PROCESSES[-1], link):.0%}",
        )
        for case, backend, step in _modelled(results)
        if backend == first
        for link in (*results.links(), *LINKS)
    ]
    numbers = " / ".join(map(str, PROCESSES))
    members = " / ".join(f"{members_speed_up(MEMBERS, processes):.0f}" for processes in PROCESSES)
    remarks = (
        f"Speed-up on {numbers} processes with the batch kept, a dash where there are fewer rows; and the efficiency on {PROCESSES[-1]} "
        f"with a batch that many times as large. {MEMBERS} members of a sweep, which communicate nothing: {members} times.",
    )
    columns = (
        "case",
        "link",
        f"speed-up at {numbers}",
        "with the update shared out",
        f"efficiency at {PROCESSES[-1]}",
    )
    return Table(f"Cost model, steps of {first}", columns, rows, remarks)


def _by_processes(step: Step, link: Link, sharded: bool) -> str:
    found = [step.speed_up(processes, link, sharded=sharded) for processes in PROCESSES]
    return " / ".join("-" if one is None else f"{one:.2g}" for one in found)


def _simulated(results: Results) -> Table:
    rows = [
        (
            f"{one.case}: {CASES[one.case].title}", one.backend, one.link, str(one.processes), duration(one.model),
            duration(one.seconds), f"{one.seconds / one.model:.2f}",
        )
        for one in results.simulated
    ]  # fmt: skip
    within = all(1 / AGREED <= one.seconds / one.model <= AGREED for one in results.simulated)
    said = "All are" if within else "Not all are"
    remarks = (
        "One process makes the steps of the first of so many, with a communicator that takes as long as the link would; the model's parts "
        f"are those of a group of one, which JAX and TensorFlow have another program for. {said} within a factor of {AGREED:g}.",
    )
    columns = ("case", "backend", "link", "processes", "model", "measured", "ratio")
    return Table("The model against steps on a delayed communicator", columns, rows, remarks)


def _problems(results: Results) -> Table:
    return Table("Not measured", ("what", "why"), [*results.problems.items()])


def _modelled(results: Results) -> Iterator[tuple[str, str, Step]]:
    for case in results.cases():
        for backend in results.backends():
            step = results.model(backend, case)
            if step is not None and results.step(backend, case, ALONE) is not None:
                yield case, backend, step


def _bytes(size: int) -> str:
    """
    Examples
    --------
    >>> _bytes(8), _bytes(38_440), _bytes(84_082_728)
    ('8 B', '38.4 kB', '84.1 MB')
    """
    for scale, unit in ((1e6, "MB"), (1e3, "kB")):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"
