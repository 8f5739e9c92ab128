"""Makes ``docs/accuracy.md``: how exact every element-wise function of the standard and its derivative is on every backend.

    python docs/accuracy_page.py                     # measures every backend that is here (minutes), and writes the page
    python docs/accuracy_page.py --backend mxnet     # measures one more, in an environment of its own, and keeps the others
    python docs/accuracy_page.py --page              # writes the page from what was measured

What was measured is kept in ``docs/accuracy.json`` with the versions and a digest of the definitions; a test says when the page is
not made of it, or when it was measured with other versions or definitions than those of today.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEPT, PAGE = HERE / "accuracy.json", HERE / "accuracy.md"
BACKENDS = ("numpy", "torch", "jax", "tensorflow", "strict", "mlx", "mxnet", "paddle")
COMMAND = "python docs/accuracy_page.py"
DTYPES = ("float32", "float64")


def digest() -> str:
    """Of the definitions and of how they are measured."""
    root = HERE.parent / "multimlp"
    texts = [
        (root / name).read_text() for name in ("parity/standard.py", "parity/points.py", "testing/_ulp.py")
    ]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def measure(backend: str) -> dict[str, Any]:
    from multimlp.backend import load_backend
    from multimlp.parity.standard import FUNCTIONS
    from multimlp.testing import ulp_table

    rows: dict[str, Any] = {}
    for name in FUNCTIONS:
        for row in ulp_table(name, backends=[backend]):
            short = float(f"{row.worst:.3g}") if math.isfinite(row.worst) else None
            cell = {"worst": short, "at": list(row.at), "beyond": row.beyond}
            rows.setdefault(name, {}).setdefault(row.quantity, {})[row.dtype] = cell | (
                {"problem": row.problem} if row.problem else {}
            )
    return {"version": load_backend(backend).version, "rows": rows}


def cell(found: dict[str, Any], name: str, quantity: str, dtype: str, notes: list[str]) -> str:
    entry = found["rows"].get(name, {}).get(quantity, {}).get(dtype)
    if entry is None:
        return ""
    if "problem" in entry:
        notes.append(f"`{name}`, {quantity}: {entry['problem']}")
        return "none"
    text = "0" if not entry["worst"] else f"{entry['worst']:.3g}"
    return text + (f" ({entry['beyond']})" if entry["beyond"] else "")


def page(kept: dict[str, Any]) -> str:
    names = [name for name in BACKENDS if name in kept["backends"]]
    same = [
        n
        for n in names
        if n == "strict" and kept["backends"][n]["rows"] == kept["backends"].get("numpy", {}).get("rows")
    ]
    shown = [name for name in names if name not in same]
    functions = sorted(next(iter(kept["backends"].values()))["rows"])
    versions = ", ".join(f"{name} {kept['backends'][name]['version']}" for name in names)
    lines = [
        "# How exact the functions are",
        "",
        f"<!-- made by `{COMMAND}` -->",
        "The largest error of every element-wise function of the standard and of its derivative, in units in the last place",
        "(ULP), against mpmath with 60 digits: over numbers of all sizes and both signs and where functions are hard, close to",
        "multiples of pi / 2, to 1, to where they overflow. 0.5 is a result that is rounded right. In parentheses: at how many",
        "points a result is infinite or NaN and should not be, or the other way round. Results below the smallest normal number",
        "are not counted. Functions are called through `multimlp.xp`, eagerly, on the CPU; derivatives are those of",
        "`multimlp.vjp`: the tape's on NumPy, array-api-strict, MXNet and Paddle, the library's elsewhere.",
        "[`ulp_table`](guide/testing.md) measures any function of yours like this.",
        "",
        f"Measured with {versions}." + (" array-api-strict has NumPy's numbers." if same else ""),
    ]  # fmt: skip
    for dtype in DTYPES:
        notes: list[str] = []
        lines += [
            "",
            f"## {dtype}",
            "",
            "| function | " + " | ".join(shown) + " |",
            "| --- |" + " ---: |" * len(shown),
        ]
        for name in functions:
            for quantity in sorted(kept["backends"][names[0]]["rows"][name], key=lambda q: (q != "value", q)):
                title = (
                    f"`{name}`"
                    if quantity == "value"
                    else f"`{name}`, {quantity.replace('derivative ', 'derivative in argument ')}"
                )
                cells = [cell(kept["backends"][b], name, quantity, dtype, notes) for b in shown]
                lines.append(f"| {title} | " + " | ".join(cells) + " |")
        if notes:
            lines += ["", *(f"* {note}" for note in dict.fromkeys(notes))]
    return "\n".join(lines) + "\n"


def stale() -> list[str]:
    """Why the page is not that of today, if it is not."""
    kept = json.loads(KEPT.read_text())
    problems = []
    if PAGE.read_text() != page(kept):
        problems.append(f"{PAGE.name} is not made of {KEPT.name}; run {COMMAND} --page")
    if kept["digest"] != digest():
        problems.append(f"the definitions have changed since it was measured; run {COMMAND}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", action="append", help="only these; default: all that are here")
    parser.add_argument("--page", action="store_true", help="measure nothing")
    options = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"backends": {}}
    if not options.page:
        from multimlp.backend import is_installed

        for name in options.backend or [
            n for n in BACKENDS if n not in ("mxnet", "paddle") and is_installed(n)
        ]:
            kept["backends"][name] = measure(name)
        kept["digest"] = digest()
        KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(kept))


if __name__ == "__main__":
    main()
