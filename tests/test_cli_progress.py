"""What is shown on a terminal, and that nothing is shown elsewhere."""

from __future__ import annotations

import io
import re
import sys

import pytest

from multimlp._terminal import print_table, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def seen(screen: Terminal) -> str:
    """What was written, without the colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def as_terminal(monkeypatch) -> Terminal:
    """Makes both streams one terminal; not a fixture, because pytest sets the streams after those."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", screen)
    for name, value in (("COLUMNS", "200"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return screen


def advance(**options) -> None:
    with progress(4, "training [x]", **options) as bar:
        for loss in (0.5, 0.25):
            bar.advance(2, loss=loss)


def test_the_bar_shows_count_and_figures_on_a_terminal(monkeypatch):
    terminal = as_terminal(monkeypatch)
    pytest.importorskip("rich")
    advance()
    shown = seen(terminal)
    assert all(part in shown for part in ("training [x]", "4/4", "loss 0.25"))


def test_the_bar_is_silent_elsewhere(monkeypatch):
    terminal = as_terminal(monkeypatch)
    advance(enabled=False)
    monkeypatch.setitem(sys.modules, "rich", None)
    advance()
    assert terminal.getvalue() == ""
    for stream in (io.StringIO(), None):  # a file, and no standard error at all, as under pythonw
        monkeypatch.setattr(sys, "stderr", stream)
        advance()
        assert stream is None or stream.getvalue() == ""


ROWS = [["numpy", 0.123456, 3], ["a much longer [name]", None, True]]


def test_a_table_is_drawn_on_a_terminal(monkeypatch):
    terminal = as_terminal(monkeypatch)
    pytest.importorskip("rich")
    print_table(["backend", "loss", "n"], ROWS, title="Runs [all]")
    shown = seen(terminal)
    assert all(part in shown for part in ("Runs [all]", "0.1235", "a much longer [name]", "┃"))


@pytest.mark.parametrize("missing", [True, False])
def test_a_table_is_plain_text_elsewhere(monkeypatch, capsys, missing):
    if missing:
        monkeypatch.setitem(sys.modules, "rich", None)
    print_table(["backend", "loss", "n"], ROWS, title="Runs")
    assert capsys.readouterr().out.splitlines() == [
        "Runs",
        "backend               loss    n",
        "numpy                 0.1235  3",
        "a much longer [name]  -       True",
    ]
    print_table(["only", "headings"], [])
    assert capsys.readouterr().out == "only  headings\n"
