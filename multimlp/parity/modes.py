"""In words: what was run eagerly, and what under which compiler."""

from __future__ import annotations

from multimlp.parity.plan import mode_of
from multimlp.parity.rows import Report


def _with(name: str, dtypes: list[str]) -> str:
    return f"{name} ({', '.join(dtypes)})"


def modes(report: Report) -> str:
    """A sentence about the modes of a report, from its rows.

    Examples
    --------
    >>> from multimlp.parity import Plan, run
    >>> from multimlp.parity.modes import modes
    >>> modes(run(Plan(("numpy",), ("relu",), ("float32",), quick=True)))
    'Eager: numpy.'
    """
    found: dict[str, dict[str, list[str]]] = {}
    for row in report.rows:
        if row.mode != "definition" and row.family != "training":
            dtypes = found.setdefault(row.mode, {}).setdefault(row.backend, [])
            if row.dtype not in dtypes:
                dtypes.append(row.dtype)
    eager = [f"Eager: {', '.join(found.pop('eager'))}."] if "eager" in found else []
    compiled = [
        f"Compiled by {mode}: {', '.join(_with(name, dtypes) for name, dtypes in by_backend.items())}."
        for mode, by_backend in found.items()
    ]
    unused = [
        f"{compiler} of {name}"
        for name, compilers in report.settings.get("compilers", {}).items()
        for compiler in compilers
        if name not in found.get(mode_of(compiler), {})
    ]
    return " ".join([*eager, *compiled, *([f"Not run: {', '.join(unused)}."] if unused else [])])
