"""`multimlp parity --processes`: training runs on several processes against one."""

from __future__ import annotations

import pytest

from multimlp.cli import main
from multimlp.errors import InputError
from multimlp.parity import Plan, Report, processes


def test_two_processes_are_compared_with_one(capsys):
    arguments = ["parity", "--processes", "2", "--backend", "numpy", "--function", "fit gelu*"]
    assert main([*arguments, "--json"]) == 0
    report = Report.from_json(capsys.readouterr().out)
    assert report.passed
    assert [row.aspect for row in report.rows] == ["parameters", "again, and on all processes", "4 shards"]
    assert {row.mode for row in report.rows} == {"2 processes"}
    text = processes.render(report)
    assert "| run | numpy |" in text
    assert "the same bits in all 2 comparisons" in text


def test_what_differs_is_reported(monkeypatch):
    right = processes.trained

    def other(recipe, backend, device, **shared):
        return right(recipe, backend, device, **shared) + (1e-9 if shared else 0.0)

    def at_once(function, count, backend, arguments):
        found = processes.in_one_process(*arguments)
        return [found, [runs._replace(first=runs.first + 1e-15) for runs in found]]

    monkeypatch.setattr(processes, "run", at_once)
    monkeypatch.setattr(processes, "trained", other)
    report = processes.compare(Plan(("numpy",), ("fit sigmoid*",)), 2, lambda stage: None)
    assert [row.passed for row in report.rows] == [False, False, True]
    assert "other bits in 1 of 2 comparisons" in processes.render(report)


def test_a_run_that_fails_is_a_row():
    def broken(function, count, backend, arguments):
        raise RuntimeError("no")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "run", broken)
        report = processes.compare(Plan(("numpy",), ("fit relu*",)), 2, lambda stage: None)
    assert [row.note for row in report.rows] == ["RuntimeError: no"]
    assert "failed" in processes.render(report)


def test_a_wrong_name_is_refused():
    with pytest.raises(InputError, match="no training run fits nothing"):
        processes.compare(Plan(("numpy",), ("nothing",)), 2, lambda stage: None)
