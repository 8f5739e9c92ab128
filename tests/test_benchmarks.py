"""The benchmark runner: what it counts as a right result, its statistics and verdicts, and whole runs in small."""

# ruff: noqa: E402 - the repository is put on the path first

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the package is not installed; it is run from the repository

from benchmarks import (
    alone,
    compare,
    growth,
    machine,
    markdown,
    memory,
    places,
    reference,
    report,
    targets,
    transforms,
)
from benchmarks import pieces as pieces_module
from benchmarks.__main__ import _compare
from benchmarks.__main__ import main as benchmarks_main
from benchmarks.busy import busy_machine
from benchmarks.channel import Prepare, Ready, Release, Released, Round, Samples
from benchmarks.implementations import BACKENDS, IMPLEMENTATIONS, Implementation, taking_part
from benchmarks.jobs import Call, Training, compare_losses
from benchmarks.process import Worker, WorkerError, environment
from benchmarks.results import Alone, Curve, Measurement, Memory, Ratio, Results, ratio
from benchmarks.runner import job_for
from benchmarks.tasks import SMOOTH, TASKS, choose
from multimlp import bench
from multimlp.backend import is_installed, load_backend, select
from multimlp.bench import CASES, Case, find_case, products, time_fit
from multimlp.cli import main
from multimlp.errors import FileFormatError, InputError

SMALL = Case("small", (8, 16, 3), 16, 64)
CORES = tuple(range(1))


# ---- cases


def test_operations_are_those_of_the_products_that_a_step_needs():
    assert Case("x", (2, 3, 4), 5, 10).operations == 5 * 2 * (2 * 3 * 2 + 3 * 4 * 3)
    assert Case("x", (2, 3, 4), 5, 10, members=7).operations == 7 * 5 * 2 * (2 * 3 * 2 + 3 * 4 * 3)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_every_step_of_a_case_is_the_same_work(case):
    assert case.rows % case.batch == 0
    assert f"batch {case.batch}" in case.title


def test_an_unknown_case_is_refused():
    with pytest.raises(InputError, match="huge.*tiny"):
        find_case("huge")


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_products_make_every_product_of_an_epoch(name, monkeypatch):
    """Counted where they are made: once while tracing where the loop is compiled, once a step elsewhere."""
    pytest.importorskip(name)
    backend = load_backend(name)
    shapes = []
    matmul = backend.xp.matmul
    monkeypatch.setattr(
        backend.xp, "matmul", lambda a, b: (shapes.append((a.shape[0], b.shape[1])), matmul(a, b))[1]
    )
    products(SMALL, select(name))()
    step = [(16, 16), (16, 3), (16, 3), (16, 16), (8, 16)]
    made = shapes[: len(step)] if name == "jax" else shapes
    assert made == step * (1 if name == "jax" else SMALL.steps)


def test_products_are_timed_for_as_long_as_asked(monkeypatch):
    """Every epoch takes a second of this clock, whatever the number of its steps."""
    seconds = iter(range(10**6))
    calls = []
    monkeypatch.setattr(bench.time, "perf_counter", lambda: float(next(seconds)))
    monkeypatch.setattr(bench, "products", lambda case, target: lambda: calls.append(case))
    assert bench._time_products(SMALL, select("numpy"), 5.0) == 1 / SMALL.steps
    assert len(calls) == bench.WARM_UP + 5


# ---- what is right


@pytest.mark.parametrize(
    ("loss", "right"),
    [(0.8, True), (0.8009, True), (0.7985, False), (0.8015, False), (1.2, False), (math.nan, False)],
)
def test_a_loss_must_be_ours_within_a_fraction_of_what_was_learned(loss, right):
    assert (compare_losses(loss, start=1.0, expected=0.8) == "") == right


