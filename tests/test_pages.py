"""README and documentation as they are written: links, pictures, code, numbers. `tests/test_site.py` looks at the site made of them."""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import re
import shlex
import tomllib
from importlib import import_module

import front_picture
import gallery_pictures
import numpy as np
import pages
import pytest
from pages import CODE, DOCS, ELSEWHERE, PAGES, README, ROOT

import multimlp
from multimlp.cli import COMMANDS, Parser


@pytest.mark.parametrize("path", PAGES, ids=pages.name)
def test_links_and_pictures_lead_somewhere(path):
    for link in pages.links(path):
        target, _, anchor = link.target.partition("#")
        if re.match(r"https?:|mailto:", link.target):
            assert not link.is_picture, f"a picture from elsewhere: {link.target}"
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), link.target
        assert not link.is_picture or link.text, f"{link.target} has no words for those who do not see it"
        if anchor:
            assert anchor in pages.anchors(there), link.target


@pytest.mark.parametrize("path", PAGES, ids=pages.name)
def test_nothing_is_loaded_from_elsewhere(path):
    assert not re.search(r"<(script|link|img|iframe)\b", pages.prose(path))


def test_nor_by_the_site():
    """Neither by its settings nor by what it adds to the theme's styles."""
    for path in (DOCS / "conf.py", *(DOCS / "_static").iterdir()):
        assert not re.search(r"https?://", pages.text(path)), path.name


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("[a](missing.md)", True),
        ("[a](page.md#no-such)", True),
        ("![a](https://host/picture.png)", True),
        ("![](page.md)", True),
        ("`[a](missing.md)`", False),
        ("```\n[a](missing.md)\n```", False),
        ("[a](page.md#a-title-with-code) and [b](#a-title-with-code-1)", False),
        ("[a [b] c](https://host/page)", False),
    ],
)
def test_bad_links_are_seen(tmp_path, written, problem):
    page = tmp_path / "page.md"
    page.write_text(f"# A title, with `code`\n\n## A title with code\n\n{written}\n")
    if problem:
        with pytest.raises(AssertionError):
            test_links_and_pictures_lead_somewhere(page)
    else:
        test_links_and_pictures_lead_somewhere(page)


def test_code_is_run():
    """All Python of all pages: here, in the test that is named, or as the module of a lesson; ``py`` is what others' programs held."""
    for path in PAGES:
        known = {"python", "pycon", "console", "text", "toml", "diff", "py", ""}
        for block in pages.blocks(path):
            assert block.language in known or block.language.startswith("{"), block.language
    for page, test in ELSEWHERE.items():
        assert (ROOT / page).name in pages.text(ROOT / "tests" / test)
    assert {pages.name(path) for path in CODE} >= {"README.md", "docs/index.md", "docs/guide/start.md"}


@pytest.mark.parametrize("path", sorted((DOCS / "api").glob("*.rst")), ids=lambda path: path.name)
def test_reference_pages_have_no_code_of_their_own(path):
    """What they show are docstrings, whose examples `test_doctests.py` runs."""
    assert not re.search(
        r"code-block|::$|>>>", re.sub(r"^\.\. .*::.*$", "", pages.text(path), flags=re.MULTILINE)
    )


def _commands(path):
    """The lines of consoles, and what stands between backticks, without comments; one command each."""
    shown = [line for block in pages.blocks(path, "console") for line in block.text.splitlines()]
    shown += re.findall(r"`((?:multimlp|make|pip install) [^`]+)`", pages.prose(path))
    for line in shown:
        for command in re.split(r"&&|;| & ", re.sub(r"(^|\s)#.*", "", line).removesuffix("&")):
            yield command.strip()


