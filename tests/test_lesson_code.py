"""The code in the lessons' texts: each library's own gives the answer of all others, of multimlp and of the lesson."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from multimlp.backend import is_installed

ROOT = Path(__file__).resolve().parent.parent
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "multimlp" / "lessons").glob("*.md")}
LIBRARIES = {"NumPy": "numpy", "PyTorch": "torch", "JAX": "jax", "TensorFlow": "tensorflow", "MXNet": "mxnet"}
TOLERANCE = {"MXNet": 1e-6}
"""MXNet makes float32 of a Python number in a product or a sum."""

NUMBERS = {
    "linear_models": ("slope of the risk at 35 °C", lambda answer: answer[0]),
    "feature_maps": ("w2", lambda answer: answer[2]),
    "collapse": ("largest singular value, narrow", lambda answer: answer[0]),
    "hidden_layers": ("first output of the first example", lambda answer: answer[0]),
    "activation_functions": ("sigmoid'(0)", lambda answer: answer[1]),
    "derivatives": ("Swish, β = 1.5: largest derivative", float),
    "tanh_and_sigmoid": ("fresh network at 1", lambda answer: answer[2]),
    "piecewise_linear": ("bends of a fresh layer of 16", len),
    "vanishing_gradients": ("derivative of 20 sigmoids in a row", float),
    "universal_approximation": ("error without training, 64 units", float),
    "batch_nonlinearity": ("influence of the third of three numbers", lambda answer: answer[2]),
    "from_scratch": ("XOR: loss of epoch 100", float),
}
"""Which of the lesson's numbers the code computes."""


def code_of(name):
    """What the text has for each library, by the library's name."""
    return dict(re.findall(r"^```python (\w+)\n(.*?)^```", TEXTS[name], flags=re.MULTILINE | re.DOTALL))


@contextlib.contextmanager
def jax_as_it_was():
    """The code for JAX turns 64 bits on, for the whole process."""
    if not is_installed("jax"):
        yield
        return
    import jax

    before = jax.config.jax_enable_x64
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def host(array):
    return np.asarray(array.asnumpy() if hasattr(array, "asnumpy") else array, dtype=np.float64)


@functools.cache
def answers(name, label):
    """What the library's own code answers, and what multimlp does."""
    namespace = {}
    with jax_as_it_was(), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code_of(name)[label], namespace)
        assert printed.getvalue()
        return host(namespace["answer"]), host(namespace["same"])


def distance(got, expected):
    assert got.shape == expected.shape
    return np.max(np.abs(got - expected)) / np.max(np.abs(expected))


@pytest.mark.parametrize("label", LIBRARIES)
@pytest.mark.parametrize("name", NUMBERS)
def test_the_code_for_a_library_gives_the_answer(name, label):
    if not is_installed(LIBRARIES[label]):
        pytest.skip(f"{label} is not installed here")
    answer, same = answers(name, label)
    tolerance = TOLERANCE.get(label, 1e-8)
    assert distance(answer, same) < tolerance
    assert distance(answer, answers(name, "NumPy")[0]) < tolerance
    key, number = NUMBERS[name]
    kept = json.loads((ROOT / "docs" / "lessons" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert number(answer) == pytest.approx(kept["numbers"][key], rel=1e-5)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_code_is_short_and_the_librarys_own(name):
    found = code_of(name)
    assert list(found) == list(LIBRARIES)
    for label, code in found.items():
        assert re.search(rf"^(import|from) {LIBRARIES[label]}\b", code, flags=re.MULTILINE)
        assert len([line for line in code.splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("name", NUMBERS)
def test_the_answers_to_the_exercises_hold(name):
    blocks = re.findall(r"^```python\n(.*?)^```", TEXTS[name], flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(block, {})
        assert "assert" in block or "AssertionError" in block or printed.getvalue()


def test_every_text_is_tested():
    assert set(TEXTS) == set(NUMBERS)
