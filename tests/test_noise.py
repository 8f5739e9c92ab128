"""Frameworks' greetings and advice on what is done inside never reach the user; what he asked to be told does."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import multimlp as mm
from multimlp.backend import load_backend
from multimlp.backends import quiet

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def said_under(monkeypatch, capfd, level, jax_is_there) -> tuple[str, str | None]:
    monkeypatch.delenv(LEVEL, raising=False)
    if level is not None:
        monkeypatch.setenv(LEVEL, level)
    if jax_is_there:
        monkeypatch.setitem(sys.modules, "jax", sys)
    else:
        monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setattr(quiet, "_chosen", level)
    with quiet.quiet_tensorflow():
        os.write(2, b"greetings")
    return capfd.readouterr().err, os.environ.get(LEVEL)


@pytest.mark.parametrize(
    ("level", "jax_is_there", "said", "left"),
    [
        (None, False, "", "3"),
        (None, True, "", "3"),
        ("1", True, "", "3"),  # JAX sets it
        ("1", False, "greetings", "1"),
        ("0", True, "greetings", "0"),
        ("2", False, "greetings", "2"),
        ("3", True, "greetings", "3"),
    ],
)
def test_what_tensorflow_says_while_it_is_imported(monkeypatch, capfd, level, jax_is_there, said, left):
    assert said_under(monkeypatch, capfd, level, jax_is_there) == (said, left)


def test_the_level_set_here_is_nobodys_choice(monkeypatch, capfd):
    for _ in range(2):
        assert said_under(monkeypatch, capfd, None, False)[0] == ""
        with quiet.quiet_tensorflow():
            os.write(2, b"once more")
        assert capfd.readouterr().err == ""


def test_what_was_said_before_an_import_failed_is_shown(monkeypatch, capfd):
    monkeypatch.delenv(LEVEL, raising=False)

    def fail():
        os.write(2, b"the reason")
        raise ImportError

    with pytest.raises(ImportError), quiet.quiet_tensorflow():
        fail()
    assert capfd.readouterr().err == "the reason"


def test_tensorflow_gives_no_advice_on_programs_made_here(caplog):
    tf = pytest.importorskip("tensorflow")
    x = load_backend("tensorflow").asarray(np.ones(3, np.float32))
    mlp = mm.MLP(3, 4, 2)
    params = mlp.init(seed=0, backend="tensorflow")
    with caplog.at_level(logging.WARNING, "tensorflow"):
        for n in range(5):
            mm.jit(lambda x, n=n: x + float(n), compiler="graph")(x)
            mm.predict(mlp, params, np.ones((2**n, 3), np.float32))
        assert caplog.text == ""
        for n in range(6):
            tf.function(lambda x, n=n: x + float(n))(x)
        assert "triggered tf.function retracing" in caplog.text  # of the user's own functions


@pytest.mark.parametrize("compiler", ["xla", "graph"])
def test_a_compiled_function_is_traced_once_for_each_kind_of_arguments(compiler):
    pytest.importorskip("tensorflow")
    backend = load_backend("tensorflow")
    seen = []

    def f(x):
        seen.append(x)
        return x * 2.0

    compiled = mm.jit(f, compiler=compiler)
    for n in (1, 2, 1, 2, 1, 2):
        compiled(backend.asarray(np.full(n, float(len(seen)), np.float32)))
    assert len(seen) == 2


def test_torch_does_not_warn_of_what_is_inside_of_it():
    pytest.importorskip("torch")
    from multimlp.backends.torch._quiet import quiet_inside

    inside = [
        ("`torch.jit.script` is deprecated. Please switch", DeprecationWarning),
        ("`torch.jit.script_method` is deprecated. Please switch", DeprecationWarning),
        ("`torch._prims_common.check` is deprecated and will", FutureWarning),
        (
            "Dynamo detected a call to a `functools.lru_cache`-wrapped function.\n\n  This call\n  /array_api_compat/_helpers.py",
            UserWarning,
        ),
    ]
    others = [
        ("Dynamo detected a call to a `functools.lru_cache`-wrapped function.\n\n  my_own.py", UserWarning),
        ("`torch.jit.trace` is deprecated", DeprecationWarning),
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet_inside():
            for message, category in [*inside, *others]:
                warnings.warn(message, category, stacklevel=1)
    assert [str(one.message) for one in caught] == [message for message, _ in others]


EVERYTHING = """
import numpy as np
import multimlp as mm
from multimlp.interop.keras import to_keras
mlp = mm.MLP(3, 4, 2)
to_keras(mlp, mlp.init(seed=0))
X, y = np.ones((40, 3), np.float32), np.arange(40) % 2
f = lambda x: mm.array_namespace(x).sum(mm.activations.gelu(x))
for name in ("jax", "torch", "tensorflow"):
    for n in (8, 16, 24, 32, 40):
        result = mm.fit(mlp, X[:n], y[:n], epochs=1, backend=name)
    x = mm.convert(X, backend=name)
    mm.jit(mm.value_and_grad(f))(x), mm.hessian(f)(x), mm.vmap(mm.grad(f))(x), mm.jvp(f, (x,), (x,))
"""


@pytest.mark.slow
def test_a_process_that_uses_everything_says_nothing():
    for name in ("jax", "torch", "tensorflow", "keras"):
        pytest.importorskip(name)
    environment = {name: value for name, value in os.environ.items() if name != LEVEL}
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", EVERYTHING],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert (done.stdout, done.stderr) == ("", "")
