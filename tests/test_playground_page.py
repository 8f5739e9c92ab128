"""The playground in a browser: a person's path through it, on a desk and on a phone."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if BROWSER is None or DRIVER is None:
    pytest.skip(
        "needs chromium and chromedriver (Debian: chromium, chromium-driver)", allow_module_level=True
    )
pytest.importorskip("bokeh", reason="needs multimlp[playground]")
webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
StaleElementReferenceException = pytest.importorskip("selenium.common").StaleElementReferenceException
Select = pytest.importorskip("selenium.webdriver.support.select").Select

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
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
const host = (name) => document.querySelector(`[data-root-id="${Bokeh.documents[0].get_model_by_name(name).id}"]`);
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
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Person:
    """What somebody does and sees."""

    def __init__(self, browser, address: str, size: tuple[int, int]) -> None:
        self.browser = browser
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(address)
        self.wait_for("ready")

    def script(self, code: str, *arguments):
        return self.browser.execute_script(FIND + code, *arguments)

    def wait_for(self, *states: str) -> None:
        self.until(lambda: self.script("return document.body.dataset.state") in states, f"to be {states}")

    def until(self, reached, what: str, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < end, f"waited for the page {what}; it says {self.status()!r}"
            time.sleep(0.1)

    def press(self, label: str) -> None:
        def pressed() -> bool:
            """Whether the button was there, and not just being drawn anew."""
            found = "return deep(document, (e) => e.tagName == 'BUTTON' && !e.disabled && e.textContent.trim() == arguments[0])"
            button = self.script(found, label)
            try:
                return button is not None and button.click() is None
            except StaleElementReferenceException:
                return False

        self.until(pressed, f"to have a button {label!r}")

    def field(self, name: str, tag: str):
        return self.script("return deep(host(arguments[0]), (e) => e.tagName == arguments[1])", name, tag)

    def choose(self, name: str, value: str) -> None:
        Select(self.field(name, "SELECT")).select_by_visible_text(value)

    def write(self, name: str, text: str) -> None:
        field = self.field(name, "INPUT")
        field.clear()
        field.send_keys(text, "\n")

    def data(self, name: str, column: str) -> list:
        return self.script(
            "return Array.from(Bokeh.documents[0].get_model_by_name(arguments[0]).data[arguments[1]])",
            name,
            column,
        )

    def status(self) -> str:
        return self.script("return Bokeh.documents[0].get_model_by_name('status').text")

    def pixels(self, name: str) -> list:
        return self.script(
            "return Array.from(Bokeh.documents[0].get_model_by_name(arguments[0]).data.image[0]).slice(0, 6400)",
            name,
        )

    def sideways(self) -> int:
        return self.script("return document.documentElement.scrollWidth - window.innerWidth")


def complaints(browser) -> list[str]:
    """What the browser's console has of errors."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_change_train_and_see_the_loss_fall(server, browser):
    person = Person(browser, server, DESK)
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
    assert complaints(browser) == []


def test_two_backends_side_by_side(server, browser):
    person = Person(browser, server, DESK)
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
    assert complaints(browser) == []


def test_what_cannot_be_is_said_and_can_be_mended(server, browser):
    person = Person(browser, server, DESK)
    person.write("hidden", "8, many")
    person.wait_for("failed")
    assert "expected widths such as" in person.status()
    person.write("hidden", "8")
    person.wait_for("ready")
    assert complaints(browser) == []


def test_an_own_table(server, browser, tmp_path):
    rows = "a,b,c,label\n" + "\n".join(f"{i % 7},{i % 5},{i},{'yes' if i % 2 else 'no'}" for i in range(80))
    (tmp_path / "mine.csv").write_text(rows)
    person = Person(browser, server, DESK)
    person.choose("data", "own file")
    person.wait_for("failed")
    assert "choose a .csv file" in person.status()
    person.field("file", "INPUT").send_keys(str(tmp_path / "mine.csv"))
    person.wait_for("ready")
    assert "60 + 20 examples" in person.status()
    assert complaints(browser) == []


def test_on_a_phone(server, browser):
    person = Person(browser, server, PHONE)
    assert person.sideways() <= 0
    person.script("document.querySelector('.settings').open = true")
    person.choose("data", "digits")
    person.until(lambda: "1348 + 449" in person.status(), "to show digits")
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
    assert complaints(browser) == []


def test_everything_comes_from_the_server_itself(server, browser):
    person = Person(browser, server, DESK)
    loaded = person.script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded
    assert [name for name in loaded if not name.startswith(server)] == []
