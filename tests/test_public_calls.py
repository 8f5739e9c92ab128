"""The table of right calls: each is right, and everything public is in it or left out for a reason."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re

import public_calls
import pytest

from multimlp.backend import is_installed

MODULES = """transforms activations blocks callbacks data estimators frames initializers interop interop.equinox interop.flax
interop.gluon interop.keras interop.onnx interop.optax interop.sklearn interop.tensorflow interop.torch lessons losses metrics optimizers
plotting random regularizers schedules structure testing tree"""
OWN = ("backend", "distributed", "errors", "files", "mlp", "parity", "training")
"""Of these rooms the users' part is in `multimlp` itself; the rest is how rooms talk to each other."""
STANDARD = ("xp", "xp.fft", "xp.linalg")
"""The standard's functions hand arguments on to the library of the arrays, whose errors they raise: `tests/test_xp.py` calls them all."""
LEFT_OUT = {
    "names": "no arguments",
    "supported_activations": "no arguments",
    "blocks.block": "a decorator for blocks of one's own, at import",
    "callbacks.watched": "of `fit` and of estimators",
    "callbacks.with_best": "of `fit` and of estimators",
    "data.read_columns": "of the commands: by the schema in a model's file",
    "frames.as_text": "of readers of files",
    "frames.is_missing": "of any object",
    "frames.kind_of": "of any object",
    "frames.median": "of what prepares tables",
    "interop.equinox.read_leaves": "tests/test_fuzz_files.py reads damaged files of every format",
    "interop.equinox.with_leaves": "of the commands",
    "interop.equinox.write_leaves": "of the commands",
    "interop.flax.in_order": "of the commands",
    "interop.flax.layers_in": "of the commands",
    "interop.flax.read_variables": "as read_leaves",
    "interop.flax.with_variables": "of the commands",
    "interop.flax.write_variables": "of the commands",
    "interop.gluon.read_params": "as read_leaves",
    "interop.keras.load_keras": "as read_leaves",
    "interop.onnx.encode_table": "of `estimators.to_onnx`",
    "interop.onnx.held": "inside of a function that `record` calls",
    "interop.onnx.lookup": "inside of a function that `record` calls",
    "interop.onnx.table_inputs": "of `estimators.to_onnx`",
    "interop.sklearn.read_npz": "as read_leaves",
    "interop.sklearn.write_npz": "of the commands",
    "interop.torch.read_state": "as read_leaves",
    "interop.torch.write_state": "of the commands",
    "lessons.array": "of the lessons",
    "lessons.lesson": "a decorator, of the lessons",
    "losses.aligned": "of losses",
    "losses.one_hot": "of losses",
    "plotting.style": "no arguments",
    "structure.summary": "of `MLP.summary`",
    "testing.comparable_backends": "no arguments",
}


def public(path: str) -> list[str]:
    """The functions of a module that are its API."""
    module = importlib.import_module(path)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            n for n, thing in vars(module).items() if getattr(thing, "__module__", "") == path and n[0] != "_"
        ]
    return [name for name in names if inspect.isroutine(getattr(module, name))]


def called(labels: list[str]) -> set[str]:
    """What the labels stand for: ``"losses.mse.gradient of rows"`` for ``losses.mse.gradient``, ``losses.mse`` and ``losses``."""
    parts = [re.split(r"[ (]", label)[0].split(".") for label in labels]
    return {".".join(path[:stop]) for path in parts for stop in range(1, len(path) + 1)}


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    pytest.importorskip("matplotlib")
    for package in ("sklearn", "torch", "tensorflow", "jax"):
        pytest.importorskip(package)
    families = public_calls.everything(tmp_path_factory.mktemp("calls"), ["numpy"])
    return [label for family in families for label in family]


@pytest.mark.parametrize("name", ["", *MODULES.split()])
def test_everything_public_is_called_with_wrong_arguments(name, labels):
    known = called(labels)
    missing = [
        function
        for function in public(f"multimlp.{name}".rstrip("."))
        if not {function, f"{name}.{function}"} & (known | set(LEFT_OUT))
    ]
    assert missing == [], "tests/public_calls.py knows no right call of these"


def test_every_module_of_the_documentation_is_looked_at():
    import multimlp as mm

    rooms = [n for n in mm.__all__ if inspect.ismodule(getattr(mm, n))]
    assert set(rooms) <= {*MODULES.split(), *OWN, *STANDARD}
    assert [
        n
        for n in LEFT_OUT
        if "." in n and n.rpartition(".")[2] not in public(f"multimlp.{n.rpartition('.')[0]}")
    ] == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "library",
    ["numpy", "strict", *(pytest.param(n, marks=pytest.mark.slow) for n in ("torch", "jax", "tensorflow"))],
)
def test_right_calls_are_right(library, tmp_path, monkeypatch, labels):
    if not is_installed(library):
        pytest.skip(f"needs {library}")
    monkeypatch.chdir(tmp_path)
    for family in public_calls.everything(tmp_path, [library]):
        for function, right in family.values():
            with contextlib.redirect_stdout(io.StringIO()):
                function(**right)
