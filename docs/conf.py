"""The documentation site: ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import lesson_pages
from docutils import nodes
from sphinx import addnodes
from sphinx.ext import napoleon
from sphinx.ext.autodoc import FunctionDocumenter

import multimlp
from multimlp.backend import Op
from multimlp.losses import Loss

project = "multimlp"
author = "the multimlp developers"
version = release = multimlp.__version__
versions = os.environ.get("DOCS_VERSIONS", "").split()
"""The versions beside which this one will lie, each in a folder of its name; docs/stability.md says how they are called."""
extensions = [
    "mathml",
    "myst_parser",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
default_role = "py:obj"
"""What stands in single backticks in a docstring is a name of this package where there is one."""
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
"""Defaults as the source has them, not an array's hundred numbers."""
autodoc_typehints = "none"
autodoc_use_legacy_class_based = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]
"""Of two things of one name, such as attributes of two classes, either may be linked."""
html_math_renderer = "mathml"
html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"multimlp {release}"
if versions:
    html_theme_options = {
        "announcement": "Other versions: "
        + " · ".join(f'<a href="../{name}/index.html">{name}</a>' for name in versions)
    }
html_show_copyright = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]


class OperationDocumenter(FunctionDocumenter):
    """Operations and losses are objects that are called, documented as the functions that they wrap."""

    objtype = "operation"
    directivetype = "function"
    priority = FunctionDocumenter.priority + 20

    @classmethod
    def can_document_member(cls, member: Any, membername: str, isattr: bool, parent: Any) -> bool:
        return isinstance(member, (Op, Loss))


def check_lessons(app: Any) -> None:
    if old := lesson_pages.stale():
        raise RuntimeError(f"{old[0]} is stale; run {lesson_pages.COMMAND}")


class Docstring(napoleon.NumpyDocstring):
    """A property's docstring is a sentence. Napoleon takes what stands in front of a colon in it for a type."""

    def __init__(
        self, docstring: Any, config: Any = None, app: Any = None, what: str = "", *rest: Any
    ) -> None:
        kind = "method" if what in ("attribute", "data", "property") else what
        super().__init__(docstring, config, app, kind, *rest)


napoleon.NumpyDocstring = Docstring  # type: ignore[misc]

_LITERAL = re.compile(r"(``.*?``)")
_STAR_OR_BAR = re.compile(r"\||(?<![\w*`\\])\*(?=\w+[),])")
_ATTRIBUTE = re.compile(r"(?<=:ivar )[^:]+|(?<=:vartype )[^:]+")


def escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """In docstrings |x| is an absolute value, *args arguments; to reST substitution and emphasis.

    Before napoleon, whose own asterisks mark types.
    """
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            pieces = _LITERAL.split(line)
            pieces[::2] = [_STAR_OR_BAR.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
            lines[i] = "".join(pieces)


def attributes(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """``coef_`` is a name, to reST a link. Those described together are one field, which must not have a space in its name."""
    for i, line in enumerate(lines):
        lines[i] = _ATTRIBUTE.sub(
            lambda found: re.sub(r"_(?=,|$)", r"\\_", found[0]).replace(", ", ","), line
        )


def without_aliases(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A field of a named tuple that has no description of its own is shown without one."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()


def typography(app: Any, doctree: Any) -> None:
    """What autodoc took to be something else.

    In the type of a parameter, "shape (n, k)" is a word, not the attribute of that name of some class, and "tuple of Dense" means the
    layers of an `MLP`, not the block. Attributes that `escape` put together get their spaces back.
    """
    for word in list(doctree.findall(addnodes.pending_xref)):
        if word["reftype"] == "class" and word["reftarget"][0].islower() and "." not in word["reftarget"]:
            word.replace_self(word.children)
        elif word["reftype"] == "class" and word["reftarget"] == "Dense" and app.env.docname != "api/blocks":
            word["reftarget"] = "multimlp.mlp.Dense"
    for heading in doctree.findall(nodes.field_name):
        if heading.astext() == "Variables":  # as NumPy's docstrings call them
            heading[:] = [nodes.Text("Attributes")]
    for name in list(doctree.findall(addnodes.literal_strong)):
        if "," in name.astext():
            name.replace_self(addnodes.literal_strong("", name.astext().replace(",", ", ")))


WIDE = 700
"""Pixels from which a picture has words too small for a telephone, where it scrolls then."""


def width_of(picture: Path) -> float:
    """In pixels."""
    if picture.suffix == ".png":
        return int.from_bytes(picture.read_bytes()[16:20], "big")
    found = re.search(r'<svg[^>]*viewBox="[\d.]+ [\d.]+ ([\d.]+)', picture.read_text(encoding="utf-8"))
    return float(found[1]) * 4 / 3 if found else 0.0  # viewBoxes are in points where matplotlib has drawn


def wide_pictures(app: Any, doctree: Any) -> None:
    """Marked for the style sheet; that of the first page is seen whole."""
    for picture in doctree.findall(nodes.image):
        path = Path(app.srcdir, picture["uri"])
        if path.name != "front.svg" and path.suffix in (".png", ".svg") and width_of(path) > WIDE:
            picture["classes"].append("wide")


def setup(app: Any) -> None:
    app.add_autodocumenter(OperationDocumenter)
    app.connect("autodoc-process-docstring", escape, priority=100)
    app.connect("autodoc-process-docstring", attributes, priority=900)
    app.connect("autodoc-process-docstring", without_aliases)
    app.connect("doctree-read", typography)
    app.connect("doctree-read", wide_pictures)
    app.connect("builder-inited", check_lessons)
