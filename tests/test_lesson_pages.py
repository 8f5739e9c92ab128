"""The pages and notebooks of the lessons: current, complete, and the notebooks run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

import lesson_pages

from multimlp import lessons
from multimlp.backend import is_installed

ROOT = Path(__file__).resolve().parent.parent
MISSING = frozenset(name for name in lesson_pages.COMPARED if not is_installed(name))


def test_pages_and_notebooks_say_what_the_lessons_say():
    assert lesson_pages.stale() == [], f"run {lesson_pages.COMMAND}"


def test_a_changed_text_makes_them_stale(monkeypatch):
    changed = lesson_pages.source("collapse").replace("useless", "useful")
    original = lesson_pages.source
    monkeypatch.setattr(
        lesson_pages, "source", lambda name: changed if name == "collapse" else original(name)
    )
    assert [path.name for path in lesson_pages.stale()] == ["collapse.md", "collapse.ipynb"]


def test_a_changed_cell_has_not_run(monkeypatch):
    changed = lesson_pages.source("collapse").replace("svdvals(W)[:4]", "svdvals(W)[:3]")
    monkeypatch.setattr(lesson_pages, "source", lambda name: changed)
    assert not lesson_pages.has_run("collapse")


def test_results_of_other_code_and_missing_pictures_are_stale(monkeypatch, tmp_path):
    for kept in lesson_pages.RESULTS.iterdir():
        (tmp_path / kept.name).symlink_to(kept)
    monkeypatch.setattr(lesson_pages, "RESULTS", tmp_path)
    assert lesson_pages.stale() == []
    (tmp_path / "collapse-singular-values.svg").unlink()
    assert [path.name for path in lesson_pages.stale()] == ["collapse.json"]
    changed = lesson_pages.program("derivatives").replace("loc=", "location=")
    original = lesson_pages.program
    monkeypatch.setattr(
        lesson_pages, "program", lambda name: changed if name == "derivatives" else original(name)
    )
    assert "derivatives.json" in [path.name for path in lesson_pages.stale()]


@pytest.mark.parametrize("name", lessons.names())
def test_the_numbers_and_pictures_on_a_page_are_what_the_lesson_gives(name):
    if name == "from_scratch":
        pytest.importorskip("sklearn")
    options = {"backends": ["numpy"]} if name == "activation_functions" else {}
    found = lessons.run(name, "numpy", **options)
    kept, shown = lesson_pages.results(name), lesson_pages.page(name)
    assert list(found.figures) == kept["figures"]
    assert sorted(re.findall(rf"\(results/{name}-(.*)\.svg\)", shown)) == sorted(kept["figures"])
    for key, value in found.numbers.items():
        if key != "largest error / eps":  # of all libraries here
            assert kept["numbers"][key] == pytest.approx(value, rel=1e-4, abs=1e-9), key
        assert f"| {key} | {kept['numbers'][key]:.6g} |" in shown
    assert kept["compared"] == ["PyTorch", "JAX", "TensorFlow"]
    assert kept["difference"] < 1e-9
    assert f"**{lesson_pages.as_shown(kept['difference'])}**" in shown


@pytest.mark.parametrize("name", lessons.names())
def test_a_page_asks_shows_explains_and_lets_the_reader_try(name):
    text = lessons.text(name)
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    assert headings[0] == lessons.title(name)
    wanted = ["What to see", "Formula", "In a few lines", "Exercises"]
    assert [heading for heading in headings[1:] if heading in wanted] == wanted
    first_picture, first_code = text.index("!["), text.index("```")
    assert text.index("?") < first_picture < text.index("## What to see") < text.index("$$") < first_code
    assert text.index("<!-- result -->") < text.index("## Formula")
    exercises = text.partition("## Exercises")[2]
    numbers = re.findall(r"^\*\*(\d)\.\*\* ", exercises, flags=re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert 3 <= len(numbers) <= 5
    assert exercises.count("<summary>Answer</summary>") == exercises.count("</details>") == len(numbers)


@pytest.mark.parametrize("name", lessons.names())
def test_what_the_terminal_shows_of_a_text_is_plain(name):
    question, points = lessons.question(name), lessons.what_to_see(name)
    assert question.count("?") >= 1
    assert len(points) >= 2
    for sentence in (question, *points):
        assert not re.search(r"[$\\`\[\]\n]|\*\*", sentence), sentence


def test_the_list_of_lessons_is_complete():
    """Links beside the hidden toctree, because a hosted page shows no toctree; the tables name each lesson."""
    text = (ROOT / "docs" / "lessons" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\d+\. \[(.*?)\]\((\w+)\.md\): ", text, flags=re.MULTILINE)
    assert listed == [(lessons.title(name), name) for name in lessons.names()]
    in_tables = re.findall(r"\[([^\]]*)\]\((\w+)\.md\)", text.partition("## For teachers")[2])
    assert set(in_tables) == set(listed)


# ---- notebooks


@pytest.mark.parametrize("name", lessons.names())
def test_a_notebook_has_all_outputs_and_is_light(name):
    nbformat = pytest.importorskip("nbformat")
    path = ROOT / "notebooks" / f"{name}.ipynb"
    assert path.stat().st_size < 400_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "%pip install" in code[0].source
    for cell in code:
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        assert "error" not in {output.output_type for output in cell.outputs}
        if cell.source.startswith("result.figures"):
            assert "image/png" in kinds, cell.source
        elif cell.source.startswith("print") or cell.metadata.get("tags"):
            assert cell.outputs, cell.source
    assert f"`{lessons.title(name)}`" not in notebook.cells[0].source
    assert notebook.cells[0].source.startswith(f"# {lessons.title(name)}")


def run_and_compare(name, without):
    """Run by a kernel, cell by cell, a notebook prints and draws what is kept in it."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    kept = {
        "".join(cell["source"]): cell["outputs"]
        for cell in json.loads(lesson_pages.notebook(name))["cells"]
        if cell["cell_type"] == "code"
    }
    for cell in json.loads(lesson_pages.executed(name, without))["cells"]:
        if cell["cell_type"] == "code":
            before = kept["".join(cell["source"])]
            assert [one["output_type"] for one in cell["outputs"]] == [one["output_type"] for one in before]


def test_a_notebook_runs_in_a_kernel():
    run_and_compare("hidden_layers", frozenset(lesson_pages.COMPARED))


@pytest.mark.slow
@pytest.mark.parametrize("name", lessons.names())
def test_all_notebooks_run_in_a_kernel(name):
    if name == "from_scratch":
        pytest.importorskip("sklearn")
    run_and_compare(name, MISSING)
