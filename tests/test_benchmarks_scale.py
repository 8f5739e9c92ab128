"""``python -m benchmarks scale``: the cost model against the sums that it stands for and against `fit` on a delayed communicator."""

# ruff: noqa: E402 - the repository is put on the path first

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the package is not installed; it is run from the repository

from benchmarks import places
from benchmarks.__main__ import main
from benchmarks.scale import measure, processes, worker
from benchmarks.scale.delayed import Delayed
from benchmarks.scale.measure import Plan
from benchmarks.scale.model import LINKS, Link, Step, fitted, members_speed_up, messages, sum_seconds
from benchmarks.scale.results import ALONE, Measured, Results, Simulated, Sum, parameters
from benchmarks.scale.tables import section, tables
from benchmarks.scale.worker import Order
from multimlp import losses
from multimlp.backend import select
from multimlp.bench import CASES
from multimlp.distributed import Alone, Group
from multimlp.errors import FileFormatError, InputError
from multimlp.optimizers import adam
from multimlp.training import InMemory, Ordering, Problem, Training, place

INFINIBAND, ETHERNET = Link("InfiniBand", 2e-6, 11e9), Link("Ethernet", 25e-6, 1.1e9)


# ---- the model


def ring(size, count, link):
    """Round by round: parts go around once to be added, once to be known."""
    return sum(link.latency + size / count / link.bandwidth for _ in range(2 * (count - 1)))


def halving_and_doubling(size, count, link):
    """Half of what is left goes to a partner in each round, and back."""
    total, part = 0.0, size
    while count > 1:
        count, part = count // 2, part / 2
        total += 2 * (link.latency + part / link.bandwidth)
    return total


@pytest.mark.parametrize("count", [2, 4, 8, 64, 512])
def test_a_sum_takes_as_long_as_the_quicker_way(count):
    for size in (8, 38_440, 84_082_728):
        for link in (INFINIBAND, ETHERNET):
            ways = ring(size, count, link), halving_and_doubling(size, count, link)
            assert sum_seconds(size, count, link) == pytest.approx(min(ways), rel=1e-12)
    assert sum_seconds(1e9, 1, INFINIBAND) == 0
    assert messages(3) == 4


@pytest.mark.parametrize(
    ("step", "link", "kept", "sharded", "efficiency"),
    [
        (Step(203_530, 256, 0, 271e-6, 2.149e-3 / 256), INFINIBAND, (3.6, 5.1), (5.5, 12), 0.93),
        (Step(21_020_682, 512, 0, 88e-3, 416e-3 / 512), INFINIBAND, (3.3, 4.6, 4.8), (6.6, 22, 31), 0.97),
        (Step(21_020_682, 512, 0, 88e-3, 416e-3 / 512), ETHERNET, (1.8, 2.1, 2.1), (2.6, 3.2, 3.3), 0.77),
    ],
)
def test_speed_ups_are_those_of_the_design(step, link, kept, sharded, efficiency):
    for wanted, shared in ((kept, False), (sharded, True)):
        found = [step.speed_up(count, link, sharded=shared) for count in (8, 64, 512)]
        np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=0.03)
    assert step.efficiency(512, link) == pytest.approx(efficiency, abs=0.01)
    assert (step.speed_up(512, link) is None) == (step.batch < 512)
    assert step.speed_up(1, link) == 1


def test_the_process_with_the_most_rows_counts():
    step = Step(0, 10, 0.0, 0.0, 1.0)
    assert [step.seconds(count) for count in (1, 2, 3, 4, 10)] == [10, 5, 4, 3, 1]
    assert [members_speed_up(10, count) for count in (1, 3, 10, 20)] == [1, 2.5, 10, 10]


def test_a_step_is_taken_to_its_parts():
    whole = Step(1000, 64, 1e-5, 3e-5, 1e-6)
    batches = [8, 64, 16]
    found = fitted(1000, batches, [replace(whole, batch=batch).seconds() for batch in batches], 1e-5)
    for name in ("parameters", "batch", "fixed", "update", "row"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name))
    noisy = fitted(1000, [8, 64], [5e-5, 4e-5], 1e-5)
    assert (noisy.row, noisy.fixed, noisy.update) == (0, 1e-5, pytest.approx(3e-5))


# ---- against training


def trained(size: int, link: Link, name: str, epochs: int = 2) -> tuple[Delayed, Training]:
    case = replace(CASES[name], rows=4 * CASES[name].batch + 3)
    target = select("numpy")
    communicator = Delayed(Alone(), link, size, wait=False)
    problem = Problem(
        case.mlp, losses.cross_entropy, adam(1e-3), None, target.backend, None, "float32", None, case.batch, 0,
        group=Group(communicator),
    )  # fmt: skip
    training = Training(problem, case.initial(backend="numpy", dtype="float32"))
    source = InMemory(place(target, losses.cross_entropy, *case.data()), Ordering(0, case.batch, True, False))
    with training.epochs(source, epochs) as passes:
        assert len([*passes]) == epochs
    return communicator, training


