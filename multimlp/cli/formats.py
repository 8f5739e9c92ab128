"""The file formats of other libraries that ``export`` writes and ``import`` reads; none of them runs code
when it is opened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from multimlp.cli.common import note
from multimlp.errors import InputError
from multimlp.files import replacing
from multimlp.mlp import MLP, Params

Model = tuple[MLP, Params]


class Writing(NamedTuple):
    """What is to be written, and what the target may want to know of it."""

    mlp: MLP
    params: Params
    task: str
    classes: list[Any] | None
    prepared: bool = False
    """Whether its inputs are to be standardised, which the target cannot say."""
    opset: int | None = None
    """Of an ONNX model."""
    combine: str = "members"
    """What is made of the outputs of an ensemble."""
    extra: dict[str, Any] | None = None
    """What a file of multimlp says of it beside its numbers."""


def write_onnx(path: Path, model: Writing) -> None:
    from multimlp.interop.onnx import to_onnx

    to_onnx(model.mlp, model.params, path, model.opset, model.combine)


def write_torch(path: Path, model: Writing) -> None:
    from multimlp.interop.torch import to_state_dict, write_state

    try:
        write_state(path, to_state_dict(model.mlp, model.params))
    except RuntimeError as error:  # torch's writer, of a full disk
        raise InputError(f"output: cannot write {str(path)!r}: {error}") from None


def write_keras(path: Path, model: Writing) -> None:
    from multimlp.interop.keras import to_keras

    if path.suffix != ".keras":
        raise InputError(f"output: a Keras model needs a name that ends in .keras, got {path.name!r}")
    with replacing(path) as beside, tempfile.TemporaryDirectory() as folder:
        to_keras(model.mlp, model.params, model.combine).save(Path(folder) / "model.keras")
        beside.write_bytes((Path(folder) / "model.keras").read_bytes())


def write_flax(path: Path, model: Writing) -> None:
    from multimlp.interop.flax import in_order, to_flax, write_variables

    mlp = model.mlp
    _, variables = to_flax(mlp, model.params)
    try:
        in_order(variables["params"])
    except InputError:  # with no numbers in them names are no order, and the file keeps none
        note(
            f"{str(path)!r} has numbers for the names of the layers, which tell no order: {', '.join(variables['params'])}"
        )
        _, variables = to_flax(mlp.renamed(None), model.params)
    write_variables(path, variables)


def write_nnx(path: Path, model: Writing) -> None:
    from multimlp.interop.flax import to_nnx, write_variables

    write_variables(path, to_nnx(model.mlp, model.params))


def write_equinox(path: Path, model: Writing) -> None:
    from multimlp.interop.equinox import to_equinox, write_leaves

    write_leaves(path, to_equinox(model.mlp, model.params))


def write_sklearn(path: Path, model: Writing) -> None:
    from multimlp.interop.sklearn import to_sklearn, write_npz

    write_npz(path, to_sklearn(model.mlp, model.params, model.task, model.classes))


def write_gluon(path: Path, model: Writing) -> None:
    from multimlp.interop.gluon import to_gluon

    to_gluon(model.mlp, model.params, path)


WRITERS: dict[str, Callable[[Path, Writing], None]] = {
    "onnx": write_onnx,
    "torch": write_torch,
    "keras": write_keras,
    "flax": write_flax,
    "nnx": write_nnx,
    "equinox": write_equinox,
    "sklearn": write_sklearn,
    "gluon": write_gluon,
}


class Reading(NamedTuple):
    """Where a model is read to, and the activations of formats that hold weights alone."""

    activation: Any
    final_activation: Any
    backend: str | None
    device: str | None
    dtype: str | None
    batch_norm: str | None = None
    """Of a Gluon file: whether it stands before or after the activations."""
    combine: str = "members"
    """What the model of an ensemble makes of the outputs of its members."""

    @property
    def place(self) -> tuple[str | None, str | None, str | None]:
        return self.backend or "numpy", self.device, self.dtype


def read_onnx(path: Path, how: Reading) -> Model:
    from multimlp.interop.onnx import from_onnx

    return from_onnx(path, *how.place, how.combine)


def read_torch(path: Path, how: Reading) -> Model:
    from multimlp.interop.torch import from_state_dict, read_state

    return from_state_dict(read_state(path), how.activation, how.final_activation, *how.place)


def read_keras(path: Path, how: Reading) -> Model:
    from multimlp.interop.keras import from_keras

    return from_keras(path, *how.place, how.combine)


def read_flax(path: Path, how: Reading) -> Model:
    from multimlp.interop.flax import from_variables, read_variables

    return from_variables(read_variables(path), how.activation, how.final_activation, *how.place)


def read_equinox(path: Path, how: Reading) -> Model:
    from multimlp.interop.equinox import from_leaves, read_leaves

    return from_leaves(read_leaves(path), how.activation, how.final_activation, *how.place)


def read_sklearn(path: Path, how: Reading) -> Model:
    from multimlp.interop.sklearn import from_sklearn, read_npz

    return from_sklearn(read_npz(path), *how.place)


def read_gluon(path: Path, how: Reading) -> Model:
    from multimlp.interop.gluon import from_gluon

    return from_gluon(path, how.activation, how.final_activation, *how.place, batch_norm=how.batch_norm)


READERS: dict[str, Callable[[Path, Reading], Model]] = {
    "onnx": read_onnx,
    "torch": read_torch,
    "keras": read_keras,
    "flax": read_flax,
    "nnx": read_flax,
    "equinox": read_equinox,
    "sklearn": read_sklearn,
    "gluon": read_gluon,
}
WITH_ACTIVATIONS = frozenset(("onnx", "keras", "sklearn"))
"""Formats that hold whole models, and not weights alone."""

OURS = "multimlp"
"""The format of `multimlp.save`, which is no other library's."""


