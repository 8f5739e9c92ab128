"""Lesson pages and notebooks, made from the lessons' modules and from the results of running them.

    python docs/lesson_pages.py            write docs/lessons/*.md and notebooks/*.ipynb
    python docs/lesson_pages.py --check    exit 1 if one of them is not what modules and results say
    python docs/lesson_pages.py --run      run the lessons that changed for new results and pictures, then write

The results are kept in the repository, so that a page shows its numbers and pictures wherever it is read.

A module is cut at its cell marks: ``# %% [markdown]`` begins text, ``# %%`` code.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from multimlp import lessons

ROOT = Path(__file__).resolve().parent.parent
PAGES, NOTEBOOKS = ROOT / "docs" / "lessons", ROOT / "notebooks"
RESULTS = PAGES / "results"
_MARK = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)
_SEED = "multimlp"
COMMAND = "python docs/lesson_pages.py --run"


class Cell(NamedTuple):
    """A piece of a lesson: ``"markdown"`` or ``"code"``."""

    kind: str
    text: str


def cells(source: str) -> list[Cell]:
    """The cells of a module; what stands before the first mark, its docstring, is left out."""
    pieces = _MARK.split(source)[1:]
    found = []
    for mark, text in zip(pieces[::2], pieces[1::2], strict=True):
        if mark:
            lines = [line.removeprefix("#").removeprefix(" ") for line in text.strip().splitlines()]
            found.append(Cell("markdown", "\n".join(lines)))
        else:
            found.append(Cell("code", text.strip("\n").rstrip()))
    return found


def source(name: str) -> str:
    """The text of a lesson's module."""
    return inspect.getsource(lessons.module(name))


def page(name: str) -> str:
    """The documentation page."""
    parts = [f"<!-- Made by docs/lesson_pages.py from multimlp/lessons/{name}.py; edit that. -->"]
    parts += [
        cell.text if cell.kind == "markdown" else f"```python\n{cell.text}\n```"
        for cell in cells(source(name))
    ]
    parts.append(
        "## The result\n\n"
        f"`multimlp lesson {name}` runs this lesson, with `--backend torch` on another library. "
        "On NumPy it gives:"
    )
    parts += outcome(name)
    parts.append(f"The same lesson as a notebook: `notebooks/{name}.ipynb`.")
    return "\n\n".join(parts) + "\n"


def outcome(name: str) -> list[str]:
    """What running the lesson gave: its text, its pictures and its numbers."""
    found = results(name)
    sentence, *tables = found["text"].split("\n\n")
    lines = [sentence, *(f"```text\n{table}\n```" for table in tables)]
    lines += [
        f"![{lessons.title(name)}: {key.replace('-', ' ')}](results/{name}-{key}.svg)"
        for key in found["figures"]
    ]
    rows = [f"| {key.replace('|', '/')} | {value:.6g} |" for key, value in found["numbers"].items()]
    return [*lines, "\n".join(["| number | value |", "| --- | ---: |", *rows])]


def results(name: str) -> dict[str, Any]:
    """What ``--run`` kept of a lesson: its text, numbers, names of figures, and a digest of its code."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {"text": "", "figures": [], "numbers": {}, "code": ""}
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def digest(name: str) -> str:
    """Of the code of a lesson; its text may change without another result."""
    code = "\n".join(cell.text for cell in cells(source(name)) if cell.kind == "code")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def notebook(name: str) -> str:
    """The notebook, without outputs; its last cell runs the lesson."""
    content = [*cells(source(name)), Cell("code", 'run("numpy")  # or "torch", "jax", "tensorflow"')]
    made = []
    for number, cell in enumerate(content):
        identity = hashlib.sha256(f"{_SEED} {name} {number}".encode()).hexdigest()[:12]
        entry: dict[str, object] = {
            "cell_type": cell.kind, "id": identity, "metadata": {},
            "source": cell.text.splitlines(keepends=True),
        }  # fmt: skip
        if cell.kind == "code":
            entry |= {"execution_count": None, "outputs": []}
        made.append(entry)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole: dict[str, object] = {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def generated() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    files = {}
    for name in lessons.names():
        files[PAGES / f"{name}.md"] = page(name)
        files[NOTEBOOKS / f"{name}.ipynb"] = notebook(name)
    return files


def stale() -> list[Path]:
    """The generated files that are missing or are not what the modules say, and results of other code."""
    pages = [
        path for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]  # fmt: skip
    return pages + [RESULTS / f"{name}.json" for name in lessons.names() if not current(name)]


def current(name: str) -> bool:
    """Whether the kept results are of the lesson's code, with all their pictures."""
    found = results(name)
    pictures = [RESULTS / f"{name}-{key}.svg" for key in found["figures"]]
    return found["code"] == digest(name) and all(picture.exists() for picture in pictures)


def write_results(name: str) -> None:
    """Run a lesson on NumPy and keep its text, numbers and pictures."""
    found = lessons.run(name, "numpy")
    for old in RESULTS.glob(f"{name}-*.svg"):
        old.unlink()
    found.save(RESULTS, name, kinds=("svg",))
    kept = {
        "code": digest(name),
        "text": found.text,
        "figures": list(found.figures),
        "numbers": {key: float(f"{value:.6g}") for key, value in found.numbers.items()},
    }
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--run", action="store_true")
    args = parser.parse_args()
    if args.check:
        old = stale()
        for path in old:
            print(f"{path.relative_to(ROOT)} is stale; run {COMMAND}", file=sys.stderr)
        return 1 if old else 0
    if args.run:
        for name in (name for name in lessons.names() if not current(name)):
            print(f"running the lesson {name}", flush=True)
            write_results(name)
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