@pytest.mark.parametrize("path", PAGES[:2] + PAGES[3:], ids=pages.name)
def test_commands_exist(path):
    extras = tomllib.loads(pages.text(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    targets = re.findall(r"^([\w-]+):", pages.text(ROOT / "Makefile"), flags=re.MULTILINE)
    for command in _commands(path):
        if command.startswith("make "):
            assert command.split()[1] in targets, command
        for names in re.findall(r"pip install .*'(?:multimlp|\.)\[(.*?)\]'", command):
            assert set(names.split(",")) <= {*extras, "NAMES"}, command
        if found := re.match(r"(?:[A-Z_]+=\S+ )*multimlp (?!COMMAND)([a-z].*)", command):
            words = shlex.split(found[1].partition(">")[0])
            assert words[0] in COMMANDS, command
            parser = Parser(allow_abbrev=False)
            import_module(COMMANDS[words[0]].module).add_arguments(parser)
            options = {word for action in parser._actions for word in action.option_strings}
            assert {word for word in words if word.startswith("--")} <= options, command


def test_the_readme_is_short_and_its_commands_are_those_of_ci():
    assert len(pages.text(README).splitlines()) <= 110
    assert [command.split()[:2] for command in _commands(README)][:2] == [["make", "demo"], ["make", "test"]]
    assert "make test\n" in pages.text(ROOT / ".ci" / "run")


def ratio(case, backend, column="hand-written loop"):
    """A ratio, or a percentage, of the table of training."""
    steps = pages.table(DOCS / "benchmarks.md", "Training: time of a step")
    (row,) = [r for r in steps if f": {case}," in r["case"] and r["backend"] == backend]
    return float(re.match(r"[\d.]+", row[column])[0])


def test_the_readme_quotes_what_the_pages_say():
    readme = " ".join(pages.text(README).split())
    parity = pages.text(DOCS / "parity.md")
    functions, comparisons = re.search(r"compared (\d+) functions .*?: (\d+) comparisons", parity).groups()
    assert f"{comparisons} comparisons of {functions} functions" in readme
    of_gelu = parity[parity.index("eps max(1, |reference|), float64:") :]
    values = re.search(r"^\| gelu \|(.*)$", of_gelu, flags=re.MULTILINE)[1]
    worst = max(float(found) for found in re.findall(r"([\d.]+) / ", values))
    assert f"`gelu` in float64 is within {worst} eps" in readme

    without = ratio("8-16-2", "torch") / ratio("8-16-2", "torch", "multimlp without Numba")
    assert f"{ratio('8-16-2', 'torch'):.0f} times faster on torch for 8-16-2" in readme
    assert f"{without:.0f} times without" in readme
    assert f"{ratio('784-256-10', 'numpy'):.1f} times on NumPy for 784-256-10" in readme
    assert 0.95 < ratio("1024-4096-4096-10", "jax") < 1.1
    share = ratio("1024-4096-4096-10", "jax", "matrix products alone")
    assert (
        f"as fast on JAX for 1024-4096-4096-10, where the matrix products take {share:.0f} % of the time"
        in readme
    )


def test_what_to_expect_is_what_was_measured():
    page = " ".join(pages.text(DOCS / "benchmarks.md").split())
    tiny, wide = "8-16-2", "1024-4096-4096-10"
    without = {
        name: ratio(tiny, name, column) / ratio(tiny, name, "multimlp without Numba")
        for name, column in (("torch", "hand-written loop"), ("numpy", "scikit-learn"))
    }
    assert (
        f"1/{ratio(tiny, 'torch'):.0f} of the time of the usual loop on torch (1/{without['torch']:.0f} without Numba)"
        in page
    )
    assert f"1/{ratio(tiny, 'tensorflow'):.0f} on TensorFlow, 1/{ratio(tiny, 'jax'):.0f} on JAX" in page
    of_sklearn = f"1/{ratio(tiny, 'numpy', 'scikit-learn'):.0f} of scikit-learn's on NumPy"
    assert f"{of_sklearn} (1/{without['numpy']:.0f} without Numba)" in page
    shares = [ratio(wide, name, "matrix products alone") for name in ("numpy", "torch", "jax", "tensorflow")]
    assert f"({min(shares):.0f} to {max(shares):.0f} % of the time of {wide})" in page
    loops = [f"{ratio(wide, name):.2g}" for name in ("tensorflow", "torch", "numpy")]
    assert (
        "the usual loops {} times our time on TensorFlow, {:.3g} on JAX, {} on torch and {} on NumPy".format(
            loops[0], ratio(wide, "jax"), *loops[1:]
        )
        in page
    )


def test_terms_are_explained_where_they_stand_first():
    readme = pages.text(README)
    for term, explained in (
        ("a tape", "a record of the calls"),
        ("eps", "the distance from 1 to the next number"),
        ("in place", "writing into the same memory"),
    ):
        first = re.search(rf"\b{term}\b", readme).start()
        assert explained in " ".join(readme[first : first + 200].split()), term


def test_every_door_is_two_clicks_from_a_first_task():
    """One to the page, and one more where that is a list of pages."""
    index = pages.text(DOCS / "index.md")
    doors = re.findall(r"^\[\*\*(I .*?)\*\* .*\]\((.*)\)$", index[index.index("doors") :], flags=re.MULTILINE)
    assert len(doors) == 6
    for _, target in doors:
        page = DOCS / target
        further = [page.parent / link.target for link in pages.links(page) if link.target.endswith(".md")]
        assert pages.code(page) or all(pages.code(other) for other in further), target


def test_the_list_of_the_guide_is_complete():
    """Links beside the hidden toctree, because a hosted page shows no toctree."""
    index = DOCS / "guide" / "index.md"
    (tree,) = pages.blocks(index, "{toctree}")
    listed = tree.text.split("\n\n")[1].split()
    assert listed == [link.target.removesuffix(".md") for link in pages.links(index)]
    assert sorted(listed) == sorted(path.stem for path in index.parent.glob("*.md") if path != index)


TABLES = {
    "names": ("activations", "losses", "optimizers", "schedules", "initializers", "regularizers"),
    "blocks": ("blocks",),
    "data": ("data",),
    "training": ("metrics",),
}
"""Pages of the guide, and the modules of whose tables they show every name."""


@pytest.mark.parametrize(
    ("page", "module"), [(page, module) for page, modules in TABLES.items() for module in modules]
)
def test_tables_of_the_guide_show_every_name(page, module):
    shown = set(re.findall(r"`(\w+)", pages.text(DOCS / "guide" / f"{page}.md")))
    assert set(import_module(f"multimlp.{module}").names()) - shown == set()


def _defaults(thing):
    """The options of what a table holds, with their defaults."""
    known = getattr(thing, "defaults", None)
    return known or {name: p.default for name, p in inspect.signature(thing).parameters.items()}


@pytest.mark.parametrize(
    ("heading", "module"),
    [
        ("Activations", "activations"),
        ("Losses", "losses"),
        ("Optimisers", "optimizers"),
        ("Schedules", "schedules"),
        ("Initialisers", "initializers"),
    ],
)
def test_tables_of_the_guide_show_the_defaults(heading, module):
    """``name(option=value)`` in backticks: the option is there, and that is its default."""
    section = pages.text(DOCS / "guide" / "names.md").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    known, compared = import_module(f"multimlp.{module}"), 0
    for name, arguments in re.findall(r"`(\w+)(\([^`]*\))`", section.partition("```")[0]):
        options, call = _defaults(getattr(known, name)), ast.parse(f"f{arguments}", mode="eval").body
        for given in call.keywords:
            assert ast.literal_eval(given.value) == options[given.arg], f"{name}: {given.arg}"
            compared += 1
        assert {word.id for word in call.args} <= set(options), name
    assert compared >= 5


def test_the_table_of_errors_says_what_they_are():
    """Each stands beside the built-in exceptions that it also is."""
    text = pages.text(DOCS / "guide" / "start.md").partition("## When something is wrong")[2]
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `")]
    named = set()
    for errors, built_in in ([re.findall(r"`(\w+)`", cell) for cell in row] for row in rows):
        named.update(errors)
        kinds = tuple(getattr(builtins, kind) for kind in built_in) or (Exception,)
        assert all(issubclass(getattr(multimlp.errors, error), kinds) for error in errors), errors
        assert all(any(issubclass(getattr(multimlp.errors, e), kind) for e in errors) for kind in kinds)
    families = {"MultimlpError", "BackendError", "DifferentiationError", "TrainingError", "PrecisionWarning"}
    classes = {name for name, thing in vars(multimlp.errors).items() if inspect.isclass(thing)}
    assert named == classes - families


def test_the_page_of_the_command_shows_every_command_and_option():
    """Those of training and of the parity report; a page that it leads to may have the rest."""
    shown = "".join(
        pages.text(DOCS / "guide" / f"{name}.md") for name in ("command-line", "tables", "cluster")
    )
    page = pages.text(DOCS / "guide" / "command-line.md")
    assert [name for name in COMMANDS if f"`multimlp {name}" not in page] == []
    for name in ("train", "parity"):
        parser = Parser(allow_abbrev=False)
        import_module(COMMANDS[name].module).add_arguments(parser)
        options = {word for action in parser._actions for word in action.option_strings}
        missing = {word for word in options - {"-h", "--help"} if not re.search(rf"{word}\b", shown)}
        assert missing == set(), name


def test_the_front_picture_is_what_its_numbers_say():
    kept = json.loads(front_picture.RESULTS.read_text(encoding="utf-8"))
    assert pages.text(front_picture.PICTURE) == front_picture.picture(kept), f"run {front_picture.COMMAND}"
    assert list(kept) == list(front_picture.LIBRARIES)
    assert max(max(run["apart"]) for run in kept.values()) < 1e-13, "what README and alternative text say"
    kept["torch"]["loss"][0] += 0.1
    assert pages.text(front_picture.PICTURE) != front_picture.picture(kept)


@pytest.mark.parametrize(
    "backend",
    ["numpy", *(pytest.param(name, marks=pytest.mark.slow) for name in ("torch", "jax", "tensorflow"))],
)
def test_the_front_picture_shows_what_training_gives(backend):
    pytest.importorskip(backend)
    kept = json.loads(front_picture.RESULTS.read_text(encoding="utf-8"))
    losses, weights = front_picture.train(backend)
    np.testing.assert_allclose(losses, kept["numpy"]["loss"], rtol=1e-9)
    if backend != "numpy":
        assert np.max(np.abs(weights - front_picture.train("numpy")[1])) < 1e-12


def test_the_gallery_shows_the_pictures_that_its_code_makes():
    made = [f"gallery/{name}.png" for name in re.findall(r'"gallery", "(\w+)"', gallery_pictures.code())]
    shown = [link.target for link in pages.links(gallery_pictures.PAGE) if link.is_picture]
    assert [target for target in shown if target.startswith("gallery/")] == made
    assert sorted(made) == sorted(f"gallery/{path.name}" for path in (DOCS / "gallery").iterdir())
    for path in (DOCS / "gallery").iterdir():
        assert path.stat().st_size < 150_000, f"{path.name} is large"
