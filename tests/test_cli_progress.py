"""What is shown on a terminal, and that nothing is shown elsewhere."""

from __future__ import annotations

import io
import re
import sys

import pytest

from multimlp import cli
from multimlp._terminal import Coloured, print_table, progress


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


def test_the_bar_shows_the_figures_that_fit(monkeypatch):
    pytest.importorskip("rich")
    terminal = as_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "60")
    with progress(100, "training") as bar:
        bar.advance(60, loss=0.123456, val_loss=0.2345678, accuracy=0.98765)
    last = seen(terminal).splitlines()[-1]
    assert len(last) <= 60
    assert last.endswith("60/100 0:00:00 loss 0.1235")


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


def test_a_table_on_a_terminal_has_a_rule_and_colours(monkeypatch):
    terminal = as_terminal(monkeypatch)
    print_table(
        ["backend", "ok"], [["numpy", Coloured("yes", "green")], None, ["a [name]", None]], "Runs [all]"
    )
    assert seen(terminal).splitlines() == [
        "Runs [all]",
        "backend   ok",
        "─" * 13,
        "numpy     yes",
        "",
        "a [name]  -",
    ]
    assert "\x1b[32myes\x1b[0m" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.truncate(0)
    print_table(["backend"], [[Coloured("numpy", "red")]])
    assert "\x1b" not in terminal.getvalue()


HEADINGS = ("name", "first figure", "second", "third of all")
FIGURES = [("one two", "aaaa", "bbbb", "cccc"), ("one two", "dddd", "eeee", "ffff"), ("three", "g", "h", "i")]


ONE = """
                               third
                               of
name     first figure  second  all
one two  aaaa          bbbb    cccc
one two  dddd          eeee    ffff
three    g             h       i
"""
NARROW = """
                        third
        first           of
name    figure  second  all
one     aaaa    bbbb    cccc
two
one     dddd    eeee    ffff
two
three   g       h       i
"""
TWO = """
         first
name     figure  second
one two  aaaa    bbbb
one two  dddd    eeee
three    g       h

                 third
         first   of
name     figure  all
one two  aaaa    cccc
one two  dddd    ffff
three    g       i
"""


@pytest.mark.parametrize(("width", "expected"), [(36, ONE), (29, NARROW), (24, TWO)])
def test_a_table_fits_the_terminal(monkeypatch, capsys, width, expected):
    """Headings are wrapped, then the first column; then what tells the rows apart stands in every part."""
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(HEADINGS, FIGURES)
    assert capsys.readouterr().out == expected[1:]


def test_a_long_text_is_wrapped_in_its_column(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "30")
    print_table(["lesson", "title"], [("collapse", "Composing linear models is useless"), ("short", "x")])
    assert capsys.readouterr().out.splitlines() == [
        "lesson    title",
        "collapse  Composing linear",
        "          models is useless",
        "short     x",
    ]


COMMANDS = [
    ["backends"],
    ["train", "digits", "--backend", "numpy", "--reference", "--epochs", "1", "--hidden", "8"],
    ["train", "no such file"],
    ["train", "digits", "--backend", "numpy", "--epochs", "0"],
    ["predict", "no-such-model.safetensors", "new.csv"],
    ["bench", "--backend", "numpy", "--case", "tiny", "--seconds", "0.01"],
    [
        "parity",
        "--quick",
        "--backend",
        "numpy",
        "--backend",
        "strict",
        "--function",
        "threshold",
        "--function",
        "cross*",
    ],
    ["lesson"],
    ["lesson", "collapse", "--backend", "numpy"],
    ["nonsense"],
    ["--help"],
    *([name, "--help"] for name in cli.COMMANDS),
]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_nothing_that_a_command_shows_is_cut_or_too_wide(monkeypatch, arguments, width):
    if width != 80 and "--backend" in arguments:
        pytest.skip("once is enough: the table has tests of its own")
    terminal = as_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(width))
    cli.main(arguments)
    lines = seen(terminal).splitlines()
    assert lines
    assert [line for line in lines if len(line) > width or "…" in line] == []


def test_an_error_is_one_line_where_nobody_looks(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    cli.main(["train", "no such file"])
    assert len(capsys.readouterr().err.splitlines()) == 1


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
