"""Run the public array-api-tests against the TensorFlow and the traced namespaces, and print the pass rates.

The suite is no package: ``ARRAY_API_TESTS_DIR`` names the folder of a checkout of
github.com/data-apis/array-api-tests with its submodule; it needs ``ndindex`` and ``pytest-json-report``.

    ARRAY_API_TESTS_DIR=~/array-api-tests python tests/array_api/run_suite.py [tensorflow] [traced-numpy]
    [traced-strict]

Options after ``--`` go to pytest. The examples are the same in every run. Exit code 1 when the TensorFlow namespace
passes less than 99.5 % of the tests that it does not skip, or a traced one fails where the namespace beneath passes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
EXAMPLES = 20
AIM = 0.995


class Subject(NamedTuple):
    """A namespace under test: its module, the backend that the traced module wraps, and the namespace beneath."""

    module: str
    backend: str = ""
    beneath: str = ""


SUBJECTS = {
    "tensorflow": Subject("tf_module"),
    "traced-numpy": Subject("traced_module", "numpy", "array_api_compat.numpy"),
    "traced-strict": Subject("traced_module", "strict", "array_api_strict"),
}


class Outcomes(NamedTuple):
    passed: set[str]
    failed: set[str]
    skipped: set[str]

    @property
    def rate(self) -> float:
        return len(self.passed) / max(1, len(self.passed | self.failed))

    def __str__(self) -> str:
        ran = len(self.passed | self.failed)
        return f"{len(self.passed)} of {ran} passed ({self.rate:.1%}), {len(self.skipped)} skipped"


def skips(module: str) -> dict[str, str]:
    """The tests that a module skips, by the start of their names, each with its reason."""
    found = {}
    for line in (HERE / "skips.txt").read_text(encoding="utf-8").splitlines():
        test, _, reason = line.partition("#")
        if not test:
            continue
        owner, separator, rest = test.strip().partition(":array_api_tests")
        if separator and owner != module:
            continue
        found[f"array_api_tests{rest}" if separator else owner] = reason.strip()
    return found


def run(module: str, backend: str, folder: Path, options: list[str]) -> Outcomes:
    """Run the suite on one module and say what became of each test."""
    with tempfile.TemporaryDirectory() as temporary:
        outcomes = Path(temporary) / "outcomes.json"
        environment = {
            **os.environ,
            "ARRAY_API_TESTS_MODULE": module,
            "MULTIMLP_TRACED_BACKEND": backend,
            "MULTIMLP_SUITE_SKIPS": json.dumps(skips(module)),
            "MULTIMLP_SUITE_OUTCOMES": str(outcomes),
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        command = [
            sys.executable, "-m", "pytest", "array_api_tests", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "suite_plugin",
            f"--max-examples={EXAMPLES}", "--disable-deadline", "--derandomize", "--disable-extension=fft", *options,
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise SystemExit(f"{module}: the suite did not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        found = {outcome: set(tests) for outcome, tests in json.loads(outcomes.read_text()).items()}
    return Outcomes(*(found.get(outcome, set()) for outcome in Outcomes._fields))


def judge(name: str, folder: Path, options: list[str]) -> bool:
    """Run one namespace, print what came out, and say whether it is good enough."""
    subject = SUBJECTS[name]
    found = run(subject.module, subject.backend, folder, options)
    print(f"{name}: {found}")
    wrong, good = found.failed, found.rate >= AIM
    if subject.beneath:
        beneath = run(subject.beneath, "", folder, options)
        wrong = found.failed - beneath.failed
        good = not wrong
        print(f"    {subject.beneath} beneath: {beneath}; traced alone fails {len(wrong)}")
    for test in sorted(wrong):
        print("   ", test)
    return good


def main(arguments: list[str]) -> int:
    folder = os.environ.get("ARRAY_API_TESTS_DIR")
    if not folder or not (Path(folder) / "array_api_tests").is_dir():
        print(
            "ARRAY_API_TESTS_DIR: expected the folder of a checkout of data-apis/array-api-tests",
            file=sys.stderr,
        )
        return 2
    split = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, options = arguments[:split] or list(SUBJECTS), arguments[split + 1 :]
    unknown = [name for name in chosen if name not in SUBJECTS]
    if unknown:
        print(f"unknown namespace {unknown[0]!r}; there are {', '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    verdicts = [judge(name, Path(folder), options) for name in chosen]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
