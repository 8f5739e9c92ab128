"""Compiled programs with their sums inside: devices of one process, and processes that a library has joined."""

from __future__ import annotations

import functools
import re

import data_parallel_cases as cases
import data_parallel_programs as programs
import numpy as np
import pytest
from test_data_parallel import alone, run, same_bits, worst

from multimlp.errors import DistributedError

COLLECTIVES = re.compile(
    r"= .*?(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)


def here(monkeypatch, function, devices, *arguments, flags=()):
    """In a process of its own with so many devices."""
    monkeypatch.setenv("XLA_FLAGS", " ".join((f"--xla_force_host_platform_device_count={devices}", *flags)))
    (found,) = run(function, 1, "jax", *arguments)
    return found


def check_devices(found, names):
    for name in names:
        limit = cases.TOLERANCES.get(name, 1e-12)
        several, again = (table[name] for table in found["several"])
        assert worst(several, found["one"][name]) <= limit, name
        assert same_bits(again, several), name
        first, *others = (table[name] for table in found["shards"])
        assert worst(first, found["one"][name]) <= limit, name
        assert all(same_bits(other, first) for other in others), name


def check_members(found, what="members"):
    (one, _), *others = found[what]
    for arrays, reason in others:
        assert "the members lie on" in reason
        assert max(np.abs(a - b).max() for a, b in zip(arrays, one, strict=True)) <= 1e-12


def test_two_devices_of_one_process_give_the_numbers_of_one(monkeypatch, tmp_path):
    pytest.importorskip("jax")
    module = "--xla_dump_hlo_module_re=.*(whole|members).*"
    found = here(
        monkeypatch,
        programs.on_two_devices,
        2,
        flags=(f"--xla_dump_to={tmp_path}", "--xla_dump_hlo_as_text", module),
    )
    assert worst(found["two"], found["one"]) <= 1e-12
    assert found["refused"].startswith(
        "InputError: devices: expected 9, one per process, but this process is alone with 2"
    )
    check_members(found)
    # Whole batches, and the smaller one at the end.
    assert collectives(tmp_path, "whole") == ["all-reduce"] * 2, "one sum a step, of one vector"
    assert collectives(tmp_path, "members") == [], "members have nothing to say to each other"


def collectives(folder, name):
    """What the compiled program has of them."""
    (path,) = folder.glob(f"*jit_{name}.cpu_after_optimizations.txt")
    return COLLECTIVES.findall(path.read_text())


@pytest.mark.slow
def test_four_devices_of_one_process_give_the_numbers_of_one(monkeypatch):
    pytest.importorskip("jax")
    names = cases.FOR_MANY
    found = here(monkeypatch, programs.on_devices, 4, names, (1, 2, 4))
    check_devices(found, names)
    check_members(found)
    check_members(found, "sweeps")
    assert found["reason"].endswith("XLA sums the gradients of 4 devices inside")
    assert found["local"] == (1, (cases.ROWS, cases.CLASSES))
    refused = found["refused"]
    assert refused["no such"].startswith("DeviceError: devices: ")
    assert refused["named"] == "nothing"
    assert refused["shards"].startswith(
        "InputError: shards: 5 pieces of a batch cannot be dealt to 4 workers"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "processes"), [("jax", 2), ("jax", 4), ("tensorflow", 2), ("tensorflow", 4)]
)
def test_shards_give_the_same_bits_on_any_number_of_processes(backend, processes):
    pytest.importorskip(backend)
    names = [name for name in cases.FOR_MANY if alone(backend, cases.FOR_MANY)[name] is not None]
    one = cases.table(names, backend, shards=4)[0]
    many = run(functools.partial(cases.table, devices="all", shards=4), processes, backend, names, backend)
    for name in names:
        assert all(same_bits(rank[0][name], one[name]) for rank in many), name


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_library_that_cannot_join_any_more_sums_over_the_host(backend):
    pytest.importorskip(backend)
    expected = cases.fitted("dropout", backend)
    for found, reason, shards in run(programs.too_late, 2, backend, backend):
        assert worst(found, expected) <= 1e-12
        assert reason.endswith("a group sums between two programs by sockets")
        assert shards.startswith(f"InputError: shards: {backend} had computed before")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_dead_process_is_an_error_that_names_the_checkpoint(backend, tmp_path):
    pytest.importorskip(backend)
    with pytest.raises(DistributedError, match="rank 1 of 2"):
        run(programs.dying, 2, backend, backend, str(tmp_path))
    text = (tmp_path / "said").read_text()
    assert text.startswith("DistributedError: another process is gone or stuck")
    assert "during a compiled epoch" in text
    assert "run.safetensors" in text


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_two_processes_are_resumed_by_one(backend, tmp_path):
    pytest.importorskip(backend)
    for shards in (None, 4):
        folder = tmp_path / str(shards)
        folder.mkdir()
        more = functools.partial(programs.checkpointed, devices="all", shards=shards)
        run(more, 2, backend, backend, str(folder), 2)
        resumed = programs.checkpointed(backend, str(folder), 4, devices=None, shards=shards)
        straight = tmp_path / f"straight {shards}"
        straight.mkdir()
        expected = programs.checkpointed(backend, str(straight), 4, devices=None, shards=shards)
        assert np.abs(resumed - expected).max() <= (1e-12 if shards is None else 0)
