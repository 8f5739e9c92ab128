"""Lesson pages and notebooks, made from the lessons and from the results of running them.

    python docs/lesson_pages.py            write docs/lessons/*.md and notebooks/*.ipynb
    python docs/lesson_pages.py --check    exit 1 if one of them is not what the lessons say
    python docs/lesson_pages.py --run      run the lessons that changed, for new results and outputs, then write

What is read in a lesson is ``multimlp/lessons/NAME.md``, what is drawn and measured ``NAME.py`` beside it. Here three things
of the text become what a page or a notebook shows: pictures; code for one library each, ```` ```python PyTorch ````, as
tabs or as cells; and the mark ``<!-- result -->``.

Results and outputs are kept in the repository, so that numbers and pictures are seen wherever a page or notebook is read.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from multimlp import backend, lessons

ROOT = Path(__file__).resolve().parent.parent
PAGES, NOTEBOOKS = ROOT / "docs" / "lessons", ROOT / "notebooks"
RESULTS = PAGES / "results"
COMMAND = "python docs/lesson_pages.py --run"
LIBRARIES = {
    "NumPy": "numpy", "PyTorch": "torch", "JAX": "jax", "TensorFlow": "tensorflow", "MXNet": "mxnet",
}  # fmt: skip
COMPARED = ("torch", "jax", "tensorflow")
"""Where the numbers of a lesson are compared with NumPy's; MXNet lives in an environment without pictures."""

