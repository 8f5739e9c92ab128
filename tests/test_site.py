"""The site that `make docs` makes: as files, and in Chromium, at the width of a telephone and of a desk. `make test-site` runs this."""

from __future__ import annotations

import doctest
import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

import browser
import pages
import pytest

pytest.importorskip("sphinx")
pytest.importorskip("latex2mathml")

import mathml

from multimlp import lessons

WIDTHS = (390, 900, 1100, 1440)
"""A telephone, and where the theme's sidebars come and go."""

FOREIGN = re.compile(r"^(?:https?:)?//")

LOOK = """(() => {
  const width = WIDTH;
  const shown = (element) => { const box = element.getBoundingClientRect(); return box.width > 0 && box.height > 0; };
  const tooWide = [...document.querySelectorAll("article *")].filter((element) => {
    if (element.getBoundingClientRect().right <= width + 1) return false;
    for (let outer = element.parentElement; outer; outer = outer.parentElement)
      if (["auto", "scroll", "hidden"].includes(getComputedStyle(outer).overflowX)) return false;
    return true;
  });
  return {
    width: document.documentElement.scrollWidth,
    wide: tooWide.slice(0, 3).map((element) => element.outerHTML.slice(0, 120)),
    formulas: document.querySelectorAll("math").length,
    hidden: [...document.querySelectorAll("math")].filter((element) => !shown(element)).length,
    cut: [...document.querySelectorAll("article img:not(.wide)")].filter(
      (picture) => picture.getBoundingClientRect().right > width + 1).map((picture) => picture.src),
    broken: [...document.images].filter((picture) => shown(picture) && !picture.naturalWidth).map((picture) => picture.src),
  };
})()"""

BRIGHTNESS = """(() => {
  const sum = (element, what) => getComputedStyle(element)[what].match(/[0-9]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0);
  return [sum(document.body, "backgroundColor"), sum(document.querySelector("article img"), "backgroundColor"),
    sum(document.querySelector("article p"), "color")];
})()"""
"""Of the page, of a picture's ground, and of the text: 0 is black, 765 white."""


class Parsed(HTMLParser):
    """The anchors, links, resources and readable text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.emphasised: list[str] = []
        self._tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._tags.append(f"{tag}.{given.get('class', '')}")
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.resources.append(given["href"])
        elif given.get("src"):
            self.resources.append(given["src"])

    def handle_data(self, data):
        if self._tags and self._tags[-1] == "em.":
            self.emphasised.append(data)

    def handle_endtag(self, tag):
        while self._tags and self._tags.pop().partition(".")[0] != tag:
            pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The one that ``MULTIMLP_SITE`` names, else built anew, a warning being an error."""
    if built := os.environ.get("MULTIMLP_SITE"):
        return Path(built).resolve()
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-E",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        f"{folder}.cache",
    ]
    done = subprocess.run(
        [*command, "docs", str(folder)], cwd=pages.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def parsed(site):
    return {path: Parsed(path) for path in sorted(site.rglob("*.html"))}


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    """A tab of Chromium."""
    named = browser.executable()
    if named is None:
        pytest.skip(f"no Chromium: none of {', '.join(browser.NAMES)} is installed, and CHROMIUM names none")
    if not browser.starts(named):
        pytest.skip(f"{named} does not start here")
    with browser.browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


FORMULAS = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|:math:`(.+?)`", flags=re.DOTALL)


def test_formulas_are_set_or_refused():
    """All formulas of pages and docstrings have only macros that are known."""
    assert doctest.testmod(mathml) == (0, 1)
    texts = [re.sub(r"`[^`\n]*`", "", pages.prose(path)) for path in pages.PAGES]
    texts += map(pages.text, sorted((pages.ROOT / "multimlp").rglob("*.py")))
    formulas = [
        "".join(found) for text in texts for found in FORMULAS.findall(text) if text.count("$") % 2 == 0
    ]
    assert len(formulas) > 200
    parts = {"msup": 2, "msub": 2, "mfrac": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
    for formula in formulas:
        for element in ElementTree.fromstring(mathml.mathml(formula, "block")).iter():
            kind = element.tag.rpartition("}")[2]
            assert len(element) == parts.get(kind, len(element)), f"{formula}: {kind}"
            assert not element.get("width", "").endswith("space"), (
                f"{formula}: a space that browsers do not know"
            )
    for wrong in (r"\nosuchmacro x", r"\Bigl(x\Bigr)^2"):
        with pytest.raises(ValueError, match=re.escape(repr(wrong))):
            mathml.mathml(wrong, "inline")


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (r"f'(x)", '<mrow><mi>f</mi><mo lspace="0" rspace="0">&#x02032;</mo></mrow>'),
        (r"W_1'", '<msub><mrow><mi>W</mi><mo lspace="0" rspace="0">&#x02032;</mo></mrow><mn>1</mn></msub>'),
        (r"\max(x, 0)", "<mi>max</mi><mo"),
        (r"\max_x f", "<msub><mo>max</mo>"),
        (r"\sin 3x", '<mi>sin</mi><mspace width="0.167em" /><mn>3</mn>'),
        (r"a \sin(x)", '<mi>a</mi><mspace width="0.167em" /><mi>sin</mi><mo'),
        (r"\sin^2 x", "<msup><mi>sin</mi><mn>2</mn></msup>"),
        (r"x \thinspace y", '<mspace width="0.167em" />'),
    ],
)
def test_formulas_are_written_as_browsers_need_them(formula, shown):
    assert shown in mathml.mathml(formula, "inline")


