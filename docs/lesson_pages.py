"""Lesson pages and notebooks, made from the lessons' modules; and the results that the pages show.

    python docs/lesson_pages.py            write docs/lessons/*.md and notebooks/*.ipynb
    python docs/lesson_pages.py --check    exit 1 if one of them is not what the modules say
    python docs/lesson_pages.py --run      run every lesson and write docs/lessons/results (the build does it)

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
from typing import NamedTuple

from multimlp import lessons

ROOT = Path(__file__).resolve().parent.parent
PAGES, NOTEBOOKS = ROOT / "docs" / "lessons", ROOT / "notebooks"
RESULTS = PAGES / "results"
_MARK = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)
_SEED = "multimlp"


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
        "On NumPy it gives:\n\n"
        f"```{{include}} results/{name}.md\n```\n\n"
        f"The same lesson as a notebook: `notebooks/{name}.ipynb`."
    )
    return "\n\n".join(parts) + "\n"


def notebook(name: str) -> str:
    """The notebook, without outputs; its last cell runs the lesson."""
    content = [*cells(source(name)), Cell("code", 'run("numpy")  # or "torch", "jax", "tensorflow"')]
    made = []
    for number, cell in enumerate(content):
        digest = hashlib.sha256(f"{_SEED} {name} {number}".encode()).hexdigest()[:12]
        entry: dict[str, object] = {
            "cell_type": cell.kind, "id": digest, "metadata": {},
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
    """The generated files that are missing or are not what the modules say."""
    return [
        path for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]  # fmt: skip


def write_results(name: str) -> None:
    """Run a lesson on NumPy and write its text, numbers and pictures."""
    result = lessons.run(name, "numpy")
    result.save(RESULTS, name)
    rows = "\n".join(f"| {key.replace('|', '/')} | {value:.6g} |" for key, value in result.numbers.items())
    sentence, *tables = result.text.split("\n\n")
    lines = [sentence, *(f"```text\n{table}\n```" for table in tables)]
    lines += [f"![{name}, {key}](results/{name}-{key}.svg)" for key in result.figures]
    lines.append(f"| number | value |\n| --- | --- |\n{rows}")
    (RESULTS / f"{name}.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def run_all() -> None:
    """Run the lessons whose results are older than the package."""
    package = ROOT / "multimlp"
    newest = max(path.stat().st_mtime for path in package.rglob("*.py"))
    for name in lessons.names():
        done = RESULTS / f"{name}.md"
        if not done.exists() or done.stat().st_mtime < newest:
            print(f"running the lesson {name}", flush=True)
            write_results(name)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--run", action="store_true")
    args = parser.parse_args()
    if args.check:
        for path in stale():
            print(f"{path.relative_to(ROOT)} is stale; run python docs/lesson_pages.py", file=sys.stderr)
        return 1 if stale() else 0
    if args.run:
        run_all()
        return 0
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
