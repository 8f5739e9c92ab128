"""What `run_suite.py` adds to the run of the public suite: the skips with their reasons, and what became of each test."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

_outcomes: dict[str, set[str]] = defaultdict(set)


def pytest_configure(config: pytest.Config) -> None:
    import hypothesis

    # Shrinking a failure takes minutes a test, and nothing is learned from it here.
    current = hypothesis.settings.default
    hypothesis.settings.register_profile(
        "without shrinking",
        current,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[phase for phase in hypothesis.Phase if phase.name not in ("shrink", "explain")],
    )
    hypothesis.settings.load_profile("without shrinking")


def _holds_for(line: str, test: str) -> bool:
    """Whether a line names the test, its module or its function, or some of its parameters: the first, or any after ``*``."""
    start, _, within = line.partition("*")
    rest = test.removeprefix(start)
    return test.startswith(start) and within in rest and ("[" in start or rest[:1] in ("", "[", ":"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for line, reason in json.loads(os.environ["MULTIMLP_SUITE_SKIPS"]).items():
        matching = [item for item in items if _holds_for(line, item.nodeid)]
        if not matching:
            raise pytest.UsageError(f"skips.txt: no test of the suite goes by {line}")
        for item in matching:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or not report.passed:
        _outcomes[report.outcome].add(report.nodeid)


def pytest_sessionfinish() -> None:
    found = {outcome: sorted(tests) for outcome, tests in _outcomes.items()}
    Path(os.environ["MULTIMLP_SUITE_OUTCOMES"]).write_text(json.dumps(found), encoding="utf-8")