def test_the_reference_gradient_is_the_slope_of_the_loss():
    """Against central differences of a cross-entropy written with logaddexp."""
    job = Call("transform", "grad", 5)
    network = [(w.astype(np.float64), b.astype(np.float64)) for w, b in job.network()]
    X, y = job.inputs().astype(np.float64), job.labels()

    def loss(shift: float) -> float:
        (w1, b1), (w2, b2) = network
        moved = w1.copy()
        moved[3, 7] += shift
        z = np.tanh(X @ moved + b1) @ w2 + b2
        return float(np.mean(np.logaddexp.reduce(z, axis=1) - z[np.arange(5), y]))

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    assert reference.gradient(network, X, y)[3 * 128 + 7] == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_a_call_with_other_values_is_refused(name):
    job = Call("activation", name, 1000)
    right = job.true_values()
    assert job.check(lambda: right.astype(np.float32))[0] == ""
    assert "off by" in job.check(lambda: right + 1e-3 * np.abs(right).max())[0]
    assert "instead of" in job.check(lambda: right[:-1])[0]


# ---- statistics and verdicts


def measured(rounds: list[float], role: str = "ours", case: str = "tiny", problem: str = "") -> Measurement:
    return Measurement(case, CASES["tiny"].title, "step", "torch", role, rounds, problem=problem)


def test_ratios_are_taken_round_by_round():
    """The second round was disturbed for both: it must not show."""
    found = ratio(measured([20.0, 80.0, 20.0], "loop"), measured([10.0, 40.0, 10.0]))
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)


def test_one_slow_round_of_five_does_not_widen_the_spread():
    assert measured([1.0, 1.0, 1.02, 0.98, 9.0]).spread == pytest.approx(0.02)
    assert measured([1.0, 1.2, 1.4]).spread == pytest.approx(0.2 / 1.2)


@pytest.mark.parametrize(
    ("value", "high", "wanted", "expected"),
    [
        (6.1, 6.2, 6.0, "reached"),
        (5.9, 6.2, 6.0, "close"),
        (5.0, 5.5, 6.0, "missed"),
        (0.98, 0.98, 1.0, "reached"),
        (0.96, 0.965, 1.0, "missed"),
        (0.96, 0.965, 0.97, "missed"),
        (0.74, 0.745, 0.75, "missed"),
    ],
)
def test_verdicts_on_targets(value, high, wanted, expected):
    assert targets.verdict(Ratio(value, value, high), wanted) == expected


def test_targets_name_what_is_measured():
    kinds = {task.name: task.kind for task in TASKS}
    known = {(kind, one.backend, one.role) for one in IMPLEMENTATIONS for kind in one.kinds}
    for case, backend, role, _, ours in targets.rows():
        assert {(kinds[case], backend, role), (kinds[case], backend, ours)} <= known
    assert targets.target("tiny", "numpy", "loop") == targets.FLOOR
    assert targets.target("inference-1", "torch", "loop") is None
    assert targets.target("tiny-gelu", "torch", "loop") is None


def test_a_target_counts_as_reached_when_each_run_has_reached_it(tmp_path, capsys):
    peers = {"lucky": 160.0, "late": 140.0}
    for name, ratio_of_times in peers.items():
        some = [measured([1e-6] * 3), measured([ratio_of_times * 1e-6] * 3, "loop")]
        replace(results(), measurements=some).write(tmp_path / f"{name}.json")
    paths = {name: str(tmp_path / f"{name}.json") for name in peers}
    assert benchmarks_main(["--verdict", paths["lucky"]]) == 0
    assert "1 of 1 targets reached" in capsys.readouterr().out
    assert benchmarks_main(["--verdict", *paths.values()]) == 1
    shown = capsys.readouterr().out
    assert "0 of 1 targets reached in each of 2 runs" in shown
    assert "160.00" in shown
    assert "140.00" in shown


def test_a_function_with_wrong_values_has_no_ratio():
    right = Alone("relu", "numpy", "float32", 1000, "value", 1.0, 2.0)
    (table,) = report.tables(replace(results(), measurements=[], curves=[], memory=[], alone=[right]))[1:]
    assert table.rows == [("relu", "2.00 ✓")]
    wrong = replace(right, problem="the values differ by 1")
    (table,) = report.tables(replace(results(), measurements=[], curves=[], memory=[], alone=[wrong]))[1:]
    assert table.rows == [("relu", "failed")]
    assert table.remarks == ("relu: the values differ by 1",)


