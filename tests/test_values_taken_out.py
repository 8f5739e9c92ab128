"""Values taken out of a derivative: refused by the tape, and by every library or by `check_grads`, which finds the constant."""

from __future__ import annotations

import numpy as np
import pytest
from libraries import NAMES, convert

import multimlp as mm
from multimlp import xp
from multimlp.backend import load_backend
from multimlp.errors import MultimlpError, ParityError
from multimlp.testing import check_grads

MISTAKES = {
    "float": lambda x: x[0] * float(x[1]),
    "item": lambda x: x[0] * x[1].item(),
    "a function of NumPy's": lambda x: xp.sum(xp.asarray(np.sin(np.asarray(x)), like=x) * x),
}


@pytest.mark.parametrize("library", NAMES)
@pytest.mark.parametrize("name", MISTAKES)
def test_they_are_refused_or_found(library, name):
    backend = load_backend(library)
    with backend.scope("float64"):
        x = convert(backend, np.asarray([1.5, 2.5, 3.5]))
        with pytest.raises((MultimlpError, AttributeError)) as raised:
            check_grads(MISTAKES[name], (x,), order=1)
        by_tape = backend.capabilities.autodiff == "tape"
        assert not (by_tape and isinstance(raised.value, ParityError))


def test_jax_numpys_own_unique_has_zeros_which_are_found():
    jnp = pytest.importorskip("jax").numpy
    x = jnp.asarray([1.5, 0.5, 2.5])
    with pytest.raises(ParityError, match="derivative 0"):
        check_grads(lambda x: jnp.sum(jnp.unique(x) ** 2), (x,), order=1)
    check_grads(lambda x: jnp.sum(mm.array_namespace(x).unique_values(x) ** 2), (x,), order=1)