WITH_CHAINS = ("onnx", "keras", OURS)
"""Formats that hold chains of blocks."""
COMBINING = ("onnx", "keras")
"""Formats that hold what is made of the outputs of an ensemble."""


def open_torch(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    from multimlp.interop.torch import read_state, to_torch

    module = to_torch(mlp, params, combine=combine)
    state, own = read_state(path), dict(module.state_dict())
    weights = ([name for name in names if name.endswith("weight")] for names in (own, state))
    for mine, theirs in zip(*weights, strict=True):  # by their order
        for part in ("weight", "bias"):
            read = state.get(f"{theirs.removesuffix('weight')}{part}")
            if read is not None:  # a bias that only other layers have is zeros
                own[f"{mine.removesuffix('weight')}{part}"] = read
    module.load_state_dict(own)
    return module


def open_flax(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    from multimlp.interop.flax import in_order, layers_in, read_variables, to_flax

    module, variables = to_flax(mlp, params, combine)
    read, own = in_order(layers_in(read_variables(path))), in_order(variables["params"])
    # A bias that only other layers have is zeros.
    layers = {name: {**own[name], **layer} for name, layer in zip(own, read.values(), strict=True)}
    return module, {"params": layers}


def open_nnx(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    from multimlp.interop.flax import read_variables, to_nnx, with_variables

    return with_variables(to_nnx(mlp, params, combine), read_variables(path))


def open_equinox(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    from multimlp.interop.equinox import read_leaves, to_equinox, with_leaves

    return with_leaves(to_equinox(mlp, params, combine), read_leaves(path))


def open_onnx(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    import onnx

    return onnx.load(path, load_external_data=False)


def open_keras(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    from multimlp.interop.keras import load_keras

    return load_keras(path)


def open_sklearn(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    from multimlp.interop.sklearn import read_npz

    return read_npz(path)


def open_ours(path: Path, mlp: MLP, params: Params, combine: str) -> Any:
    return mlp, params


OPENERS: dict[str, Callable[[Path, MLP, Params, str], Any]] = {
    "onnx": open_onnx,
    "torch": open_torch,
    "keras": open_keras,
    "flax": open_flax,
    "nnx": open_nnx,
    "equinox": open_equinox,
    "sklearn": open_sklearn,
    "gluon": open_ours,  # what a file of weights holds; MXNet itself cannot live beside current NumPy
    OURS: open_ours,
}
"""The model in a file as the library itself has it, for `multimlp.interop.verify`; formats that hold weights alone get the layers of
``mlp``, and of an ensemble make this of the members' outputs."""

SUFFIXES = {
    ".onnx": "onnx",
    ".pt": "torch",
    ".pth": "torch",
    ".safetensors": "torch",
    ".keras": "keras",
    ".msgpack": "flax",
    ".eqx": "equinox",
    ".npz": "sklearn",
    ".params": "gluon",
}


def format_of(path: str | os.PathLike[str], option: str = "--from") -> str:
    """The format that a name's ending stands for; the error names the option that says it otherwise.

    Examples
    --------
    >>> from multimlp.cli.formats import format_of
    >>> format_of("model.pt")
    'torch'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        known = OPENERS if option == "--to" else READERS
        raise InputError(
            f"{option}: cannot tell the format of {str(path)!r} from its name; say which: {', '.join(known)}"
        )
    return SUFFIXES[suffix]
