"""Random wrong arguments for everything public: what comes of them is an error of multimlp's own, or a result.

``MULTIMLP_FUZZ_SECONDS`` says for how long, ``MULTIMLP_FUZZ_SEED`` where to begin; a finding is shown with both, and with the call.
"""

import contextlib
import io
import os
import random
import signal
import string
import time
import traceback

import numpy as np
import public_calls
import pytest

import multimlp as mm
from multimlp.backend import is_installed, load_backend
from multimlp.errors import MultimlpError
from multimlp.errors.shown import shown

SECONDS = float(os.environ.get("MULTIMLP_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("MULTIMLP_FUZZ_SEED", str(time.time_ns() % 10**6)))
LIBRARIES = [name for name in ("numpy", "torch", "jax", "tensorflow", "strict") if is_installed(name)]
LONG = [
    "epochs",
    "n_epochs",
    "max_iter",
    "max_fun",
    "n_iter",
    "every",
    "order",
    "length",
    "upper",
    "steps",
    "n_folds",
    "n_repeats",
    "hidden_layer_sizes",
    "cond_fun",
    "body_fun",
]
"""Arguments of which a huge value, or a function that never ends a loop, is right and takes for ever."""
CASE_SECONDS = 30
WORDS = (
    "relu",
    "torhc",
    "irsi",
    "float32",
    "flaot32",
    "cuda:9",
    "adma",
    "mse",
    "no",
    "mean",
    "xla",
    "",
    "x",
    "0.5",
    "nan",
    "\0",
)
DTYPES = ("float32", "float64", "int32", "bool", "complex64", "object", "str", "datetime64[D]")


class TookTooLong(BaseException):
    """Not an `Exception`, so that nobody takes it for a wrong argument."""


def stop(*_):
    raise TookTooLong


def wrong_value(draw, depth=0):
    """Any value at all, small."""
    kind = draw.randrange(13 if depth < 2 else 10)
    if kind == 0:
        return draw.choice([None, True, False, ..., object(), mm, int, b"x", 1j, range(3), np.bool_(True)])
    if kind == 1:
        return draw.choice([draw.randint(-3, 9), 10**30, -(2**70), 2**63])
    if kind == 2:
        return draw.choice([draw.uniform(-2, 2), float("nan"), float("inf"), -float("inf"), 1e300, 2.0, -0.0])
    if kind == 3:
        return draw.choice([*WORDS, "".join(draw.choices(string.printable, k=draw.randint(1, 8)))])
    if kind == 4:
        return draw.choice(
            [np.float64(0.5), np.int64(2), np.float32("nan"), np.asarray(3), np.asarray(0.5), np.str_("a")]
        )
    if kind in (5, 6, 7):
        return wrong_array(draw)
    if kind == 8:
        return draw.choice(
            [lambda *given, **named: None, lambda *given, **named: given[0] if given else 1, mm.MLP(4, 5, 3)]
        )
    if kind == 9:
        return draw.choice(
            [
                load_backend("numpy"),
                np.random.default_rng(0),
                (item for item in "ab"),
                {1},
                frozenset("a"),
                np.random,
            ]
        )
    items = [wrong_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == 12:
        return dict(zip(("name", "options", "a", 1), items, strict=False))
    return tuple(items) if kind == 11 else items


def wrong_array(draw):
    """An array of any shape and dtype, of any library."""
    shape = draw.choice([(), (0,), (1,), (3,), (2, 0), (12, 4), (12, 3), (1, 1, 1), (2, 12, 4)])
    dtype = draw.choice(DTYPES)
    array = np.zeros(shape, dtype) if draw.random() < 0.5 else np.ones(shape).astype(dtype)
    if array.dtype.kind in "fc" and draw.random() < 0.3:
        array = array * np.nan
    library = load_backend(draw.choice(LIBRARIES))
    return library.asarray(array) if array.dtype.kind in "bif" and draw.random() < 0.5 else array


def finding(call, draw):
    """What is wrong with what came of one or two wrong arguments, or None."""
    function, right = call
    wrong = {
        name: wrong_value(draw)
        for name in draw.sample(list(right), min(len(right), draw.choice([1, 1, 1, 2])))
    }
    if any(name in LONG and takes_long(value) for name, value in wrong.items()):
        return None
    signal.alarm(CASE_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            function(**{**right, **wrong})
    except TookTooLong:
        return f"{shown(wrong):.300}: more than {CASE_SECONDS} s"
    except MultimlpError as error:
        return None if str(error) else f"{wrong}: an error without words"
    except Exception as error:
        own = any(map(callable, public_values(wrong))) and type(error).__module__ != "multimlp"
        own = own or of_the_user(error)
        own = own or isinstance(error, IndexError)  # Python's own, of an index out of bounds
        own = (
            own or type(error).__name__ == "InvalidParameterError"
        )  # scikit-learn's, of what it takes itself
        return None if own else f"{shown(wrong):.300}: {type(error).__name__}: {error!s:.300}{place(error)}"
    finally:
        signal.alarm(0)
    return None


def of_the_user(error):
    """Whether a function that was handed in raised it, or was called with arguments that it has not: one of public_calls.py or here."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    ours = max(i for i, name in enumerate(files) if "public_calls" in name or "test_fuzz" in name)
    called_back = any("multimlp/" in name for name in files[:ours])
    return called_back or str(error).startswith(("square_sum()", "square()"))


def place(error):
    """The last line of ours that it came through."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "multimlp" in frame.filename or "backends" in frame.filename
    ]
    return f" ({ours[-1].filename.rpartition('multimlp/')[2]}:{ours[-1].lineno})" if ours else ""


def takes_long(value):
    if callable(value):
        return True
    return any(isinstance(n, (int, float)) and n > 100 for n in public_values(value))


def public_values(value):
    """The leaves of what was given: a callable among them was called, and what it raises is its own."""
    return mm.tree.leaves(value)


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore")
def test_wrong_arguments_get_an_error_of_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    draw, families = random.Random(SEED), public_calls.everything(tmp_path, LIBRARIES)
    findings, calls, end = {}, 0, time.monotonic() + SECONDS
    signal.signal(signal.SIGALRM, stop)
    while time.monotonic() < end:
        family = draw.choice(families)
        label = draw.choice(list(family))
        found = finding(family[label], draw)
        calls += 1
        if found is not None:
            findings.setdefault(label, found)
        if label.startswith("plot"):
            pyplot.close("all")
    listed = "\n".join(f"{label}: {found}" for label, found in findings.items())
    assert not findings, f"MULTIMLP_FUZZ_SEED={SEED}, {calls} calls:\n{listed}"