def test_workers_do_not_hear_of_our_switches_in_the_shell(monkeypatch):
    monkeypatch.setenv("MULTIMLP_NUMBA", "never")
    monkeypatch.setenv("MULTIMLP_THREADS", "own")
    assert not [name for name in environment(1, None) if name.startswith("MULTIMLP_")]


@pytest.mark.parametrize("broken", [0, 1])
def test_a_target_whose_measurement_failed_is_not_reached(broken, tmp_path, capsys):
    """Nor does it become invisible, and what counted before is missed in a comparison."""
    some = [measured([1e-6] * 3), measured([160e-6] * 3, "loop")]
    before, now = str(tmp_path / "before.json"), str(tmp_path / "now.json")
    replace(results(), measurements=some).write(Path(before))
    some[broken] = replace(some[broken], problem="the loss is 1, ours is 2")
    new = replace(results(), measurements=some)
    new.write(Path(now))
    for paths in ([now], [now, before]):
        assert benchmarks_main(["--verdict", *paths]) == 1
        shown = capsys.readouterr().out
        assert "failed" in shown
        assert "0 of 1 targets reached" in shown
    (failed,) = compare.failures(Results.read(Path(before)), new)
    assert failed.problem == "the loss is 1, ours is 2"
    assert _compare(Results.read(Path(before)), new) == (1 if broken == 0 else 0)
    assert "failed now: " in capsys.readouterr().out


def test_one_run_is_no_verdict(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(places, "RESULTS", tmp_path)
    results().write(tmp_path / "here.json")
    assert benchmarks_main(["--verdict"]) == 2
    assert "here.json is the only complete run; make another one" in capsys.readouterr().err
    results().write(tmp_path / "here-before.json")
    assert benchmarks_main(["--verdict"]) in (0, 1)


def test_runs_of_another_kind_are_not_taken_for_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "RESULTS", tmp_path)
    for day, name in enumerate(("there", "here", "here-before", "scale-here", "tables-here")):
        text = json.dumps({"machine": {"measured": f"2026-11-2{day}"} if day else {}})
        (tmp_path / f"{name}.json").write_text(text)
    assert places.latest().name == "here.json"
    assert [places.latest(kind).name for kind in places.KINDS] == ["scale-here.json", "tables-here.json"]


