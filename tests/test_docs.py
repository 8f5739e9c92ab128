"""The documentation: generated pages and notebooks are current, the guide's code runs, the site builds."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from multimlp import lessons
from multimlp.backend import BUILTIN

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs" / "lessons").glob("*.md"))
GUIDE = [
    *sorted((ROOT / "docs" / "guide").glob("*.md")),
    ROOT / "docs" / "parity.md",
    ROOT / "docs" / "index.md",
]


@pytest.fixture(scope="module")
def lesson_pages():
    spec = importlib.util.spec_from_file_location("lesson_pages", ROOT / "docs" / "lesson_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_and_notebooks_say_what_the_modules_say(lesson_pages):
    assert lesson_pages.stale() == [], f"run {lesson_pages.COMMAND}"


def test_a_changed_module_makes_them_stale(lesson_pages, monkeypatch):
    changed = lesson_pages.source("collapse").replace("useless", "useful")
    original = lesson_pages.source
    monkeypatch.setattr(
        lesson_pages, "source", lambda name: changed if name == "collapse" else original(name)
    )
    stale = [path.name for path in lesson_pages.stale()]
    assert stale == ["collapse.md", "collapse.ipynb"]


def test_results_of_other_code_and_missing_pictures_are_stale(lesson_pages, monkeypatch, tmp_path):
    for kept in lesson_pages.RESULTS.iterdir():
        (tmp_path / kept.name).symlink_to(kept)
    monkeypatch.setattr(lesson_pages, "RESULTS", tmp_path)
    assert lesson_pages.stale() == []
    (tmp_path / "collapse-singular-values.svg").unlink()
    assert [path.name for path in lesson_pages.stale()] == ["collapse.json"]
    changed = lesson_pages.source("derivatives").replace("loc=", "location=")
    original = lesson_pages.source
    monkeypatch.setattr(
        lesson_pages, "source", lambda name: changed if name == "derivatives" else original(name)
    )
    assert "derivatives.json" in [path.name for path in lesson_pages.stale()]


@pytest.mark.parametrize("name", lessons.names())
def test_the_numbers_and_pictures_on_a_page_are_what_the_lesson_gives(lesson_pages, name):
    if name == "from_scratch":
        pytest.importorskip("sklearn")
    options = {"backends": ["numpy"]} if name == "activation_functions" else {}
    found = lessons.run(name, "numpy", **options)
    kept = lesson_pages.results(name)
    shown = lesson_pages.page(name)
    assert list(found.figures) == kept["figures"]
    for key in kept["figures"]:
        assert f"(results/{name}-{key}.svg)" in shown
    for key, value in found.numbers.items():
        assert kept["numbers"][key] == pytest.approx(value, rel=1e-4, abs=1e-9), key
        assert f"| {key} | {kept['numbers'][key]:.6g} |" in shown


@pytest.mark.parametrize("path", [*PAGES, *GUIDE], ids=lambda path: path.name)
def test_formulas_are_readable_where_the_repository_is_hosted_too(path):
    """There Markdown unescapes before the formula is set, and some macros are refused."""
    text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for formula in re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", text, flags=re.DOTALL):
        assert not re.search(r"\\[^A-Za-z\n]|\\operatorname|\\DeclareMathOperator", "".join(formula)), formula


@pytest.mark.parametrize("name", lessons.names())
def test_a_page_has_a_title_a_formula_the_code_and_what_to_look_at(lesson_pages, name):
    text = lesson_pages.page(name)
    headings = re.findall(r"^#+ .*$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    assert headings[0] == f"# {lessons.title(name)}"
    assert "## What to look at" in headings
    assert headings[-1] == "## The result"
    assert text.count("$$") >= 2
    assert text.count("$$") % 2 == 0
    assert re.search(r"@lesson\ndef run\(\s*backend: Backend", text)


@pytest.mark.parametrize("name", lessons.names())
def test_all_of_a_module_is_in_its_page(lesson_pages, name):
    """Cutting into cells loses nothing but the docstring and the marks."""
    code = "\n".join(
        cell.text for cell in lesson_pages.cells(lesson_pages.source(name)) if cell.kind == "code"
    )
    lines = [line for line in lesson_pages.source(name).splitlines() if line and not line.startswith("#")]
    assert [line for line in code.splitlines() if line and not line.startswith("#")] == lines[1:]


def test_the_list_of_lessons_is_complete():
    """Links beside the hidden toctree, because a hosted page shows no toctree."""
    text = (ROOT / "docs" / "lessons" / "index.md").read_text(encoding="utf-8")
    links = re.findall(r"^\* \[(.*)\]\((.*)\.md\)$", text, flags=re.MULTILINE)
    assert links == [(lessons.title(name), name) for name in lessons.names()]


@pytest.mark.parametrize("name", lessons.names())
def test_notebooks_are_valid(lesson_pages, name):
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.reads(lesson_pages.notebook(name), as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[-1].source.startswith('run("numpy")')


@pytest.mark.parametrize("name", ["hidden_layers", "collapse", "derivatives"])
def test_a_notebook_runs_by_itself(name):
    """Its cells in one fresh namespace, as a kernel runs them, with no help of the module."""
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    namespace = {"__name__": "__main__"}
    *cells, last = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        exec(cell, namespace)
    assert eval(last, namespace).numbers == lessons.run(name, "numpy").numbers


CLUSTERS = re.compile(r"^(import ray|from dask|shapes\.)", flags=re.MULTILINE)
"""Code of the guide that starts processes."""


@pytest.mark.parametrize("path", GUIDE, ids=lambda path: path.name)
def test_the_code_in_the_guide_runs(path, tmp_path, monkeypatch):
    text = path.read_text(encoding="utf-8")
    for name in BUILTIN:
        if f'backend="{name}"' in "".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)):
            pytest.importorskip(BUILTIN[name].module)
    monkeypatch.chdir(tmp_path)
    for file in (path.parent / path.stem).glob("*"):  # what a page speaks of
        shutil.copy(file, tmp_path)
    namespace = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        if not CLUSTERS.search(block):
            exec(block, namespace)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dask", "ray"])
def test_the_code_in_the_guide_runs_on_a_local_cluster(name, tmp_path):
    pytest.importorskip("distributed" if name == "dask" else name)
    text = (ROOT / "docs" / "guide" / "many-models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    other = {"dask": "import ray", "ray": "from dask"}[name]
    needed = [block for block in blocks if other not in block and "mm.sweep" not in block]
    assert any(CLUSTERS.search(block) for block in needed)
    script = tmp_path / "page.py"
    body = "".join(f"    {line}\n" if line else "\n" for block in needed for line in block.splitlines())
    script.write_text(
        f"if __name__ == '__main__':\n{body}    print('fitted', len(shapes.cv_results_['params']))\n"
    )
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "MULTIMLP_BACKEND": "numpy",
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "fitted 4" in done.stdout


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "docs", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in lessons.names():
        html = (tmp_path / "lessons" / f"{name}.html").read_text(encoding="utf-8")
        assert "<img" in html
