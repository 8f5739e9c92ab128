"""``make bench-gpu``: pieces, the file that they are gone on with, and the tables; on the CPU."""

# ruff: noqa: E402 - the repository is put on the path first

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the package is not installed; it is run from the repository

from benchmarks import growth, machine
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import probes
from benchmarks.gpu.pieces import MEMBERS, Plan, pieces
from benchmarks.gpu.tables import tables
from benchmarks.ledger import Ledger, Piece
from benchmarks.process import environment
from multimlp.bench import Case
from multimlp.errors import FileFormatError, InputError


def test_without_a_gpu_it_says_so_in_a_line(monkeypatch, capsys):
    monkeypatch.setattr(machine, "_gpu", lambda: None)
    assert command.main([]) == command.BAD_USAGE == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert shown.err == (
        "bench-gpu: there is no CUDA device here; --device cpu --quick runs the same pieces on the CPU\n"
    )


def test_a_backend_that_takes_no_part_is_refused(tmp_path, capsys):
    arguments = ["--device", "cpu", "--quick", "--output", str(tmp_path / "r.json"), "--backend", "cupy"]
    assert command.main(arguments) == 2
    assert "'cupy' takes no part on cpu" in capsys.readouterr().err


def test_every_kind_of_measurement_is_a_piece_of_its_own():
    names = [piece.name for piece in pieces(Plan(("torch", "jax"), "cuda", (0,), quick=False))]
    assert len(set(names)) == len(names)
    assert names[:4] == ["probes torch", "probes-tf32 torch", "probes jax", "probes-tf32 jax"]
    for name in (
        "training tiny",
        "training wide",
        "training ensemble",
        "training-tf32 wide",
        "activation-gelu",
    ):
        assert f"{name} torch" in names
        assert f"{name} jax" in names
    assert {f"growth in {axis} jax" for axis in ("width", "depth", "batch", "rows", "members")} <= set(names)


def test_tf32_is_off_unless_a_piece_is_about_it():
    off, on = environment(1, "cuda"), environment(1, "cuda", tf32=True)
    assert off["NVIDIA_TF32_OVERRIDE"] == "0"
    assert "NVIDIA_TF32_OVERRIDE" not in on
    assert (on["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"], on["CUPY_TF32"]) == ("1", "1")
    assert environment(1, "cpu") == environment(1, "cpu", tf32=True)


def test_members_count_when_a_machine_is_to_hold_them():
    assert growth.fits(MEMBERS.case(1 << 18))
    assert not growth.fits(MEMBERS.case(1 << 28))
    assert growth.fits(Case("growth", (8, 16, 2), 32, 256))


@pytest.fixture
def made(monkeypatch):
    """Three pieces that measure nothing, the second of which fails; what has been run, and the clock that they move."""
    ran, clock = [], [0.0]

    def piece(name, problem=""):
        def run():
            ran.append(name)
            clock[0] += 60.0
            return {"product": {"64": 5.0}, "copy": 2.0, "launch": 1.0, "problem": problem}

        return Piece(name, run)

    found = [piece("probes numpy"), piece("probes torch", "out of memory"), piece("probes jax")]
    monkeypatch.setattr(command, "pieces", lambda plan: iter(found))
    monkeypatch.setattr("benchmarks.ledger.time.monotonic", lambda: clock[0])
    return ran


def test_it_goes_on_where_it_ended(made, tmp_path, capsys):
    path = tmp_path / "results.json"
    arguments = ["--device", "cpu", "--quick", "--output", str(path)]
    assert command.main([*arguments, "--minutes", "1.5"]) == command.UNFINISHED
    assert made == ["probes numpy"]
    assert "2 pieces are left" in capsys.readouterr().out
    assert command.main(arguments) == command.PROBLEMS
    assert made == ["probes numpy", "probes torch", "probes jax"]
    assert "out of memory" in capsys.readouterr().out
    assert command.main(arguments) == command.PROBLEMS
    assert len(made) == 3, "nothing is measured twice"
    command.main([*arguments, "--retry"])
    assert made[3:] == ["probes torch"]
    command.main([*arguments, "--only", "jax"])
    assert len(made) == 4
    assert not list(tmp_path.glob("*.part"))


def test_results_of_another_setting_and_other_files_are_refused(tmp_path):
    path = tmp_path / "results.json"
    Ledger(path, {"gpu": "A", "quick": True}).note("probes torch", 1.0, {"copy": 1.0}, "")
    assert Ledger(path, {"gpu": "A", "quick": True}).pieces["probes torch"]["found"] == {"copy": 1.0}
    with pytest.raises(InputError, match=r"gpu='A', this run has 'B'"):
        Ledger(path, {"gpu": "B", "quick": True})
    for text in ("", "[]", "{}", json.dumps({"version": 1, "setting": 3, "pieces": {}})):
        path.write_text(text)
        with pytest.raises(FileFormatError, match="no pieces of a run"):
            Ledger(path, {"gpu": "A"})
    path.write_text(json.dumps({"version": 99, "setting": {}, "pieces": {}}))
    with pytest.raises(FileFormatError, match="version 99"):
        Ledger(path, {})


def test_tables_say_what_was_reached():
    def measured(**seconds):
        plain = dict(case="c", title="t", unit="step", backend="torch")
        return {"measurements": [{**plain, "role": role, "rounds": [s, s]} for role, s in seconds.items()]}

    found = {
        "training tiny torch": measured(ours=1e-5, loop=3e-4),
        "training wide torch": measured(ours=1e-2, loop=1.1e-2, products=8e-3),
        "training-tf32 wide torch": measured(ours=1e-2, loop=1.1e-2, products=9.5e-3),
        "training digits torch": measured(loop=1.0),
        "activation-relu torch": measured(ours=2.0, native=1.0),
    }
    ledger = {name: {"found": f, "problem": "", "seconds": 1.0} for name, f in found.items()}
    ledger["growth in rows torch"] = {"found": {}, "problem": "no memory", "seconds": 1.0}
    by_title = {table.title: table for table in tables(ledger, "cuda")}
    training = [(row[0], row[2], row[-1]) for row in by_title["A training step"].rows]
    assert training == [("tiny", "off", "reached"), ("wide", "off", "missed"), ("wide", "on", "reached")]
    assert by_title["A training step"].rows[0][4] == pytest.approx(30)
    assert by_title["An activation"].rows[0][-1] == 0.5
    assert by_title["Not measured"].rows == [("growth in rows torch", "no memory")]
    on_cpu = next(iter(tables(ledger, "cpu")))
    assert {row[-1] for row in on_cpu.rows} == {None}


def test_probes_measure_in_plausible_units(monkeypatch):
    monkeypatch.setattr(probes, "_SECONDS", 0.0)
    found = probes.probe("numpy", "cpu", quick=True)
    assert found.keys() == {"product", "copy", "launch", "device"}
    assert 0.01 < found["product"]["256"] < 1e5
    assert 0.01 < found["copy"] < 1e4
    assert 0.01 < found["launch"] < 1e4


@pytest.mark.slow
def test_a_run_in_small(tmp_path, capsys):
    path = tmp_path / "results.json"
    arguments = ["--device", "cpu", "--quick", "--backend", "numpy", "--output", str(path)]
    for words in ("probes numpy", "training tiny", "activation-relu", "growth in members"):
        assert command.main([*arguments, "--only", words]) == 0
    assert probes.measure("no such library", "cpu", 1, True, False)["problem"]
    shown = capsys.readouterr().out
    for title in ("At best", "A training step", "An activation", "Growth"):
        assert title in shown
