"""Run the public array-api-tests against the TensorFlow and the traced namespaces, and print the pass rates.

The suite is no package: ``ARRAY_API_TESTS_DIR`` names the folder of a checkout of
github.com/data-apis/array-api-tests.

    ARRAY_API_TESTS_DIR=~/array-api-tests python tests/array_api/run_suite.py [tensorflow] [traced-numpy]
    [traced-strict]

Options after ``--`` go to pytest. Exit code 1 when a namespace passes less than 95 % of the tests that it
does not skip.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
AIM = 0.95

NAMESPACES: dict[str, dict[str, str]] = {
    "tensorflow": {"ARRAY_API_TESTS_MODULE": "tf_module"},
    "traced-numpy": {"ARRAY_API_TESTS_MODULE": "traced_module", "MULTIMLP_TRACED_BACKEND": "numpy"},
    "traced-strict": {"ARRAY_API_TESTS_MODULE": "traced_module", "MULTIMLP_TRACED_BACKEND": "strict"},
}

# Shrinking a failure takes minutes a test, and nothing is learned from it here.
CONFTEST = """
import hypothesis
hypothesis.settings.register_profile(
    "quick", deadline=None, max_examples={examples}, suppress_health_check=list(hypothesis.HealthCheck),
    phases=[p for p in hypothesis.Phase if p.name not in ("shrink", "explain")],
)
hypothesis.settings.load_profile("quick")
"""


def skips(module: str) -> list[str]:
    """The tests that a namespace skips, by the list with reasons."""
    found = []
    for line in (HERE / "skips.txt").read_text(encoding="utf-8").splitlines():
        test = line.partition("#")[0].strip()
        if test:
            owner, separator, rest = test.partition(":array_api_tests")
            if not separator or owner == module:
                found.append(f"array_api_tests{rest}" if separator else test)
    return found


def run(namespace: str, folder: Path, options: list[str], examples: int = 20) -> float:
    """Run one namespace and return its pass rate."""
    settings = NAMESPACES[namespace]
    with tempfile.TemporaryDirectory() as temporary:
        plugin = Path(temporary) / "without_shrinking.py"
        plugin.write_text(CONFTEST.format(examples=examples), encoding="utf-8")
        paths = os.pathsep.join([str(HERE), temporary, os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, **settings, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
        (Path(temporary) / "skips").write_text(
            "\n".join(skips(settings["ARRAY_API_TESTS_MODULE"])), encoding="utf-8"
        )
        command = [
            sys.executable, "-m", "pytest", "array_api_tests", "-q", "--tb=no",
            "-p", "no:cacheprovider", "-p", "without_shrinking",
            f"--skips-file={temporary}/skips", f"--max-examples={examples}", "--disable-deadline", *options,
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    counts = {
        word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)
    }
    ran = counts.get("passed", 0) + counts.get("failed", 0) + counts.get("error", 0)
    rate = counts.get("passed", 0) / ran if ran else 0.0
    passed, skipped = counts.get("passed", 0), counts.get("skipped", 0)
    print(f"{namespace}: {passed} of {ran} passed ({rate:.1%}), {skipped} skipped")
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            print("   ", line.partition(" - ")[0])
    if not ran:
        print(done.stdout[-2000:], done.stderr[-2000:])
    return rate


def main(arguments: list[str]) -> int:
    folder = os.environ.get("ARRAY_API_TESTS_DIR")
    if not folder or not (Path(folder) / "array_api_tests").is_dir():
        print(
            "ARRAY_API_TESTS_DIR: expected the folder of a checkout of data-apis/array-api-tests",
            file=sys.stderr,
        )
        return 2
    split = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, options = arguments[:split] or list(NAMESPACES), arguments[split + 1 :]
    unknown = [name for name in chosen if name not in NAMESPACES]
    if unknown:
        print(f"unknown namespace {unknown[0]!r}; there are {', '.join(NAMESPACES)}", file=sys.stderr)
        return 2
    rates = [run(name, Path(folder), options) for name in chosen]
    return 0 if min(rates) >= AIM else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
