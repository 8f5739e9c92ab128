"""The section of docs/parity.md, made from a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from multimlp.parity.coverage import coverage
from multimlp.parity.modes import modes
from multimlp.parity.rows import Report, Row
from multimlp.parity.terminal import figure, grouped

FEATURED = (
    "relu",
    "sigmoid",
    "tanh",
    "softplus",
    "gelu",
    "silu",
    "softmax",
    "cross_entropy",
    "adam",
    "dense",
)


def render(report: Report) -> str:
    """The section as Markdown: the verdict, the worst errors of some functions, where libraries differ.

    Examples
    --------
    >>> from multimlp.parity import Report
    >>> from multimlp.parity.markdown import render
    >>> render(Report(settings={"dtypes": []})).splitlines()[0]
    '## As measured'
    """
    return (
        "\n".join(
            [*_verdict(report), *coverage(report), *_errors(report), *_relative(report), *_special(report)]
        )
        + "\n"
    )


def _verdict(report: Report) -> Iterator[str]:
    backends = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    functions = len({row.function for row in report.rows})
    failures = len(report.failures)
    yield "## As measured"
    yield ""
    yield (
        f"`multimlp parity` compared {functions} functions on {backends or 'nothing'} "
        f"with an oracle of 50 digits: {len(report.rows)} comparisons of values, closed-form derivatives and "
        f"gradients by autodiff, {failures or 'none'} out of tolerance. {modes(report)}".rstrip()
    )
    yield ""


def _errors(report: Report) -> Iterator[str]:
    for dtype in report.settings["dtypes"]:
        rows = [
            r for r in report.rows if r.dtype == dtype and r.function in FEATURED and r.mode != "definition"
        ]
        if not rows:
            continue
        columns = list(dict.fromkeys(row.backend for row in rows))
        yield f"Worst error of values / gradients in eps max(1, |reference|), {dtype}:"
        yield ""
        yield f"| function | {' | '.join(columns)} |"
        yield "| --- |" + " ---: |" * len(columns)
        for (_, function), by_backend in grouped(rows).items():
            cells = (_pair(by_backend.get(name, [])) for name in columns)
            yield f"| {function} | {' | '.join(cells)} |"
        yield ""


def _relative(report: Report) -> Iterator[str]:
    """Of float64 and float32, compiled or not, by backend: where a relative error is demanded."""
    rows = [r for r in report.rows if np.isfinite(r.relative_limit) and r.dtype in ("float64", "float32")]
    if not rows:
        return
    columns = list(dict.fromkeys(row.backend for row in rows))
    yield "Worst relative error of values / gradients, in eps max(|f|, |x f'|), float64 and float32, eager and compiled:"
    yield ""
    yield f"| function | {' | '.join(columns)} |"
    yield "| --- |" + " ---: |" * len(columns)
    for (_, function), by_backend in grouped([r for r in rows if r.function in FEATURED]).items():
        cells = (_pair(by_backend.get(name, []), "worst_relative") for name in columns)
        yield f"| {function} | {' | '.join(cells)} |"
    yield ""


def _pair(rows: Sequence[Row], figures: str = "worst_error_in_k") -> str:
    values = [getattr(r, figures) for r in rows if r.aspect in ("value", "portable")]
    slopes = [
        getattr(r, figures) for r in rows if r.aspect in ("derivative", "autodiff", "portable autodiff")
    ]
    return " / ".join(figure(max(found)) if found else "-" for found in (values, slopes))


def _special(report: Report) -> Iterator[str]:
    if not report.special:
        return
    columns = [name for name in report.special[0] if name not in ("point", "multimlp")]
    columns = [name for name in columns if any(entry[name] is not None for entry in report.special)]
    yield "Where the frameworks' own functions disagree, and what multimlp gives on all of them:"
    yield ""
    yield f"| | {' | '.join(columns)} | multimlp |"
    yield "| --- |" + " --- |" * (len(columns) + 1)
    for entry in report.special:
        cells = (value_text(entry[name]) for name in (*columns, "multimlp"))
        yield f"| {entry['point']} | {' | '.join(cells)} |"
    yield ""


def value_text(value: object) -> str:
    """A number of the table of special points; a dash where a framework has no such function."""
    return "-" if value is None else f"{float(value):.6g}"  # type: ignore[arg-type]