@pytest.mark.parametrize("name", ["tiny", "digits"])
@pytest.mark.parametrize("size", [2, 8, 64, 512])
def test_a_step_communicates_what_the_model_says(name, size):
    """One sum a step, of the gradient and the loss; a few numbers more an epoch. Counted, not timed."""
    for link in LINKS:
        communicator, training = trained(size, link, name)
        delay, epochs, count = communicator.delay, 2, parameters(name)
        assert training.steps == epochs * 5
        assert training.steps <= delay.sums <= training.steps + 4 * epochs
        assert 4 * count <= delay.largest <= 4 * (count + 2)
        model = training.steps * sum_seconds(4 * count, size, link)
        # what epochs exchange beside the steps is latency, of which these short ones have much
        extra = (delay.sums - training.steps + delay.others) * sum_seconds(64 * size, size, link)
        assert model <= delay.seconds <= 1.01 * model + extra


def test_a_delayed_communicator_does_what_the_other_does():
    inner = Alone()
    communicator = Delayed(inner, Link("", 1e-3, 1e6), wait=False)
    assert communicator.sum(np.ones(3)).tolist() == [1, 1, 1]
    assert communicator.broadcast(b"ab") == b"ab"
    assert communicator.gather(np.ones(2)).shape == (1, 2)
    assert (communicator.rank, communicator.size, communicator.delay.seconds) == (0, 1, pytest.approx(2e-6))
    pretended = Delayed(inner, Link("", 1e-3, 1e6), 4, wait=False)
    assert pretended.gather(np.arange(2)).tolist() == [[0, 1]] * 4
    assert pretended.delay.seconds == pytest.approx(2e-3 + 3 * 16 / 1e6)
    pretended.sum(np.ones(1000))
    assert pretended.delay.seconds == pytest.approx(2e-3 + 48e-6 + 4e-3 + 12e-3)
    with pytest.raises(ValueError, match="alone"):
        Delayed(pretended, LINKS[0], 2)


# ---- the command


def results() -> Results:
    machine = {
        "cpu": "CPU",
        "cores": 2,
        "system": "Linux",
        "python": "3",
        "versions": {"numpy": "2"},
        "gpu": None,
    }
    steps = [
        Measured("numpy", ALONE, 1, case, batch, seconds)
        for case, batch, seconds in (
            ("tiny", 4, 2e-5),
            ("tiny", 32, 3e-5),
            ("digits", 8, 5e-5),
            ("digits", 64, 2e-4),
        )
    ]
    steps.append(Measured("numpy", "mpi", 2, "digits", 64, 1.6e-4, 0.25))
    sums = [Sum("mpi", 8, 4e-6), Sum("mpi", 10**6, 2e-4)]
    simulated = [Simulated("numpy", "digits", LINKS[0].name, 8, 3e-4, 2e-4)]
    return Results(machine, {}, sums, steps, simulated, {"steps of jax": "no answer"}, [1.0])


def test_results_come_back_from_their_file(tmp_path):
    path = tmp_path / "scale.json"
    results().write(path)
    assert Results.read(path) == results()
    path.write_text("{}")
    with pytest.raises(FileFormatError, match="no results of benchmarks scale"):
        Results.read(path)
    with pytest.raises(InputError, match="cannot read"):
        Results.read(tmp_path / "none.json")


def test_tables_say_what_was_found():
    shown = {table.title: table for table in tables(results())}
    assert [*shown] == [
        "A sum over two processes of this machine",
        "A step in one process and in two",
        "What a step is made of",
        "Cost model, steps of numpy",
        "The model against steps on a delayed communicator",
        "Not measured",
    ]
    assert shown["A step in one process and in two"].rows[-1][-1] == "160 us, 1.25x (25%)"
    (link,) = results().links()
    assert (link.latency, link.bandwidth) == (2e-6, pytest.approx(1e6 / 1.96e-4))
    text = section(results(), "picture.svg")
    assert "kept 1.0 of 2 cores busy" in text
    assert "![Speed-up by the cost model](picture.svg)" in text
    assert "1.50 |" in text
    assert "within a factor of 2" in text


def test_the_guide_says_what_the_model_says():
    guide = (ROOT / "docs" / "guide" / "cluster.md").read_text(encoding="utf-8")
    found = Results.read(places.latest("scale"))
    links = {link.name: link for link in LINKS}
    rows = re.findall(r"^\| ([\d-]+), (\d+) \| .*? \| (10.*?) \| (.*?) \| (\d+) % \|$", guide, re.MULTILINE)
    assert len(rows) == 4
    for sizes, batch, link, factors, efficiency in rows:
        name = next(name for name, case in CASES.items() if "-".join(map(str, case.sizes)) == sizes)
        step = found.model("numpy", name)
        assert step.batch == int(batch)
        wanted = [step.speed_up(count, links[link]) for count in (8, 64, 512)]
        assert factors == " / ".join("-" if one is None else f"{one:.2g}" for one in wanted)
        assert efficiency == f"{100 * step.efficiency(512, links[link]):.0f}"


