"""The parity report: measurement, JSON, comparison of reports, the command."""

import json

import numpy as np
import pytest
from libraries import NAMES

from multimlp import blocks
from multimlp.backend import is_installed
from multimlp.cli import main
from multimlp.errors import FileFormatError, InputError
from multimlp.parity import Plan, Report, run
from multimlp.parity.comparison import compare
from multimlp.parity.formats import FORMATS
from multimlp.parity.html import page
from multimlp.parity.markdown import render
from multimlp.parity.measure import Reference, worst
from multimlp.parity.random_cases import words

F64 = FORMATS["float64"]
F32 = FORMATS["float32"]


@pytest.fixture(scope="module")
def report():
    return run(
        Plan(("numpy", "strict"), ("gelu", "relu", "cross_entropy"), ("float64", "float32"), quick=True)
    )


@pytest.mark.parametrize(
    ("actual", "reference", "form", "k"),
    [
        ([1.0], [1.0], F64, 0),
        ([1.0 + 2**-52], [1.0], F64, 1),
        ([2**-52], [0.0], F64, 1),
        ([1.0 + 2**-23], [1.0], F32, 1),
        ([np.inf], [1e39], F32, 0),
        ([np.nan], [np.nan], F64, 0),
        ([np.inf], [np.inf], F64, 0),
        ([np.nan], [1.0], F64, np.inf),
        ([np.inf], [-np.inf], F64, np.inf),
        ([np.inf], [1.0], F64, np.inf),
    ],
)
def test_measurement(actual, reference, form, k):
    assert worst(np.asarray(actual), Reference.exact(np.asarray(reference)), form).k == k


def test_an_error_counts_only_where_it_is_demanded():
    reference = Reference.exact(np.asarray([1.0, 2.0]))
    assert worst(np.asarray([1.0, 7.0]), reference, F64, np.asarray([True, False])).k == 0


def test_words_are_those_of_the_random123_distribution():
    assert hex(int(words(0, 2)[0])) == "0x6b200159"


def test_report_passes_and_survives_json(report):
    assert report.passed
    assert {row.aspect for row in report.rows} >= {"value", "derivative", "autodiff", "second"}
    again = Report.from_json(report.to_json())
    assert again.rows == report.rows
    for key, values in report.results.items():
        np.testing.assert_array_equal(again.results[key], values)


XLA = ("jax", "tensorflow")  # which compile operation by operation
LIBRARIES = [pytest.param(n, marks=[pytest.mark.slow] if n in XLA else []) for n in NAMES]
LIBRARIES += [pytest.param("mlx")] if is_installed("mlx") else []


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_block_has_rows_and_each_is_within_tolerance(library):
    compilers = ("xla",) if library in XLA else ()
    found = run(
        Plan((library,), ("block*",), ("float64", "float32"), compiled=bool(compilers), compilers=compilers)
    )
    compared = {(row.function.partition("(")[0], row.aspect) for row in found.rows}
    assert compared == {
        (f"blocks.{name}", aspect) for name in blocks.names() for aspect in ("value", "autodiff")
    }
    assert not [(row.function, row.aspect, row.worst_error_in_k, row.note) for row in found.failures]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"multimlp_parity": 99}', '{"multimlp_parity": 1, "rows": [{}]}']
)
def test_a_file_that_is_no_report_is_refused(text):
    with pytest.raises(FileFormatError):
        Report.from_json(text)


def test_two_reports_are_compared(report):
    rows = compare(report, Report.from_json(report.to_json()))
    assert all(row.passed for row in rows)
    other = Report.from_json(report.to_json())
    other.results["gelu|value|float64|numpy"] = other.results["gelu|value|float64|numpy"] + 1e-12
    assert not all(row.passed for row in compare(report, other))
    with pytest.raises(InputError):
        compare(report, Report())


def test_a_page_and_a_section_are_made(report):
    text = page(report)
    assert text.count("<figure>") == 3
    assert "http" not in text.replace("http-equiv", "")
    assert "| gelu |" in render(report)


def test_the_command(tmp_path, capsys):
    target = tmp_path / "report.html"
    arguments = ["parity", "--quick", "--backend", "numpy", "--function", "relu*", "--dtype", "float64"]
    assert main([*arguments, "--html", str(target)]) == 0
    assert "all within tolerance" in capsys.readouterr().out
    assert target.read_text().startswith("<!doctype html>")
    assert main([*arguments, "--json"]) == 0
    text = capsys.readouterr().out
    assert json.loads(text)["passed"] is True
    (tmp_path / "mine.json").write_text(text)
    (tmp_path / "theirs.json").write_text(text.replace("numpy", "sunpy"))
    capsys.readouterr()
    others = ["--against", str(tmp_path / "mine.json"), "--against", str(tmp_path / "theirs.json")]
    assert main([*arguments, *others, "--markdown"]) == 0
    assert "on numpy" in (shown := capsys.readouterr().out)
    assert "| sunpy |" in shown, "every report's backends are shown"


WRONG = {
    "an unknown function": ["--function", "no_such"],
    "an unknown backend": ["--backend", "nympy"],
    "no such report": ["--against", "no-such.json"],
    "no such folder": ["--html", "no/such/folder/report.html"],
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_usage_is_one_line(case, capsys):
    assert (
        main(["parity", "--quick", *(["--backend", "numpy"] if "backend" not in case else []), *WRONG[case]])
        == 2
    )
    lines = [line for line in capsys.readouterr().err.splitlines() if "comparing" not in line]
    assert len(lines) == 1


def test_reports_agree_where_a_second_derivative_may_be_that_of_either_side():
    pytest.importorskip("torch")
    mine, theirs = (run(Plan((name,), ("elu",), ("float64",))) for name in ("numpy", "torch"))
    rows = compare(mine, theirs)
    assert {row.aspect for row in rows} >= {"value", "derivative", "second"}
    assert [row for row in rows if not row.passed] == []
