"""The report as one self-contained page: verdict, tables, pictures of the errors, special points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from multimlp.parity.html_style import STYLE
from multimlp.parity.markdown import value_text
from multimlp.parity.modes import modes
from multimlp.parity.picture import COLOURS, key, picture
from multimlp.parity.rows import Report, Row
from multimlp.parity.terminal import CELLS, describe, grouped, summary

_BREAK = re.compile(r"(?<=[_(,=])")
"""Where a long name may be broken on a narrow screen."""
_ALIKE = 2e-5
"""Relative difference of two numbers of the special points that is only rounding in float32."""


def page(report: Report, against: Sequence[Row] = ()) -> str:
    """The whole page.

    Parameters
    ----------
    report : Report
    against : sequence of Row
        From a comparison with another report.

    Returns
    -------
    str
        HTML without references to anything outside.

    Examples
    --------
    >>> from multimlp.parity import Report
    >>> from multimlp.parity.html import page
    >>> page(Report(settings={"dtypes": [], "seconds": 0})).startswith("<!doctype html>")
    True
    """
    body = [*_head(report, against), *_special(report), *_tables(report), *_pictures(report)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>multimlp parity</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _head(report: Report, against: Sequence[Row]) -> Iterator[str]:
    failures = [*report.failures, *(row for row in against if not row.passed)]
    count = len(report.rows) + len(against)
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in report.versions.items())
    yield "<h1>multimlp parity</h1>"
    if failures:
        yield f'<p class="verdict bad">✗ {len(failures)} of {count} comparisons are out of tolerance.</p>'
        items = "".join(f"<li>{escape(describe(row))}</li>" for row in failures[:200])
        yield f"<details open><summary>which</summary><ul>{items}</ul></details>"
    else:
        yield f'<p class="verdict good">✓ All {count} comparisons are within tolerance.</p>'
    yield f'<p class="soft">{versions}. {report.settings.get("seconds", 0)} s.</p>'
    yield (
        "<p>Every function was run on every backend and compared with its definition "
        "evaluated to 50 digits: the portable form, the backend's own kernel, the closed-form derivative, "
        "and the backend's automatic differentiation, on a grid over [-20, 20], at random points, at zeros, "
        "kinks, tiny and huge numbers, infinities and NaN. The definitions were compared with textbooks. "
        f"{escape(modes(report))}</p>"
    )
    places = [("special", "Where frameworks disagree")] if report.special else []
    places += [(dtype, f"Errors in {dtype}") for dtype in report.settings["dtypes"]]
    places += [("pictures", "Error over x")] if _pictured(report) else []
    yield "<nav>" + "".join(f'<a href="#{at}">{escape(title)}</a>' for at, title in places) + "</nav>"


def _special(report: Report) -> Iterator[str]:
    if not report.special:
        return
    columns = [c for c in report.special[0] if c not in ("point", "multimlp")]
    columns = [c for c in columns if any(entry[c] is not None for entry in report.special)]
    yield '<h2 id="special">Where the frameworks\' own functions disagree</h2>'
    yield (
        "<p>What multimlp gives on all of them, and what each does by itself; <b>≠</b> marks another answer "
        "than multimlp's, a dash a function that the framework does not have.</p>"
    )
    yield _table(
        ["at", "multimlp", *columns],
        [
            f'<tr><th scope="row">{escape(entry["point"])}</th><td>{value_text(entry["multimlp"])}</td>'
            + "".join(_answer(entry[c], entry["multimlp"]) for c in columns)
            + "</tr>"
            for entry in report.special
        ],
        "Where the frameworks disagree",
    )


def _answer(value: Any, ours: Any) -> str:
    if value is None:
        return '<td class="soft">–</td>'
    if np.isclose(float(value), float(ours), rtol=_ALIKE, atol=0.0, equal_nan=True):
        return f"<td>{value_text(value)}</td>"
    return f'<td class="other">≠ {value_text(value)}</td>'


def _tables(report: Report) -> Iterator[str]:
    for dtype in report.settings["dtypes"]:
        rows = [row for row in report.rows if row.dtype == dtype and row.mode != "definition"]
        columns = list(dict.fromkeys(row.backend for row in rows))
        lines, family = [], ""
        for (kind, function), by_backend in grouped(rows).items():
            if kind != family:
                family = kind
                lines.append(
                    f'<tr class="family"><th scope="rowgroup">{escape(kind)}</th>'
                    f'<td colspan="{len(columns)}"></td></tr>'
                )
            cells = "".join(_cell(by_backend.get(name, [])) for name in columns)
            lines.append(f'<tr><th scope="row">{_BREAK.sub("<wbr>", escape(function))}</th>{cells}</tr>')
        yield f'<h2 id="{escape(dtype)}">{escape(dtype)}</h2>'
        yield (
            f"<p>{escape(CELLS[0].upper() + CELLS[1:])}, over all modes. The tolerances are in "
            "the first unit. The second is large where the true value is close to 0: an ULP is tiny there. "
            "<b>✗</b> marks what is out of tolerance, a dash what this run left out.</p>"
        )
        yield _table(["function", *columns], lines, f"Errors in {dtype}")


def _table(head: Sequence[str], lines: Sequence[str], label: str) -> str:
    cells = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    return (
        # with a tabindex the keyboard can scroll it
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(rows: Sequence[Row]) -> str:
    if not rows:
        return '<td class="soft">–</td>'
    passed = all(row.passed for row in rows)
    detail = "\n".join(
        f"{row.aspect} {row.mode}: {row.worst_error_in_k:.2g} eps of {row.limit_in_k:g}" for row in rows
    )
    kind, sign = ("good", "") if passed else ("bad", "✗ ")
    return f'<td class="{kind}" title="{escape(detail)}">{sign}{summary(rows)}</td>'


def _pictured(report: Report) -> str | None:
    """The dtype of the pictures: float32 if it was run."""
    dtypes = ("float32", *report.settings["dtypes"])
    return next((d for d in dtypes if any(k.endswith(f"|{d}") for k in report.grids)), None)


def _pictures(report: Report) -> Iterator[str]:
    dtype = _pictured(report)
    if dtype is None:
        return
    shown = [name for name in report.backends if name in COLOURS]
    yield f'<h2 id="pictures">The error over x, {escape(dtype)}</h2>'
    yield "<p>|error| / (eps max(1, |f(x)|)) of values, eager, on [-20, 20].</p>"
    marks = "".join(f"<span>{key(name)}{escape(name)}</span>" for name in shown)
    yield f'<div class="legend">{marks}</div><div class="pictures">'
    for full_name, x in report.grids.items():
        function, _, kind = full_name.partition("|")
        if kind == dtype:
            truth = report.results[f"{function}|value|{dtype}|mpmath"]
            lines = {
                name: np.asarray(report.results[full])
                for name in shown
                if (full := f"{function}|value|{dtype}|{name}") in report.results
            }
            yield picture(function, dtype, x, truth, lines)
    yield "</div>"