def test_the_command_renders_and_refuses(tmp_path, capsys, monkeypatch):
    path = tmp_path / "scale.json"
    results().write(path)
    assert main(["scale", "--markdown", str(path)]) == 0
    assert capsys.readouterr().out == section(results(), None)
    assert main(["scale", "--backend", "strict"]) == 2
    assert "takes no part" in capsys.readouterr().err
    assert main(["scale", "--case", "huge"]) == 2
    monkeypatch.setattr(places, "RESULTS", tmp_path)
    assert main(["scale", "--markdown"]) == 2
    assert "there are no results of scale" in capsys.readouterr().err


def test_what_fails_is_named_and_the_rest_is_written(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")

    def answer(order: Order) -> dict:
        if order.carrier == "gloo":
            raise processes.WorkerError("gone")
        return {
            "sums": [1e-6 * (1 + size) for size in order.sums],
            "steps": [(1e-5 + 1e-6 * batch, 0.1) for _, batch in order.cases],
            "grouped": [2e-5 + 2e-6 * batch for _, batch in order.cases] if order.carrier is None else [],
            "delayed": [1e-3 for _ in order.delayed],
            "versions": {"numpy": "2"},
        }

    monkeypatch.setattr(measure, "ask", answer)
    monkeypatch.setattr(measure, "carriers", lambda: ("mpi", "gloo"))
    monkeypatch.setattr(measure.machine, "settle", lambda: 0.0)
    path = tmp_path / "found.json"
    assert main(["scale", "--quick", "--backend", "numpy", "--case", "digits", "--output", str(path)]) == 1
    found = Results.read(path)
    assert found.problems == {"sums by gloo": "gone", "steps of numpy by gloo": "gone"}
    assert found.carriers() == ["mpi"]
    assert {one.case for one in found.simulated} == {"tiny", "digits"}
    for one in found.simulated:  # against a step as a group of one makes it, not as a process alone
        link = next(link for link in LINKS if link.name == one.link)
        rows = -(-CASES[one.case].batch // one.processes)
        computed = 2e-5 + 2e-6 * rows
        assert one.model == pytest.approx(
            computed + sum_seconds(4 * parameters(one.case), one.processes, link)
        )
    assert path.with_suffix(".svg").exists()
    assert "Cost model, steps of numpy" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_each_library_is_measured_in_two_processes(backend):
    pytest.importorskip(backend)
    found = processes.ask(
        Order(backend, "sockets", True, 0.02, cases=[("tiny", 32), ("digits", 64)]), patience=120
    )
    assert len(found["steps"]) == 2
    for seconds, share in found["steps"]:
        assert 0 < seconds < 0.1
        assert share is None or 0 < share < 1


def test_watching_leaves_a_communicator_as_it_was():
    """Some have their sum as a method, some as an attribute of their own."""
    communicator = Alone()
    with worker._watched(communicator, 3) as sums:
        communicator.sum(np.ones(3))
        communicator.sum(np.ones(1))
    assert len(sums) == 1
    assert "sum" not in vars(communicator)
    communicator.sum = function = communicator.sum
    with worker._watched(communicator, 3):
        assert communicator.sum is not function
    assert communicator.sum is function


@pytest.mark.slow
def test_two_processes_are_measured_by_each_carrier():
    for carrier in processes.carriers():
        order = Order("numpy", carrier, seconds=0.02, sums=[8, 8000], cases=[("tiny", 32)])
        found = processes.ask(order, patience=60)
        assert len(found["sums"]) == 2
        ((seconds, share),) = found["steps"]
        assert 0 < seconds < 0.1
        assert 0 < share < 1
    found = processes.ask(
        Order("numpy", seconds=0.02, cases=[("tiny", 32)], delayed=[("tiny", LINKS[0].name, 8)]), 60
    )
    assert (
        found["steps"][0] == [pytest.approx(found["grouped"][0]), 0]
        or found["steps"][0][0] < found["grouped"][0]
    )
    assert found["delayed"][0] > sum_seconds(4 * parameters("tiny"), 8, LINKS[0])
    with pytest.raises(processes.WorkerError, match="no backend|unknown|there is no"):
        processes.ask(Order("none"), 60)


def test_an_interrupted_run_keeps_what_it_has(monkeypatch):
    def answer(order: Order) -> dict:
        if order.carrier is None:
            raise KeyboardInterrupt
        return {"sums": [1e-6 for _ in order.sums], "versions": {}}

    monkeypatch.setattr(measure, "ask", answer)
    monkeypatch.setattr(measure.machine, "settle", lambda: 0.0)
    found = measure.measure(Plan(("numpy",), ("tiny",), ("mpi",), 0.1, (8,)), lambda name: None)
    assert found.sums == [Sum("mpi", 8, 1e-6)]
    assert found.problems == {"steps of numpy, and what follows": "interrupted"}


def test_a_plan_counts_its_parts():
    chosen = Plan(("numpy", "jax"), ("tiny", "digits"), ("mpi", "sockets"), 0.1)
    assert len([*measure._parts(chosen, Results({}, {}))]) == chosen.parts
    assert worker._agreed(None, 10**9) == worker.MOST
