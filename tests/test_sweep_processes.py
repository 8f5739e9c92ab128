"""A sweep on two processes gives the table of one."""

import os
import time

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.errors import DistributedError

GRID = {
    "seed": range(50),
    "learning_rate": [0.1, 0.03, 0.01, 0.003, 0.001],
    "l2": [0.0, 1e-3],
    "dropout": [0.0, 0.3],
}
"""1000 candidates."""


def table_of_a_thousand(backend, devices):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((64, 4)), rng.integers(0, 2, 64)
    optimizer = mm.optimizers.adam(clip_norm=1.0)
    found = []
    for keep in (None, 3):
        given = {"epochs": 2, "batch_size": 16, "dtype": "float64", "progress": False, "keep": keep}
        result = mm.sweep(mm.MLP(4, 3, 2), GRID, X, y, devices, optimizer=optimizer, backend=backend, **given)
        leaves = [np.asarray(leaf) for leaf in tree.leaves(result.host_params)]
        found.append((result.table.columns, result.kept, leaves, result.best.index))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpy", "torch", "jax", "tensorflow"])
def test_a_thousand_networks_on_two_processes_and_on_one(backend):
    pytest.importorskip(backend)
    alone = table_of_a_thousand(backend, None)
    for together in mm.distributed.run(table_of_a_thousand, 2, "numpy", (backend, "all"), timeout=280):
        for one, two in zip(alone, together, strict=True):
            assert one[0].keys() == two[0].keys()
            assert np.array_equal(one[1], two[1])
            assert one[3] == two[3]
            pairs = [*((one[0][k], two[0][k]) for k in one[0]), *zip(one[2], two[2], strict=True)]
            for a, b in pairs:
                if backend == "numpy":
                    assert np.array_equal(a, b, equal_nan=True)
                else:
                    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


SMALL = {"epochs": 2, "backend": "numpy", "progress": False}


def small(grid, devices="all", **given):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((64, 4)), rng.integers(0, 2, 64)
    return mm.sweep(mm.MLP(4, 3, 2), grid, given.pop("X", X), y, devices, **SMALL | given)


def asked(rank, call):
    """What the processes say where one of them is given something else."""
    try:
        call(rank)
    except DistributedError as error:
        return str(error)
    return "nothing"


def everything_of_few():
    """What two processes do with fewer candidates than they are, with other arguments each, and with work of other lengths."""
    rank, found = mm.distributed.rank(), {}
    for dtype in ("float32", "float64"):
        result = small({"seed": [3]}, dtype=dtype)
        found[dtype] = [np.asarray(leaf) for leaf in tree.leaves(result.params(0))], result.table.columns
    unlike = {
        "grid": lambda rank: small({"learning_rate": [0.1, 0.1 + 0.1 * rank]}),
        "number": lambda rank: small({"seed": range(2 + rank)}),
        "X": lambda rank: small({"seed": range(2)}, X=np.full((64, 4), float(rank))),
        "epochs": lambda rank: small({"seed": range(2)}, epochs=2 + rank),
        "score": lambda rank: small({"seed": range(2)}, score=("loss", "val_loss")[rank]),
        "checkpoint": lambda rank: small({"seed": range(2)}, checkpoint=(None, "sweep")[rank]),
    }
    found["unlike"] = {name: asked(rank, call) for name, call in unlike.items()}
    os.environ["MULTIMLP_TIMEOUT"] = "1"
    for link in mm.distributed.current()._links:  # which were made with a longer one, that the start needs
        link.settimeout(1.0)
    slow = [lambda run: time.sleep(0.25 * rank)]
    found["patient"] = small({"seed": range(2)}, epochs=10, callbacks=slow).table.columns
    return found


@pytest.fixture(scope="module")
def two():
    return mm.distributed.run(everything_of_few, 2, timeout=100)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fewer_candidates_than_processes(two, dtype):
    alone = small({"seed": [3]}, None, dtype=dtype)
    for found in two:
        leaves, columns = found[dtype]
        for mine, theirs in zip(leaves, tree.leaves(alone.params(0)), strict=True):
            assert mine.dtype == theirs.dtype == np.dtype(dtype)
            assert np.array_equal(mine, theirs)
        assert {k: v.tolist() for k, v in columns.items()} == {
            k: v.tolist() for k, v in alone.table.columns.items()
        }


@pytest.mark.parametrize("name", ["grid", "number", "X", "epochs", "score", "checkpoint"])
def test_processes_that_were_given_other_things_say_so(two, name):
    called = "grid" if name == "number" else name
    main, other = (found["unlike"][name] for found in two)
    assert main.startswith("process 1 was given other arguments or data than process 0")
    assert other.startswith(f"{called}: process 1 has ")


def test_who_has_done_first_waits_for_those_that_are_at_work(two):
    alone = small({"seed": range(2)}, None, epochs=10)
    for found in two:
        assert {k: v.tolist() for k, v in found["patient"].items()} == {
            k: v.tolist() for k, v in alone.table.columns.items()
        }
