"""Training on several processes gives the numbers of one."""

from __future__ import annotations

import functools
import os

import data_parallel_cases as cases
import numpy as np
import pytest
from libraries import TRAINING

import multimlp as mm
from multimlp.backend import Target
from multimlp.distributed import Alone, Group, joined
from multimlp.errors import DeviceError, InputError
from multimlp.training._devices import group_for, share_members

SECONDS = 600
"""A hard limit: processes of tests are ended then."""


def run(function, processes, backend="numpy", *arguments):
    return mm.distributed.run(function, processes, backend, arguments, timeout=SECONDS)


COMPILED = (
    "dropout",
    "weights, clipped, scheduled",
    "ensemble",
    "own loss",
    "float16",
    "lbfgs, weights",
    "stream",
    "quantile",
    "gaussian_nll",
    "mixture_nll",
    "focal",
    "binary_focal",
    "ordinal",
    "class weights, ensemble",
    "normalised, residual",
    "dropout that fades",
    "batch ensemble",
    "inputs by name",
)
"""Cases for libraries that compile each of them, which takes seconds."""


@functools.cache
def alone(backend, names=tuple(cases.CASES)):
    """The table on one process, as `fit` does without any of this."""
    return cases.table(names, backend)[0]


def worst(found, expected):
    return max(np.abs(found[0] - expected[0]).max(), *(_apart(found[1], expected[1])))


def _apart(found, expected):
    assert found.keys() == expected.keys()
    return [np.abs(np.subtract(found[name], expected[name])).max() for name in expected]


def same_bits(found, expected):
    return np.array_equal(found[0], expected[0]) and found[1] == expected[1]


def check_table(backend, processes, names=tuple(cases.CASES)):
    """All cases on so many processes, twice, against one process."""
    ranks = run(functools.partial(cases.table, devices="all"), processes, backend, names, backend, 2)
    for name in names:
        expected = alone(backend, names)[name]
        if expected is None:
            assert ranks[0][0][name] is None
            continue
        found = ranks[0][0][name]
        limit = cases.TOLERANCES.get(name, 1e-12)
        assert worst(found, expected) <= limit, (name, worst(found, expected))
        for other in (*(rank[0] for rank in ranks), ranks[0][1]):
            assert same_bits(other[name], found), (name, worst(other[name], found))


def both(backend):
    """All that two processes are asked, in one start of them."""
    names = tuple(cases.CASES)
    return (
        cases.table(names, backend, 2, devices="all"),
        cases.table(names, backend, devices="all", shards=4)[0],
        cases.mutated(backend),
    )


@pytest.fixture(scope="module")
def two():
    return run(both, 2, "numpy", "numpy")


@pytest.mark.parametrize("name", cases.CASES)
def test_two_processes_give_the_numbers_of_one(two, name):
    expected = alone("numpy")[name]
    first, second = ([tables[i][name] for tables, *_ in two] for i in (0, 1))
    if expected is None:
        pytest.skip("no such dtype")
    assert worst(first[0], expected) <= cases.TOLERANCES.get(name, 1e-12)
    assert same_bits(first[1], first[0]), "the processes differ"
    assert same_bits(second[0], first[0]), "two runs differ"


@pytest.mark.parametrize("name", cases.CASES)
def test_shards_give_the_same_bits_on_one_and_two_processes(two, name):
    expected = alone("numpy")[name]
    if expected is None:
        pytest.skip("no such dtype")
    one = cases.fitted(name, "numpy", shards=4)
    assert worst(one, expected) <= cases.TOLERANCES.get(name, 1e-12)
    assert all(same_bits(shards[name], one) for _, shards, _ in two)


def test_the_comparison_notices_what_is_wrong(two):
    for mutant, name in cases.MUTANTS.items():
        assert worst(two[0][2][name], alone("numpy")[name]) > 1e-6, mutant.__name__


@pytest.mark.slow
@pytest.mark.parametrize("backend", [name for name in TRAINING if name != "numpy"])
def test_two_processes_of_every_library(backend):
    pytest.importorskip(backend)
    check_table(backend, 2, tuple(cases.CASES) if backend == "torch" else COMPILED)


@pytest.mark.slow
def test_three_processes():
    check_table("numpy", 3)


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "processes"), [("numpy", 4), ("numpy", 3), ("torch", 2), ("torch", 4)])
def test_shards_on_other_numbers_of_processes(backend, processes):
    pytest.importorskip(backend)
    shards = 6 if processes == 3 else 4
    names = [name for name in cases.CASES if alone(backend)[name] is not None]
    one = cases.table(names, backend, shards=shards)[0]
    many = run(
        functools.partial(cases.table, devices="all", shards=shards), processes, backend, names, backend
    )
    for name in names:
        for rank in many:
            assert same_bits(rank[0][name], one[name]), (name, worst(rank[0][name], one[name]))


# ---- what is refused, agreed on, written and read ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("runs"))
    return folder, run(cases.everything_else, 2, "numpy", folder)