@pytest.mark.slow
def test_every_lesson_has_a_page_with_a_picture(site):
    for name in lessons.names():
        assert "<img" in (site / "lessons" / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_link_and_anchor_leads_somewhere(site, parsed):
    lost = []
    for path, page in parsed.items():
        for link in page.links:
            if re.match(r"https?:|mailto:", link):
                continue
            file, anchor = urldefrag(link)
            there = (path.parent / unquote(file)).resolve() if file else path
            known = parsed.get(there)
            if not there.exists() or (anchor and known is not None and unquote(anchor) not in known.anchors):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site, parsed):
    for path, page in parsed.items():
        assert [there for there in page.resources if FOREIGN.match(there)] == [], path.name
        for there in page.resources:
            assert (path.parent / unquote(urldefrag(there.partition("?")[0])[0])).exists(), there
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", style.read_text(encoding="utf-8")), (
            style.name
        )


@pytest.mark.slow
def test_the_reference_shows_what_docstrings_say(site, parsed):
    for path in (site / "api").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "Alias for field number" not in text
        assert 'class="problematic"' not in text
        lost = [word for word in parsed[path].emphasised if re.match(r"(kw)?args\b", word)]
        assert lost == [], "an asterisk was taken for emphasis"
        assert not re.search(r'title="multimlp[\w.]*\.[a-z]\w*"><em>', text), (
            "a word of a type is a link to an attribute"
        )
        prose = re.sub(r"<pre>.*?</pre>|<code.*?</code>", "", text, flags=re.DOTALL)
        assert not re.search(r"\\\*", prose), "or shown escaped"
        assert not re.search(r">[^<>]*\*[A-Za-z][^<>*]*\*", prose), "or shown around a type"
        assert ">Variables" not in text
        assert not re.search(r">Type<span", text), "the first words of a sentence were taken for a type"
        for signature in re.findall(r'<dt class="sig.*?</dt>', text, flags=re.DOTALL):
            assert "array([" not in signature, "an array's numbers for a default"


