"""The report as one self-contained page: verdict, tables, pictures of the errors, special points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from multimlp.parity.markdown import value_text
from multimlp.parity.picture import COLOURS, picture
from multimlp.parity.rows import Report, Row
from multimlp.parity.terminal import CELLS, describe, grouped, summary

_STYLE = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1c2024; --soft: #60646c; --line: #d9d9e0; --good:
#18794e;
  --bad: #cd2b31; --bad-bg: #ffe5e5; --card: #f9f9fb; }
@media (prefers-color-scheme: dark) { :root { --bg: #111113; --fg: #edeef0; --soft: #b0b4ba; --line: #363a3f;
  --good: #3dd68c; --bad: #ff9592; --bad-bg: #3b1219; --card: #18191b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 1rem; background: var(--bg); color: var(--fg);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p { max-width: 46rem; } .soft { color: var(--soft); }
.verdict { font-size: 1.2rem; font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--bg); }
tbody tr:last-child td { border-bottom: 0; } td.bad { background: var(--bad-bg); font-weight: 600; }
tr.family td { font-weight: 600; color: var(--soft); background: var(--card); }
.pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px),
1fr)); } figure { margin: 0; padding: .6rem; background: var(--card); border: 1px solid var(--line);
border-radius: 8px; } figcaption { font-weight: 600; font-size: .9rem; } svg { display: block; width: 100%;
height: auto; } svg text { fill: var(--soft); font: 10px system-ui, sans-serif; } svg .axis { stroke:
var(--line); } .legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: .5rem 0 1rem; font-size:
.9rem; } .legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 50%; margin-right:
.35rem; } details { margin: .5rem 0; } summary { cursor: pointer; } @media (max-width: 600px) { body {
padding: .7rem; } th, td { padding: .25rem .45rem; } table { font-size: .8rem; }
  td:first-child { white-space: normal; min-width: 7rem; max-width: 9rem; overflow-wrap: anywhere; } }
"""


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
        f"<title>multimlp parity</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _head(report: Report, against: Sequence[Row]) -> Iterator[str]:
    failures = [*report.failures, *(row for row in against if not row.passed)]
    count = len(report.rows) + len(against)
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in report.versions.items())
    yield "<h1>multimlp parity</h1>"
    if failures:
        yield f'<p class="verdict bad">{len(failures)} of {count} comparisons are out of tolerance.</p>'
        items = "".join(f"<li>{escape(describe(row))}</li>" for row in failures[:200])
        yield f"<details open><summary>which</summary><ul>{items}</ul></details>"
    else:
        yield f'<p class="verdict good">All {count} comparisons are within tolerance.</p>'
    yield f'<p class="soft">{versions}. {report.settings.get("seconds", 0)} s.</p>'
    yield (
        "<p>Every function was run on every backend, eager and compiled, and compared with its definition "
        "evaluated to 50 digits: the portable form, the backend's own kernel, the closed-form derivative, "
        "and the backend's automatic differentiation, on a grid over [-20, 20], at random points, at zeros, "
        "kinks, tiny and huge numbers, infinities and NaN. The definitions were compared with textbooks.</p>"
    )


def _special(report: Report) -> Iterator[str]:
    if not report.special:
        return
    columns = [c for c in report.special[0] if c not in ("point", "multimlp")]
    columns = [c for c in columns if any(entry[c] is not None for entry in report.special)]
    yield "<h2>Where the frameworks' own functions disagree</h2>"
    yield "<p>What each does by itself, and what multimlp gives on all of them.</p>"
    yield _table(
        ["", *columns, "multimlp"],
        [
            f"<tr><td>{escape(entry['point'])}</td>"
            + "".join(f"<td>{value_text(entry[c])}</td>" for c in (*columns, "multimlp"))
            + "</tr>"
            for entry in report.special
        ],
    )


def _tables(report: Report) -> Iterator[str]:
    for dtype in report.settings["dtypes"]:
        rows = [row for row in report.rows if row.dtype == dtype and row.mode != "definition"]
        columns = list(dict.fromkeys(row.backend for row in rows))
        lines, family = [], ""
        for (kind, function), by_backend in grouped(rows).items():
            if kind != family:
                family = kind
                span = len(columns) + 1
                lines.append(f'<tr class="family"><td colspan="{span}">{escape(kind)}</td></tr>')
            cells = "".join(_cell(by_backend.get(name, [])) for name in columns)
            lines.append(f"<tr><td>{escape(function)}</td>{cells}</tr>")
        yield f"<h2>{escape(dtype)}</h2>"
        yield f"<p>{escape(CELLS.capitalize())}, eager and compiled.</p>"
        yield _table(["function", *columns], lines)


def _table(head: Sequence[str], lines: Sequence[str]) -> str:
    cells = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(lines)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(rows: Sequence[Row]) -> str:
    if not rows:
        return '<td class="soft">–</td>'
    passed = all(row.passed for row in rows)
    detail = "\n".join(
        f"{row.aspect} {row.mode}: {row.worst_error_in_k:.2g} eps of {row.limit_in_k:g}" for row in rows
    )
    return f'<td class="{"good" if passed else "bad"}" title="{escape(detail)}">{summary(rows)}</td>'


def _pictures(report: Report) -> Iterator[str]:
    dtypes = [
        d for d in ("float32", *report.settings["dtypes"]) if any(k.endswith(f"|{d}") for k in report.grids)
    ]
    if not dtypes:
        return
    dtype = dtypes[0]
    shown = [name for name in report.backends if name in COLOURS]
    yield f"<h2>The error over x, {escape(dtype)}</h2>"
    yield "<p>|error| / (eps max(1, |f(x)|)) of values, eager, on [-20, 20].</p>"
    marks = "".join(f'<span><i style="background:{COLOURS[n]}"></i>{escape(n)}</span>' for n in shown)
    yield f'<div class="legend">{marks}</div><div class="pictures">'
    for key, x in report.grids.items():
        function, _, kind = key.partition("|")
        if kind == dtype:
            truth = report.results[f"{function}|value|{dtype}|mpmath"]
            lines = {
                name: np.asarray(report.results[full])
                for name in shown
                if (full := f"{function}|value|{dtype}|{name}") in report.results
            }
            yield picture(function, dtype, x, truth, lines)
    yield "</div>"
