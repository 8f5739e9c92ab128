"""NumPy is left as it was by the import of MXNet, whatever happens; each case is a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from multimlp.backend import is_installed

if not is_installed("mxnet"):
    pytest.skip("mxnet is not installed here; `make test-mxnet` runs these tests", allow_module_level=True)

NAMES = """
import sys, types
import numpy as np
import numpy.random, numpy.fft, numpy.linalg, numpy.testing, numpy.polynomial, numpy.ctypeslib

def names():
    return {name: value for name, value in vars(np).items() if not isinstance(value, types.ModuleType)}
"""


def run(script: str, *, path: str = "") -> str:
    """The output of a Python process; a failing one fails the test with its traceback."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in (path, os.environ.get("PYTHONPATH")) if p),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NAMES + textwrap.dedent(script)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numpy_is_as_it_was_after_the_import():
    run(
        """
        before = names()
        import multimlp as mm
        mm.get_backend("mxnet")
        import mxnet
        after = names()
        assert before.keys() == after.keys(), before.keys() ^ after.keys()
        assert all(before[name] is after[name] for name in before)
        """
    )


@pytest.fixture
def broken(tmp_path):
    """A stand-in for mxnet that needs the lent names and then fails."""
    package = tmp_path / "mxnet"
    package.mkdir()
    package.joinpath("__init__.py").write_text("import mxnet.part\n")
    package.joinpath("part.py").write_text(
        "import numpy as np\nprint('lent:', np.PINF, np.bool)\nraise ImportError('no libx.so')\n"
    )
    return str(tmp_path)


def test_numpy_is_as_it_was_after_an_import_that_fails(broken):
    output = run(
        """
        before = names()
        import multimlp as mm
        for attempt in range(2):
            try:
                mm.get_backend("mxnet")
            except mm.errors.MissingDependencyError as error:
                assert "libx.so" in str(error) and "graphviz" in str(error), error
            else:
                raise AssertionError("no error")
            assert names() == before
            assert not [name for name in sys.modules if name.partition(".")[0] == "mxnet"]
        """,
        path=broken,
    )
    assert output.count("lent: inf") == 2


def test_the_names_are_taken_back_when_the_block_raises_and_blocks_may_nest():
    run(
        """
        from multimlp.backends.mxnet import lent_numpy_names
        before = names()
        try:
            with lent_numpy_names():
                with lent_numpy_names():
                    assert np.PINF == float("inf")
                assert np.PINF == float("inf")
                raise KeyError
        except KeyError:
            pass
        assert names() == before
        """
    )


def test_threads_that_import_at_once_leave_numpy_as_it_was():
    run(
        """
        import threading
        import multimlp as mm
        before = names()
        found = []
        threads = [threading.Thread(target=lambda: found.append(mm.get_backend("mxnet"))) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert len(found) == 8 and len(set(map(id, found))) == 1
        assert names() == before
        """
    )


def test_mxnets_own_functions_still_find_the_names():
    """Indexing with a boolean array uses ``numpy.bool``, gluon's event handlers use ``numpy.Inf``."""
    output = run(
        """
        import multimlp as mm
        from multimlp.backends.mxnet import lent_numpy_names
        mm.get_backend("mxnet")
        import mxnet as mx
        x = mx.np.array([1.0, -1.0, 2.0])
        print(x[x > 0].asnumpy().tolist(), x[mx.np.array([0, 2], dtype="int32")].asnumpy().tolist())
        with lent_numpy_names():
            from mxnet.gluon.contrib.estimator import EarlyStoppingHandler
        EarlyStoppingHandler(mx.gluon.metric.Loss(), mode="min").train_begin(None)
        """
    )
    assert output.split("\n")[-2] == "[1.0, 2.0] [1.0, 2.0]"


def test_gluon_trains_as_before():
    """What somebody who moves off MXNet has: a hybridized Gluon network, with the gradients of ours."""
    run(
        """
        import multimlp as mm
        mm.get_backend("mxnet")
        import mxnet as mx
        mx.npx.set_np()
        from mxnet import gluon
        mlp = mm.MLP(3, [4], 2, activation="tanh")
        params = mlp.init(seed=0, backend="mxnet", dtype="float32")
        net = gluon.nn.HybridSequential()
        net.add(gluon.nn.Dense(4, activation="tanh", in_units=3), gluon.nn.Dense(2, in_units=4))
        net.initialize()
        for ours, theirs in zip(params, net):
            theirs.weight.set_data(ours.weight.T)
            theirs.bias.set_data(ours.bias)
        net.hybridize()
        X = mx.np.array(np.random.default_rng(0).normal(size=(5, 3)), dtype="float32")
        np.testing.assert_allclose(net(X).asnumpy(), mlp(params, X).asnumpy(), rtol=1e-6, atol=1e-7)
        with mx.autograd.record():
            loss = (net(X) ** 2).sum()
        loss.backward()
        ours = mm.grad(lambda p: mm.array_namespace(p[0].weight).sum(mlp(p, X) ** 2))(params)[0].weight
        theirs = net[0].weight.grad().T
        np.testing.assert_allclose(theirs.asnumpy(), ours.asnumpy(), rtol=1e-5, atol=1e-6)
        """
    )


OTHERS = [name for name in ("torch", "jax", "tensorflow") if is_installed(name)]


@pytest.mark.skipif(not OTHERS, reason="no other framework is installed beside mxnet here")
@pytest.mark.parametrize("order", ["mxnet first", "mxnet last"])
def test_it_shares_a_process_with_the_other_frameworks(order):
    """Loaded, trained and compared side by side, in float64, whichever comes first."""
    names = ["mxnet", *OTHERS] if order == "mxnet first" else [*OTHERS, "mxnet"]
    run(
        f"""
        import multimlp as mm
        before = names()
        X = np.random.default_rng(0).normal(size=(32, 4))
        y = np.arange(32) % 3
        expected = mm.fit(mm.MLP(4, [6], 3), X, y, dtype="float64", epochs=3, batch_size=8, progress=False)
        for name in {names!r}:
            result = mm.fit(
                mm.MLP(4, [6], 3), X, y, backend=name, dtype="float64", epochs=3, batch_size=8, progress=False
            )
            assert result.backend == name
            np.testing.assert_allclose(result.history["loss"], expected.history["loss"], rtol=1e-11)
            there = mm.convert(result.params, backend="mxnet")
            back = mm.convert(there, backend=name)
            for a, b in zip(mm.tree.leaves(back), mm.tree.leaves(result.params)):
                np.testing.assert_array_equal(mm.convert(a, "numpy"), mm.convert(b, "numpy"))
        after = names()
        assert before.keys() == after.keys(), before.keys() ^ after.keys()
        """
    )