CODE = re.compile(r"^```python (\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
"""Code for one library: its name, and the code."""
_TABS = re.compile(r"(?:^```python \w+\n(?:(?!```).*\n)*```\n\n?)+", re.MULTILINE)
_PICTURE = re.compile(r"^!\[.*\]\(results/\w+-(.*)\.svg\)\n", re.MULTILINE)
_MARK = "<!-- result -->\n"


def source(name: str) -> str:
    """The text of a lesson."""
    return lessons.text(name)


def program(name: str) -> str:
    """The code that draws and measures, without the docstring of its module."""
    return inspect.getsource(lessons.module(name)).partition("# %%\n")[2]


# ---- pages


def page(name: str) -> str:
    """The documentation page."""
    printed = printed_by(name)
    text = _TABS.sub(lambda found: tabs(found[0], printed), source(name)).replace(_MARK, outcome(name))
    return (
        f"<!-- Made by docs/lesson_pages.py from multimlp/lessons/{name}.md and {name}.py; edit those. -->\n\n"
        f"{text}\n## Code\n\n"
        f"[The lesson as a notebook](../../notebooks/{name}.ipynb). `multimlp lesson {name}` runs it in the terminal, "
        "with `--backend torch` on another library.\n\n"
        + folded(
            "The code of the pictures and numbers",
            "```python\n" + program(name).replace("# %%\n", "") + "```",
        )
    )


def folded(summary: str, text: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>\n"


def tabs(blocks: str, printed: dict[str, str]) -> str:
    """The same code for several libraries, one a tab, and what it prints; the choice holds for all pages."""
    items = ""
    for label, code in CODE.findall(blocks):
        items += f"::::{{tab-item}} {label}\n:sync: {LIBRARIES[label]}\n\n```python\n{code}```\n"
        if output := printed.get(code.strip("\n")):
            items += f"\n```text\n{output}```\n"
        items += "::::\n\n"
    return f":::::{{tab-set}}\n:sync-group: library\n\n{items}:::::\n\n"


def printed_by(name: str) -> dict[str, str]:
    """What each cell of the notebook printed, by its code."""
    return {
        "".join(cell["source"]): "".join(line for one in cell["outputs"] for line in one.get("text", ()))
        for cell in json.loads(notebook(name))["cells"]
        if cell["cell_type"] == "code"
    }


def outcome(name: str) -> str:
    """What running the lesson gave: its text, how far the libraries are apart, its numbers."""
    found = results(name)
    sentence, *tables = found["text"].split("\n\n")
    rows = [f"| {key.replace('|', '/')} | {value:.6g} |" for key, value in found["numbers"].items()]
    pieces = [
        f"## What came out\n\n{sentence}",
        *(f"```text\n{table}\n```" for table in tables),
        f"The numbers of this lesson were computed with {', '.join(found['compared'])}, too, all in float64. None differs from NumPy's "
        f"by more than **{as_shown(found['difference'])}**.",
        folded("All numbers, on NumPy", "\n".join(["| number | value |", "| --- | ---: |", *rows])),
    ]
    return "\n\n".join(pieces)


def as_shown(difference: float) -> str:
    return f"{difference:.1e}" if difference else "0"


# ---- results


def results(name: str) -> dict[str, Any]:
    """What ``--run`` kept of a lesson: text, numbers, names of figures, difference of the libraries, digest of the code."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {"text": "", "figures": [], "numbers": {}, "compared": [], "difference": 0.0, "code": ""}
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def digest(name: str) -> str:
    """Of the code of a lesson; its text may change without another result."""
    return hashlib.sha256(program(name).encode()).hexdigest()[:16]


def write_results(name: str) -> None:
    """Run a lesson on NumPy, keep its text, numbers and pictures; on the other libraries, keep the largest difference."""
    found = lessons.run(name, "numpy")
    for old in RESULTS.glob(f"{name}-*.svg"):
        old.unlink()
    found.save(RESULTS, name, kinds=("svg",))
    others = [other for other in COMPARED if backend.is_installed(other)]
    differences = [
        abs(value - found.numbers[key]) / max(1.0, abs(found.numbers[key]))
        for other in others
        for key, value in lessons.run(name, other).numbers.items()
    ]
    kept = {
        "code": digest(name),
        "text": found.text,
        "figures": list(found.figures),
        "numbers": {key: float(f"{value:.6g}") for key, value in found.numbers.items()},
        "compared": [label for label, one in LIBRARIES.items() if one in others],
        "difference": float(f"{max(differences):.1e}"),
    }
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


# ---- notebooks

SETUP = """\
# In a notebook on the web, what is missing is installed first. Until the package index has multimlp, install it from a clone
# of its repository: %pip install './multimlp[plot,data]'
import importlib.util

if importlib.util.find_spec("multimlp") is None:
    %pip install -q "multimlp[plot,data]"
%matplotlib inline

from multimlp import lessons

result = lessons.run("{name}", "numpy")  # or "torch", "jax", "tensorflow"
"""


def cells(name: str) -> list[dict[str, Any]]:
    """The cells of the notebook, without outputs: the text, its pictures and code as cells that run."""
    made: list[dict[str, Any]] = []

    def add(kind: str, text: str, *tags: str) -> None:
        if text := text.strip("\n"):
            identity = hashlib.sha256(f"{name} {len(made)}".encode()).hexdigest()[:12]
            entry: dict[str, Any] = {
                "cell_type": kind, "id": identity, "metadata": {"tags": list(tags)} if tags else {},
                "source": text.splitlines(keepends=True),
            }  # fmt: skip
            made.append(entry | ({"execution_count": None, "outputs": []} if kind == "code" else {}))

    replacements: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], None]], ...] = (
        (_PICTURE, lambda found: add("code", f'result.figures["{found[1]}"]')),
        (CODE, lambda found: add_library(found[1], found[2])),
        (re.compile(re.escape(_MARK)), lambda found: add("code", "print(result.text)")),
    )

    def add_library(label: str, code: str) -> None:
        if label == "MXNet":  # which is not on Colab
            add("markdown", f"MXNet, in an environment of its own:\n\n```python\n{code}```")
        else:
            add("code", code, LIBRARIES[label])

    title, question, text = source(name).split("\n\n", 2)
    text = text.replace(".md)", ".ipynb)")  # links to other lessons
    add("markdown", f"{title}\n\n{question}")
    add("code", SETUP.format(name=name))
    place = 0
    found = [(match, act) for pattern, act in replacements for match in pattern.finditer(text)]
    for match, act in sorted(found, key=lambda pair: pair[0].start()):
        add("markdown", text[place : match.start()])
        act(match)
        place = match.end()
    add("markdown", text[place:])
    add(
        "markdown",
        "## Code\n\nThe code of the pictures and numbers, to be changed: the last cell runs what stands here.",
    )
    for piece in program(name).split("# %%\n"):
        add("code", piece)
    add("code", 'run("numpy").numbers')
    return made


def notebook(name: str) -> str:
    """The notebook, with the outputs that are kept of cells that are still the same."""
    path = NOTEBOOKS / f"{name}.ipynb"
    before = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else []
    kept = {"".join(cell["source"]): cell for cell in before if cell["cell_type"] == "code"}
    made = cells(name)
    for cell in made:
        if cell["cell_type"] == "code" and (old := kept.get("".join(cell["source"]))):
            cell |= {key: old[key] for key in ("execution_count", "outputs")}
    return as_notebook(made)


def as_notebook(made: list[dict[str, Any]]) -> str:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def executed(name: str, without: frozenset[str] = frozenset()) -> str:
    """The notebook as a kernel of this interpreter runs it, cell by cell; cells of some libraries may be left out."""
    import nbclient
    import nbformat

    made = [cell for cell in cells(name) if not without & set(cell["metadata"].get("tags", ()))]
    whole = nbformat.reads(as_notebook(made), as_version=4)
    with tempfile.TemporaryDirectory() as elsewhere:  # what is installed runs, not what lies in this folder
        place = {"metadata": {"path": elsewhere}}
        nbclient.NotebookClient(whole, timeout=600, kernel_name="python3", resources=place).execute()
    for cell, ran in zip(made, whole.cells, strict=True):
        if cell["cell_type"] == "code":
            cell["execution_count"] = ran.execution_count
            cell["outputs"] = [
                one for one in ran.outputs if one.get("name") != "stderr"
            ]  # what libraries say of themselves
    text = as_notebook(made)
    return re.sub(r"(<Figure|at) (0x[0-9a-f]+)", r"\1 0x0", text)


# ---- all


def generated() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    files = {}
    for name in lessons.names():
        files[PAGES / f"{name}.md"] = page(name)
        files[NOTEBOOKS / f"{name}.ipynb"] = notebook(name)
    return files


def stale() -> list[Path]:
    """The generated files that are missing or are not what the lessons say, results of other code, cells that did not run."""
    pages = [
        path for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]  # fmt: skip
    not_run = [NOTEBOOKS / f"{name}.ipynb" for name in lessons.names() if not has_run(name)]
    old = [RESULTS / f"{name}.json" for name in lessons.names() if not current(name)]
    return list(dict.fromkeys([*pages, *not_run, *old]))


def current(name: str) -> bool:
    """Whether the kept results are of the lesson's code, with all their pictures."""
    found = results(name)
    pictures = [RESULTS / f"{name}-{key}.svg" for key in found["figures"]]
    return found["code"] == digest(name) and all(picture.exists() for picture in pictures)


def has_run(name: str) -> bool:
    """Whether all cells of the notebook have run."""
    return all(cell.get("execution_count", 1) for cell in json.loads(notebook(name))["cells"])


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


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
        for name in lessons.names():
            if not current(name):
                print(f"running the lesson {name}", flush=True)
                write_results(name)
            if not has_run(name):
                print(f"running the notebook {name}", flush=True)
                write(NOTEBOOKS / f"{name}.ipynb", executed(name))
    for path, text in generated().items():
        write(path, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
