"""The written pages: README and documentation as Markdown, and what is found in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts),
]

_FENCED = re.compile(r"^( *)(`{3,})([^\n]*)\n(.*?)^\1\2 *$", flags=re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


class Link(NamedTuple):
    """A link or, if so it is marked, a picture."""

    is_picture: bool
    text: str
    target: str


class Block(NamedTuple):
    """What stands between fences."""

    language: str
    text: str


def name(path: Path) -> str:
    """From the repository, as a test's id."""
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str | None = None) -> list[Block]:
    """All that is fenced, or what is in a language."""
    found = [Block(match[3].strip(), match[4]) for match in _FENCED.finditer(text(path))]
    return [block for block in found if language in (None, block.language)]


def code(path: Path) -> list[str]:
    """The Python that stands at the left edge of a page: what its reader may run."""
    return re.findall(r"^```python\n(.*?)^```", text(path), flags=re.DOTALL | re.MULTILINE)


def prose(path: Path) -> str:
    """Without what is fenced."""
    return _FENCED.sub("", text(path))


def links(path: Path) -> list[Link]:
    """Those of the prose, those inside of other links' texts too."""
    plain = re.sub(r"`[^`\n]*`", "code", prose(path))
    return [Link(found[1] == "!", found[2], found[3]) for found in _LINK.finditer(plain)]


def anchors(path: Path) -> set[str]:
    """The names by which headings are linked, as MyST and repository hosts make them."""
    names: list[str] = []
    for title in re.findall(r"^#{1,6} +(.*?) *$", prose(path), flags=re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        same = sum(other == slug for other in names)
        names.append(f"{slug}-{same}" if same else slug)
    return set(names)


def table(path: Path, heading: str) -> list[dict[str, str]]:
    """The rows of the table below a heading, by the names of its columns."""
    below = text(path).partition(f"# {heading}\n")[2]
    lines = re.search(r"^\|.*\|\n(?:\|.*\|\n)+", below, flags=re.MULTILINE)[0].splitlines()
    names, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(names, row, strict=True)) for row in rows]


ELSEWHERE = {"docs/adding-a-backend.md": "test_third_party.py"}
"""Pages whose code a test of their own runs, because it is the files of a package of its own."""

CODE = [
    path for path in PAGES if code(path) and path.parent.name != "lessons" and name(path) not in ELSEWHERE
]
"""Pages whose code `test_docs.py` runs; that of lessons is their modules."""