@pytest.mark.parametrize(
    ("what", "first", "second"),
    [
        ("other data", "DistributedError: process 1 was given other", "DistributedError: X: process 1 has"),
        (
            "other seed",
            "DistributedError: process 1 was given other",
            "DistributedError: seed: process 1 has 1",
        ),
        (
            "other epochs",
            "DistributedError: process 1 was given",
            "DistributedError: epochs: process 1 has 3",
        ),
        (
            "one checkpoint",
            "DistributedError: process 1 was given",
            "DistributedError: checkpoint: process 1 has False",
        ),
        ("shards", "InputError: shards: 3 pieces", None),
        ("number", "InputError: devices: expected 3, one per process, but 2 processes were started", None),
        ("names", "nothing", None),
        ("numba", "CapabilityError: compile: 'numba' makes the steps of one process on one device", None),
        ("random", "CapabilityError: devices, shards: the model draws random numbers", None),
        ("mixing", "CapabilityError: devices, shards: in this model or loss", None),
        ("mixing activation", "CapabilityError: devices, shards: in this model or loss", None),
        ("stream", "DistributedError: process 1 and process 0 differ in the batches", None),
        (
            "fewer batches",
            "DistributedError: process 1 is at its steps where process 0 is at its epoch",
            None,
        ),
        (
            "thread",
            "InputError: InputError: devices: another thread of this process trains with the other",
            None,
        ),
        ("unlike", "DistributedError: process 1 and process 0 differ in parameters", None),
        ("damaged", "FileFormatError: ", "DistributedError: process 0: "),
    ],
)
def test_what_processes_say(others, what, first, second):
    _, (main, other) = others
    assert main[what].startswith(first)
    assert other[what].startswith(first if second is None else second)


def test_what_processes_agree_on(others):
    _, (main, other) = others
    assert main["alone"] is None, "launched beside others, but not asked to share"
    assert (main["enough"], other["enough"]) == ((1, "process 1 was stopped"), (1, "enough"))
    assert main["Ctrl-C"] == other["Ctrl-C"] == (1, "interrupted")
    (curve, coefficients, epochs), theirs = main["estimator"], other["estimator"]
    assert (curve, epochs) == (theirs[0], theirs[2])
    assert all(map(np.array_equal, coefficients, theirs[1])), "random_state=None is drawn by one for all"


def test_a_checkpoint_is_resumed_on_another_number_of_processes(others):
    folder, (main, other) = others
    whole = cases.vector(cases.small_fit(epochs=4, devices=None))
    assert np.abs(main["resumed"] - whole).max() <= 1e-12
    assert np.array_equal(main["resumed"], other["resumed"])
    sharded = {"shards": 4, "devices": None, "epochs": 4}
    path = os.path.join(folder, "shards.safetensors")
    with pytest.raises(InputError, match="shards=4, this one has None"):
        cases.small_fit(checkpoint=path, devices=None, epochs=4)
    resumed = cases.small_fit(checkpoint=path, **sharded)
    assert np.array_equal(cases.vector(resumed), cases.vector(cases.small_fit(**sharded)))


# ---- one process ---------------------------------------------------------------------------------------------------------


def test_nothing_is_shared_unless_asked(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert cases.small_fit(devices=None).group is None
    assert cases.small_fit(devices=1).group is None


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        (2, "devices: expected 2, one per process, but this process is alone.*multimlp train --processes 2"),
        (0, "devices: expected 'all', a number, or a list of names"),
        (True, "devices: expected 'all'"),
        ([], "devices: expected 'all'"),
        ("", "devices: expected 'all'"),
        ([1, 2], "devices: expected 'all'"),
        (2.5, "devices: expected 'all'"),
    ],
)
def test_what_cannot_be_shared_is_refused(devices, expected):
    with pytest.raises(InputError, match=expected):
        cases.small_fit(devices=devices)


def test_the_order_of_precedence(monkeypatch):
    monkeypatch.setenv("MULTIMLP_DEVICES", "3")
    with pytest.raises(InputError, match="^environment variable MULTIMLP_DEVICES: devices: expected 3"):
        cases.small_fit(devices=None)
    with pytest.raises(InputError, match="^devices: expected 4"):
        cases.small_fit(devices=4)
    with mm.use_backend("numpy", devices=2), pytest.raises(InputError, match="^devices: expected 2"):
        cases.small_fit(devices=None)
    with mm.use_backend("numpy", devices=2):
        assert cases.small_fit(devices="all").group is None
    monkeypatch.setenv("MULTIMLP_DEVICES", "some")
    with pytest.raises(DeviceError, match="devices: 'some' is not available"):
        cases.small_fit(devices=None)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_every_row_is_taken_once(size):
    for rows in (0, 1, 2, 5, 12, 13):
        for shards in (None, size, 3 * size):
            windows = [w for rank in range(size) for w in Group(_Rank(rank, size), shards).windows(rows)]
            assert np.array_equal(
                np.concatenate([np.arange(rows)[w.taken] for w in windows]), np.arange(rows)
            )
            assert max(w.size for w in windows) - min(w.size for w in windows) <= 1


class _Rank(Alone):
    def __init__(self, rank, size):
        self.rank, self.size = rank, size


class _Named:
    """A library with devices, of which here is none."""

    name, resolve_device = "named", staticmethod(str)


@pytest.mark.parametrize("share", [group_for, share_members])
def test_each_process_has_the_device_that_is_named_for_it(share):
    target = Target(_Named(), None, "float32")
    shards = (None,) if share is group_for else ()
    for rank in (0, 1):
        with joined(_Rank(rank, 2)):
            found = share(["a:0", "a:1"], *shards, target)
            assert found[-1].device == f"a:{rank}"
            with pytest.raises(InputError, match="device, devices: both say where training runs"):
                share(["a:0", "a:1"], *shards, target, "a:0")


def test_a_report_points_to_members_where_processes_do_not_pay():
    group = Group(_Rank(0, 2))
    group.clock.seconds = 3.0
    report = mm.training.GroupReport.of(group, 4.0)
    assert report.communicating == 0.75
    assert "many models" in report.advice
    assert mm.training.GroupReport.of(group, 40.0).advice is None