@pytest.mark.slow
def test_every_parameter_of_the_reference_has_a_type_or_a_word(site):
    for path in (site / "api").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        for field in re.findall(
            r'<dt class="field-\w+">Parameters.*?</dt>\s*<dd class="field-\w+">(.*?)</dd>',
            text,
            flags=re.DOTALL,
        ):
            for item in re.findall(r"<p>(<strong>.*?)</p>", field, flags=re.DOTALL):
                assert "(" in item or "–" in item, f"{path.name}: {item}"


@pytest.mark.slow
def test_names_keep_their_last_underscore(site):
    text = (site / "api" / "estimators.html").read_text(encoding="utf-8")
    for name in ("classes_", "coefs_", "intercepts_", "best_loss_", "cv_results_"):
        assert f"<strong>{name}</strong>" in text, name


@pytest.mark.slow
def test_every_page_in_a_browser(site, tab):
    """No complaint of the console, nothing fetched, no page wider than the window, formulas and pictures shown."""
    found, formulas = [], 0
    for width in WIDTHS:
        tab.size(width, phone=width < 800)
        for path in sorted(site.rglob("*.html")):
            if "_modules" in path.parts and width != WIDTHS[0]:
                continue  # source code alone
            tab.open(path.as_uri())
            look = tab.run(LOOK.replace("WIDTH", str(width)))
            formulas += look["formulas"]
            problems = {
                "complaints": list(tab.complaints),
                "fetched": [
                    address for address in tab.requested if not address.startswith(("file:", "data:"))
                ],
                "too wide": look["wide"] or look["width"] > width,
                "formulas not shown": look["hidden"],
                "broken pictures": look["broken"],
                "pictures not seen whole": look["cut"],
            }
            if problems := {name: problem for name, problem in problems.items() if problem}:
                found.append(f"{path.relative_to(site)} at {width}: {json.dumps(problems)}")
    assert found == []
    assert formulas > 100


@pytest.mark.slow
def test_the_browser_sees_what_is_wrong(tmp_path, tab):
    wrong = tmp_path / "wrong.html"
    wrong.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><article><p style='width:500px'>wide</p>"
        "<img src='missing.png' width=9 height=9><math></math></article><script>console.error('no'); missing()</script>",
        encoding="utf-8",
    )
    tab.size(390, phone=True)
    tab.open(wrong.as_uri())
    look = tab.run(LOOK.replace("WIDTH", "390"))
    assert look["width"] >= 500
    assert len(look["wide"]) == 1
    assert look["hidden"] == 1
    assert len(look["broken"]) == 1
    assert any("'no'" in complaint for complaint in tab.complaints)
    assert any("ReferenceError" in complaint for complaint in tab.complaints)
    assert any("missing.png" in complaint for complaint in tab.complaints)


@pytest.fixture
def served(site):
    """The address of the site on a server of this machine: the search reads the pages that it found, which files may not do."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *said):
        """Requests are no news."""


@pytest.mark.slow
def test_search_finds(served, site, tab):
    tab.size(1280)
    for start in (served, site.as_uri()):
        tab.open(f"{start}/search.html?q=checkpoint")
        found = tab.run(
            """new Promise((resolve) => { let tries = 0; const wait = () => {
              const links = [...document.querySelectorAll("#search-results li a")].map((link) => link.href);
              links.length || ++tries > 200 ? resolve(links) : setTimeout(wait, 50); }; wait(); })"""
        )
        assert any("guide/checkpoints.html" in link for link in found), start
        if start == served:
            assert tab.complaints == []


@pytest.mark.slow
def test_dark_and_light_are_the_readers_choice(site, tab):
    """The background follows the system; pictures, drawn on white, keep theirs."""
    seen = {}
    for scheme in ("light", "dark"):
        tab.scheme(scheme)
        tab.open((site / "gallery.html").as_uri())
        seen[scheme] = tab.run(BRIGHTNESS)
    tab.scheme("light")
    assert seen["light"][0] > 700
    assert seen["dark"][0] < 120
    assert seen["light"][1] == seen["dark"][1] == 3 * 255
    assert seen["light"][2] < 200
    assert seen["dark"][2] > 500
