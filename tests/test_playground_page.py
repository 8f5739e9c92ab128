"""The playground in a browser: a person's path through it, on a desk and on a phone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

import browser as chromium
import pytest

pytestmark = pytest.mark.slow

NAME = chromium.executable()
if NAME is None or not chromium.starts(NAME):
    pytest.skip("needs Chromium (Debian: chromium)", allow_module_level=True)
pytest.importorskip("bokeh", reason="needs multimlp[playground]")

DESK, PHONE = (1280, 900), (390, 844)
FIND = """
const deep = (root, test) => {
  for (const element of root.querySelectorAll("*")) {
    if (test(element)) return element;
    const inside = element.shadowRoot && deep(element.shadowRoot, test);
    if (inside) return inside;
  }
  return null;
};
const model = (name) => Bokeh.documents[0].get_model_by_name(name);
const part = (name, tag) => deep(document.querySelector(`[data-root-id="${model(name).id}"]`), (e) => e.tagName == tag);
const button = (label) => deep(document, (e) => e.tagName == "BUTTON" && !e.disabled && e.textContent.trim() == label);
"""
"""Bokeh's widgets are in shadow trees, which selectors do not enter."""


@pytest.fixture(scope="module")
def server():
    """The command in a process of its own: its address, and after all tests how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "multimlp", "playground", "--port", "0", "--no-browser", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "}" not in said:
        line = process.stdout.readline()
        assert line, process.communicate()
        said += line
    yield json.loads(said)["address"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "multimlp: the playground has ended\n")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium.browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


class Person:
    """What somebody does and sees."""

    def __init__(self, page: chromium.Page, address: str, size: tuple[int, int]) -> None:
        self.page = page
        page.size(*size, phone=size == PHONE)
        page.open(address)
        self.wait_for("ready")

    def script(self, code: str, *arguments: Any) -> Any:
        """What the body of a function of these arguments returns."""
        return self.page.run(f"((...given) => {{ {FIND} {code} }})(...{json.dumps(arguments)})")

    def wait_for(self, *states: str) -> None:
        self.until(lambda: self.script("return document.body.dataset.state") in states, f"to be {states}")

    def until(self, reached, what: str, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < end, f"waited for the page {what}; it says {self.status()!r}"
            time.sleep(0.1)

    def press(self, label: str) -> None:
        """With the mouse, where the button is seen."""
        middle = """
        const found = button(given[0])?.getBoundingClientRect();
        return found && [found.x + found.width / 2, found.y + found.height / 2];
        """
        self.until(lambda: self.script(middle, label), f"to have a button {label!r}")
        x, y = self.script(middle, label)
        for kind in ("mousePressed", "mouseReleased"):
            self.page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def choose(self, name: str, value: str) -> None:
        chosen = """
        const list = part(given[0], "SELECT");
        list.value = [...list.options].find((one) => one.text == given[1]).value;
        list.dispatchEvent(new Event("change"));
        """
        self.script(chosen, name, value)

    def write(self, name: str, text: str) -> None:
        """With the keyboard, in the place of what stood there."""
        self.script("const field = part(given[0], 'INPUT'); field.focus(); field.select();", name)
        self.page.call("Input.insertText", text=text)
        self.script("part(given[0], 'INPUT').blur()", name)

    def take(self, name: str, file: str) -> None:
        """Choose a file of the disk."""
        expression = f"(() => {{ {FIND} return part({json.dumps(name)}, 'INPUT') }})()"
        field = self.page.call("Runtime.evaluate", expression=expression)["result"]["objectId"]
        self.page.call("DOM.setFileInputFiles", files=[file], objectId=field)

    def data(self, name: str, column: str) -> list:
        return self.script("return Array.from(model(given[0]).data[given[1]])", name, column)

    def status(self) -> str:
        return self.script("return model('status').text")

    def pixels(self, name: str) -> list:
        return self.script("return Array.from(model(given[0]).data.image[0]).slice(0, 6400)", name)

    def sideways(self) -> int:
        """How far the page reaches beyond the window."""
        return self.script("return document.documentElement.scrollWidth - window.innerWidth")


def test_change_train_and_see_the_loss_fall(server, page):
    person = Person(page, server, DESK)
    assert len(person.data("examples", "x")) == 225
    first = person.pixels("decision_image")

    person.write("hidden", "6")
    person.choose("data", "xor")
    person.until(
        lambda: "20 parameters" not in person.status() and "32 parameters" in person.status(),
        "to have 6 units",
    )
    person.wait_for("ready")
    assert person.pixels("decision_image") != first
    assert person.data("losses1", "loss") == []

    person.press("Step")
    person.until(lambda: len(person.data("losses1", "loss")) == 1, "to make one step")
    person.press("Start")
    person.until(lambda: len(person.data("losses1", "loss")) > 60, "to train")
    person.press("Pause")
    person.wait_for("paused")
    losses = person.data("losses1", "loss")
    assert losses[-1] < 0.5 * losses[0]
    assert len(person.data("losses1", "val_loss")) == len(losses)
    assert len(person.data("flow1", "norm")) == 2
    assert len(person.data("regions_drawn", "x")) > 5
    assert person.data("curves_drawn", "name") == ["relu", "relu, derivative"]
    time.sleep(0.5)
    assert len(person.data("losses1", "loss")) == len(losses), "a paused training went on"

    person.press("Reset")
    person.wait_for("ready")
    assert person.data("losses1", "loss") == []
    assert page.complaints == []


def test_two_backends_side_by_side(server, page):
    person = Person(page, server, DESK)
    hidden = "return getComputedStyle(document.querySelector('.cell.second')).display"
    assert person.script(hidden) == "none"
    person.choose("other", "numpy")
    person.choose("other_dtype", "float64")
    person.wait_for("ready")
    person.until(lambda: person.script(hidden) != "none", "to show a second backend")
    person.press("Start")
    person.until(lambda: len(person.data("losses2", "loss")) > 10, "to train both")
    person.press("Pause")
    person.wait_for("paused")
    one, two = person.data("losses1", "loss"), person.data("losses2", "loss")
    assert len(one) == len(two)
    assert one != two
    assert one == pytest.approx(two, abs=1e-3)
    assert 0 < person.data("differences", "difference")[-1] < 1e-2
    assert len(set(person.pixels("difference_image"))) > 10
    assert page.complaints == []


def test_what_cannot_be_is_said_and_can_be_mended(server, page):
    person = Person(page, server, DESK)
    person.write("hidden", "8, many")
    person.wait_for("failed")
    assert "expected widths such as" in person.status()
    person.write("hidden", "8")
    person.wait_for("ready")
    assert page.complaints == []


def test_an_own_table(server, page, tmp_path):
    rows = "a,b,c,label\n" + "\n".join(f"{i % 7},{i % 5},{i},{'yes' if i % 2 else 'no'}" for i in range(80))
    (tmp_path / "mine.csv").write_text(rows)
    person = Person(page, server, DESK)
    person.choose("data", "own file")
    person.wait_for("failed")
    assert "choose a .csv file" in person.status()
    dimmed = "return getComputedStyle(document.querySelector('.pictures')).opacity"
    assert float(person.script(dimmed)) < 0.5, "the pictures are of the data before"
    person.take("file", str(tmp_path / "mine.csv"))
    person.wait_for("ready")
    assert "60 examples to train on, 20 to test" in person.status()
    assert "■</span> yes" in person.script("return model('decision_caption').text")
    assert person.script(dimmed) == "1"
    assert page.complaints == []


def test_on_a_phone(server, page):
    person = Person(page, server, PHONE)
    assert person.sideways() <= 0
    person.script("document.querySelector('.settings').open = true")
    person.choose("data", "digits")
    person.until(lambda: "1348 examples to train on, 449" in person.status(), "to show digits")
    person.choose("other", "numpy")
    person.wait_for("ready")
    assert person.sideways() <= 0
    wide = person.script(
        "return Array.from(document.querySelectorAll('.cell, fieldset')).filter((e) => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert wide == 0
    person.press("Start")
    person.until(lambda: len(person.data("losses1", "loss")) > 2, "to train")
    person.press("Pause")
    person.wait_for("paused")
    assert person.sideways() <= 0
    assert page.complaints == []


def test_everything_comes_from_the_server_itself(server, page):
    Person(page, server, DESK)
    assert len(page.requested) > 3
    assert [name for name in page.requested if not name.startswith((server, "data:"))] == []
    assert page.complaints == []