@pytest.fixture
def pieces(monkeypatch, tmp_path):
    """A complete run of which each piece measures nothing, one a minute; the names of those that ran, and versions of NumPy."""
    ran, clock, versions = [], [0.0], ["2.0"]

    def nothing(run):
        backend = run.options.backends[0]
        ran.append(backend)
        clock[0] += 60.0
        run.versions["numpy"] = versions[-1]
        run.measurements.append(replace(measured([1e-6]), backend=backend))
        return {}

    monkeypatch.setattr(pieces_module, "_MEASURES", {"memory": nothing})
    monkeypatch.setattr("benchmarks.__main__.choose", lambda names, quick: ([], ("memory",)))
    monkeypatch.setattr("benchmarks.__main__.plots.draw", lambda results, stem: [])
    monkeypatch.setattr("benchmarks.ledger.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(places, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(places, "SCRATCH", tmp_path / "scratch")
    return ran, versions


def test_a_complete_run_goes_on_where_it_stopped(pieces, tmp_path, capsys):
    ran, versions = pieces
    backends = [name for name in BACKENDS if name != "cupy" and is_installed(name)]
    assert benchmarks_main(["--minutes", "1.5"]) == 3
    assert ran == backends[:1]
    assert f"{len(backends) - 1} pieces are left" in capsys.readouterr().out
    assert not (tmp_path / "results").exists(), "what is not complete is not a result"
    assert benchmarks_main([]) in (0, 1)
    assert ran == backends
    (path,) = (tmp_path / "results").glob("*.json")
    assert [one.backend for one in Results.read(path).measurements] == backends
    assert not list((tmp_path / "scratch").glob("*")), "the next run begins anew"
    assert benchmarks_main(["--minutes", "1.5"]) == 3
    versions.append("2.1")
    assert benchmarks_main([]) == 2
    assert "numpy 2.0 and 2.1: measure again with --fresh" in capsys.readouterr().err
    assert benchmarks_main(["--fresh"]) in (0, 1)
    assert len(list((tmp_path / "results").glob("*.json"))) == 2


def test_a_busy_machine_is_quiet_again_afterwards():
    before = set(children())
    with busy_machine(2):
        spinning = set(children()) - before
        assert len(spinning) == 2
    assert not spinning & set(children())


def children() -> list[str]:
    """The processes that this one has started and not seen the end of."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


def test_the_slowdown_of_a_busy_machine_is_marked():
    one = replace(measured([1.0, 1.0, 1.0]), busy=[2.0, 2.2])
    other = replace(measured([1.0, 1.0, 1.0], "loop"), busy=[30.0])
    text = markdown.page(replace(results(), measurements=[one, other]), [])
    assert "| tiny | torch | 2.1x ✓ | 30x |" in text


@pytest.mark.parametrize(
    ("then", "now", "verdict"),
    [
        ([1.0, 1.0, 1.0], [1.04, 1.04, 1.04], "same"),
        ([1.0, 1.0, 1.0], [1.3, 1.3, 1.3], "slower"),
        ([1.0, 1.0, 1.0], [0.7, 0.7, 0.7], "faster"),
        ([0.8, 1.0, 1.2], [1.1, 1.3, 1.5], "same"),
    ],
)
def test_a_change_must_be_larger_than_the_spread(then, now, verdict):
    assert compare.change(measured(then), measured(now)).verdict == verdict


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found_beyond_the_overhead(power):
    sizes = [2**i for i in range(14)]
    seconds = [1e-3 + 1e-2 * size**power for size in sizes]
    assert growth.exponent(sizes, seconds) == pytest.approx(power, abs=0.01)
    assert growth.exponent([8], [1.0]) is None


@pytest.mark.parametrize("axis", growth.AXES, ids=lambda axis: axis.name)
def test_doubling_ends_before_the_memory(axis):
    doubled = 0
    while growth.fits(axis.case(axis.start * 2**doubled)):
        doubled += 1
    assert 4 < doubled < 30


# ---- files and texts


def results() -> Results:
    described = machine.describe(2, [0, 1], None, {"numpy": np.__version__})
    some = [
        measured([1e-4, 1.1e-4, 1e-4]),
        measured([9e-4, 9e-4, 8e-4], "loop"),
        measured([], "keras", problem="died"),
    ]
    curve = Curve("width", "step", "torch", [16, 32], [1e-3, 2e-3], 1.0)
    figures = [
        Memory("torch", "a case", 2_000_000, 3_000_000),
        Memory("jax", "a case", 2_000_000, None, "died"),
    ]
    return Results(described, {"rounds": 3}, some, [curve], figures, [0.0, 1.5, 2.0])


def test_results_survive_a_file(tmp_path):
    results().write(tmp_path / "a.json")
    assert Results.read(tmp_path / "a.json") == results()


@pytest.mark.parametrize("text", ["no json", "[]", '{"version": 99}'])
def test_a_foreign_file_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FileFormatError):
        Results.read(tmp_path / "a.json")


def test_markdown_shows_times_ratios_and_failures():
    text = markdown.page(results(), [Path("plot.svg")])
    assert "![plot](plot.svg)" in text
    assert "| tiny: 8-16-2, batch 32 | torch | 100 us ±5% | 8.18x ✗ | failed |" in text
    assert "torch Keras 3, tiny: died" in text
    assert "not quiet" in text
    assert "| a case | torch | 2 MB | 3 MB | 150% |" in text
    assert "jax: died" in text
    for table in text.split("\n\n"):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    short = markdown.section(results(), [])
    assert set(short.splitlines()) < set(text.splitlines())
    assert "Memory" not in short


def test_activations_by_themselves_are_no_training():
    found = report.tables(replace(results(), measurements=[measured([1e-3], case="activation-gelu")]))
    titles = [table.title for table in found]
    assert "Activations over 1e7 elements" in titles
    assert not any(title.startswith("Training") for title in titles)


@pytest.mark.parametrize("kind", ["", *places.KINDS])
def test_the_documentation_shows_what_the_results_say(kind, capsys):
    assert benchmarks_main([*([kind] if kind else []), "--markdown"]) == 0
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    mark = kind or "benchmarks"
    marked = re.search(rf"<!-- {mark}: made by .*? -->\n(.*?)<!-- /{mark} -->", page, re.DOTALL)
    assert marked[1] == capsys.readouterr().out
    assert f"```{{include}} ../benchmarks/results/{places.latest().stem}.md" in page
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", marked[1]):
        assert (ROOT / "docs" / picture).exists()


def test_texts_say_what_the_environment_made_of_libraries(monkeypatch, capsys):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("MULTIMLP_CACHE_DIR", "/somewhere")
    described = machine.describe(1, [0], None, {})
    assert described["environment"]["OPENBLAS_CORETYPE"] == "Haswell"
    assert "MULTIMLP_CACHE_DIR" not in described["environment"]
    text = markdown.section(replace(results(), machine=described), [])
    assert "OPENBLAS_CORETYPE=Haswell" in text.splitlines()[0]
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    assert "OPENBLAS_CORETYPE" not in machine.environment(machine.describe(1, [0], None, {}))


def test_a_quiet_machine_is_not_warned_about():
    assert report.quiet(replace(results(), loads=[0.0, 0.1, 0.05])) == ""


def test_the_load_of_others_is_a_number_of_processors():
    assert 0 <= machine.busy_by_others() <= machine.describe(1, [0], None, {})["cores"]


def test_plots_are_written(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks import plots

    drawn = plots.draw(results(), tmp_path / "x")
    assert [path.name for path in drawn] == ["x-training.svg", "x-growth.svg"]
    for path in drawn:
        assert path.read_text(encoding="utf-8").lstrip().startswith("<?xml")
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "hand-written loop" in drawn[0].read_text(encoding="utf-8")


# ---- processes


def train(one: Implementation, job: Training) -> tuple[Ready, Samples, Released]:
    worker = Worker(one, CORES)
    try:
        worker.wait_until_ready()
        return (
            worker.ask(Prepare(job), Ready),
            worker.ask(Round(0.01), Samples),
            worker.ask(Release(), Released),
        )
    finally:
        worker.close()


def implementation(backend: str, role: str, kind: str = "training") -> Implementation:
    return next(
        one for one in IMPLEMENTATIONS if (one.backend, one.role) == (backend, role) and kind in one.kinds
    )


LOSSES: dict[Case, float] = {}


def our_loss(case: Case) -> float:
    if case not in LOSSES:
        figure = train(implementation("numpy", "ours"), Training(case))[0].figure
        assert figure is not None
        LOSSES[case] = figure
    return LOSSES[case]


FAST = ("numpy", "jax")
"""Libraries whose processes start soon enough for every run of the tests."""


def entrants() -> list:
    """Everybody who trains, with one network and, who can, with three."""
    return [
        pytest.param(
            one,
            members,
            id=one.name if members is None else f"{one.name}-{members}",
            marks=() if one.backend in FAST and one.role != "keras" else pytest.mark.slow,
        )
        for one in IMPLEMENTATIONS
        for members, kind in ((None, "training"), (3, "ensemble"))
        if kind in one.kinds and one.role != "products" and one.is_installed()
    ]


@pytest.mark.parametrize(("one", "members"), entrants())
def test_every_implementation_reaches_our_loss(one, members):
    case = replace(SMALL, members=members)
    ready, samples, _ = train(one, Training(case, expected=our_loss(case)))
    assert ready.verdict == ""
    assert samples.seconds
    assert min(samples.seconds) > 0


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize(
    "one",
    [
        pytest.param(one, id=one.name, marks=() if one.backend in FAST else pytest.mark.slow)
        for one in IMPLEMENTATIONS
        if "smooth" in one.kinds and one.is_installed()
    ],
)
def test_every_implementation_reaches_our_loss_with_other_activations(one, activation):
    case = replace(SMALL, activation=activation)
    job = job_for(one, Training(case), None, None)
    assert train(one, replace(job, expected=our_loss(job.case)))[0].verdict == ""
    assert (job.case.activation == "relu") == (one.role == "ours-relu")


def test_scikit_learn_reaches_our_loss_with_two_classes():
    one = implementation("numpy", "sklearn")
    if not one.is_installed():
        pytest.skip("scikit-learn is not installed")
    case = replace(SMALL, sizes=(8, 16, 2))
    assert train(one, Training(case, expected=our_loss(case)))[0].verdict == ""


def test_another_loss_is_reported():
    ready, _, _ = train(implementation("numpy", "loop"), Training(SMALL, expected=our_loss(SMALL) * 0.9))
    assert "ours is" in ready.verdict


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(task, id=task.name)
        for task in TASKS
        if isinstance(task.job, Call) and not task.name.endswith(("65536", "256"))
    ],
)
@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(name, marks=() if name == "numpy" else pytest.mark.slow)
        for name in ("numpy", "torch", "jax", "tensorflow")
    ],
)
def test_every_call_returns_the_values_of_the_reference(task, backend):
    job = replace(task.job, rows=min(task.job.rows, 1000), name=task.job.name)
    for one in taking_part(backend, task.kind, job.name):
        worker = Worker(one, CORES)
        try:
            worker.wait_until_ready()
            asked = replace(job, name="copy") if one.role == "copy" else job
            assert worker.ask(Prepare(asked), Ready).verdict == "", one.name
        finally:
            worker.close()


@pytest.mark.parametrize(
    ("library", "peer"),
    [
        ("numpy", "autograd"),
        *(pytest.param(name, name, marks=pytest.mark.slow) for name in ("torch", "jax", "tensorflow")),
    ],
)
def test_every_transform_gives_what_the_peer_gives(library, peer):
    pytest.importorskip(library)
    pytest.importorskip(peer)
    found = list(transforms.measure(library, sizes=["small"], rounds=1))
    assert {row.transform for row in found} == set(transforms.TRANSFORMS)
    assert [(row.function, row.transform, row.problem) for row in found if row.problem] == []


def test_a_wrong_derivative_is_no_time():
    right, wrong = np.arange(3.0), np.arange(3.0) + 1e-6
    assert transforms.difference([right], [right]) == ""
    assert "differ" in transforms.difference([wrong], [right])
    assert "shapes" in transforms.difference([right[:2]], [right])


def test_an_error_in_a_process_is_one_line_with_its_place():
    worker = Worker(implementation("numpy", "best"), CORES)
    try:
        worker.wait_until_ready()
        with pytest.raises(WorkerError, match=r"^ValueError: .*\(numpy_loops\.py:\d+\)$"):
            worker.ask(Prepare(Training(replace(SMALL, members=2))), Ready)
    finally:
        worker.close()


def test_a_process_that_dies_is_reported():
    worker = Worker(implementation("numpy", "loop"), CORES)
    worker.wait_until_ready()
    worker._process.kill()
    with pytest.raises(WorkerError, match="ended with code -9"):
        worker.ask(Prepare(Training(SMALL)), Ready)
    worker.close()


# ---- the commands


def test_choosing_cases():
    tasks, others = choose(None, quick=True)
    assert {task.name for task in tasks} == {"tiny", "digits", "inference-1"}
    assert others == ()
    tasks, others = choose(["inference", "transform-grad", "growth"], quick=False)
    assert [task.name for task in tasks] == [
        "inference-1",
        "inference-256",
        "inference-65536",
        "transform-grad",
    ]
    assert others == ("growth",)


@pytest.mark.slow
def test_a_small_run_from_the_command_line(tmp_path, capsys):
    arguments = ["--case", "tiny", "--backend", "numpy", "--rounds", "1", "--threads", "1", "--quick"]
    path = tmp_path / "run.json"
    assert benchmarks_main([*arguments, "--output", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "scikit-learn" in shown
    found = Results.read(path)
    assert found.machine["threads"] == 1
    assert {one.role for one in found.measurements} >= {"ours", "loop", "best", "products"}
    assert all(one.counts for one in found.measurements)

    assert benchmarks_main(["--markdown", str(path)]) == 0
    assert "| tiny: 8-16-2, batch 32 | numpy |" in capsys.readouterr().out

    fast = replace(
        found, measurements=[replace(m, rounds=[r / 100 for r in m.rounds]) for m in found.measurements]
    )
    fast.write(tmp_path / "older.json")
    code = benchmarks_main([*arguments, "--output", str(path), "--compare", str(tmp_path / "older.json")])
    assert code == 1
    assert "1 of our 1 times became slower" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--case", "huge"], "no 'huge'"),
        (["--backend", "strict"], "takes no part"),
        (["--threads", "0"], "threads: expected 1 to"),
        (["--rounds", "0"], "rounds: expected at least 1"),
        (["--quick", "--minutes", "3"], "a complete run alone goes on"),
        (["--markdown", "no-such-file.json"], "cannot read"),
        (["--compare", "no-such-file.json"], "cannot read"),
    ],
)
def test_bad_usage_is_one_line(arguments, message, capsys):
    assert benchmarks_main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_the_short_form(capsys):
    assert main(["bench", "--backend", "numpy", "--case", "tiny", "--seconds", "0.02", "--json"]) == 0
    (timing,) = json.loads(capsys.readouterr().out)["timings"]
    assert timing["backend"] == "numpy"
    assert timing["products"] > 0
    assert timing["fastest"] <= timing["step"] <= timing["slowest"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--case", "huge"],
        ["--seconds", "0", "--backend", "numpy"],
        ["--seconds", "inf", "--backend", "numpy"],
        ["--backend", "no-such"],
    ],
)
def test_bad_usage_of_the_short_form(arguments, capsys):
    assert main(["bench", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_timing_stops_when_the_time_is_over():
    began = time_fit(SMALL, "numpy", seconds=0.02)
    assert began.engine in ("inplace", "numba")
    assert began.first_epoch < 5


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_activations_and_losses_by_themselves_have_the_values_of_their_peers(backend):
    """And a row and a mark in the table."""
    pytest.importorskip(backend)
    found = list(alone.measured(backend, 1000, 0.0))
    assert [one.problem for one in found if one.problem] == []
    assert len(found) == len(list(alone.functions())) * len(alone.DTYPES) * len(alone.WAYS)
    results = Results({"gpu": None}, {}, alone=found)
    (table, other) = report.tables(results)[-2:]
    assert "float32" in table.title
    assert "float64" in other.title
    assert [row[0] for row in table.rows] == [one.name for one in alone.functions()]
    assert all(cell[-1] in "✓✗" for row in table.rows for cell in row[1:])
    assert table.columns[1:] == ("value 1e3", "gradient 1e3", "both 1e3")


def test_memory_that_fit_needs():
    one = Case("one layer", (2, 3), 4, 8)
    parameters, activations, data = 9, 4 * (2 + 3), 8 * 2
    assert memory.needed(one) == 4 * (4 * parameters + 2 * activations + data)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_memory_of_fit_stays_near_what_it_needs(backend):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", backend],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 1.7 * memory.needed(memory.CASE)


@pytest.mark.parametrize(("case", "threads"), [("digits", 1), ("deep", None)])
def test_products_run_on_as_many_threads_as_training(case, threads, monkeypatch):
    """deep is cut into slices for all cores where it is compiled, and takes one thread of BLAS where it is not."""
    from multimlp.backends.numpy import _inplace

    limits = []
    monkeypatch.setattr(
        _inplace, "blas_threads", lambda count: limits.append(count) or contextlib.nullcontext()
    )
    monkeypatch.setattr(type(load_backend("numpy")), "compiled_kernels", lambda *_: object())
    with bench.product_threads(CASES[case], select("numpy"))():
        assert limits == ([] if threads is None else [threads])
    monkeypatch.setattr(type(load_backend("numpy")), "compiled_kernels", lambda *_: "none")
    limits.clear()
    with bench.product_threads(CASES[case], select("numpy"))():
        assert limits == [1]
