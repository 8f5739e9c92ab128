"""A sweep on two processes gives the table of one."""

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree

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
