"""The file formats of other libraries that ``export`` writes and ``import`` reads; none of them runs code
when it is opened."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from multimlp import activations, files
from multimlp.cli.common import note
from multimlp.cli.pipeline import meaning
from multimlp.errors import InputError
from multimlp.files import replacing
from multimlp.mlp import DEFAULT_ACTIVATION, MLP, Params

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

    @property
    def place(self) -> tuple[str | None, str | None, str | None]:
        return self.backend or "numpy", self.device, self.dtype


def read_onnx(path: Path, how: Reading) -> Model:
    from multimlp.interop.onnx import from_onnx

    return from_onnx(path, *how.place)


def read_torch(path: Path, how: Reading) -> Model:
    from multimlp.interop.torch import from_state_dict, read_state

    return from_state_dict(read_state(path), how.activation, how.final_activation, *how.place)


def read_keras(path: Path, how: Reading) -> Model:
    from multimlp.interop.keras import from_keras

    return from_keras(path, *how.place)


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


def check_target(target: str, mlp: Any) -> None:
    """Raise where a chain of blocks would go to a format that holds weights alone, or networks alone."""
    if not isinstance(mlp, MLP) and target not in _WITH_CHAINS:
        raise InputError(
            f"--to: {target} files hold plain networks alone, and this model is {mlp!r}; formats for it: {', '.join(_WITH_CHAINS)}"
        )


def read_foreign(path: str, args: argparse.Namespace, source: str) -> Model:
    """The model and the parameters of a file of this format, and a note if its activations are taken to be the default."""
    found = READERS[source](Path(path), _reading_of(args, source))
    if source not in WITH_ACTIVATIONS and args.activation is None:
        note(
            f"{source} files hold weights and tell no activations: {DEFAULT_ACTIVATION} is taken; say another by --activation"
        )
    return found


def check_source_options(args: argparse.Namespace, source: str) -> None:
    """`InputError` for activations, or a place of BatchNorm, of a format that says its own."""
    if (source in WITH_ACTIVATIONS or source == OURS) and (args.activation or args.final_activation):
        raise InputError(
            f"--activation, --final-activation: {source} models tell their activations themselves; leave both out"
        )
    if args.batch_norm is not None and source != "gluon":
        raise InputError(
            f"--batch-norm: {source} models say themselves where it stands, or hold none; it is for gluon, so leave it out"
        )


def _reading_of(args: argparse.Namespace, source: str) -> Reading:
    """How to read a model of this format, from ``--activation``, ``--final-activation`` and where it shall be.

    Raises
    ------
    InputError
        As `check_source_options`; for activations that there are not.
    """
    check_source_options(args, source)
    rules = [activations.describe(name).name for name in args.activation or [DEFAULT_ACTIVATION]]
    if args.final_activation is not None:
        activations.describe(args.final_activation)
    return Reading(
        rules[0] if len(rules) == 1 else rules,
        args.final_activation,
        args.backend,
        args.device,
        args.dtype,
        args.batch_norm,
    )


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """``--activation``, ``--final-activation`` and ``--batch-norm``, for files that hold weights alone."""
    add = parser.add_argument
    add(
        "--activation",
        nargs="+",
        metavar="NAME",
        help=f"of the hidden layers, for files of weights alone: one, or one for each (default: {DEFAULT_ACTIVATION})",
    )
    add(
        "--final-activation",
        metavar="NAME",
        help="of the last layer, for files of weights alone (default: none)",
    )
    add(
        "--batch-norm",
        choices=("before", "after"),
        metavar="WHERE",
        help="where BatchNorm (of eps 1e-5) stands in a gluon file: before or after the activations",
    )


def read_ours(path: str, args: argparse.Namespace) -> Writing:
    """A model that `multimlp.save` wrote."""
    mlp, params = files.load(path, args.backend or "numpy", args.device, args.dtype)
    task, classes, prepared = meaning(path, files.load_extra(path), mlp)
    return Writing(mlp, params, task, classes, prepared)


def check_opset(args: argparse.Namespace, target: str) -> None:
    """`InputError` for an ``--opset`` of anything but an ONNX model."""
    if args.opset is not None and target != "onnx":
        raise InputError(
            f"--opset: {target} models have none, got {args.opset}; it is for onnx, so leave it out"
        )


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """``--opset`` and ``--combine``."""
    parser.add_argument(
        "--opset",
        type=int,
        metavar="N",
        help="version of ONNX's operators to write (default: 20; 23 with RMS normalisation)",
    )
    parser.add_argument(
        "--combine",
        choices=("members", "mean", "probabilities", "vote"),
        default="members",
        metavar="HOW",
        help="what an ensemble puts out, in onnx and keras: members (the outputs of each, default), mean, probabilities (as "
        "predict_proba), or, in onnx, vote",
    )


def with_target_options(model: Writing, args: argparse.Namespace, target: str) -> Writing:
    """The model with what `add_target_options` has asked for.

    Raises
    ------
    InputError
        For an option that the target does not have.
    """
    if args.combine != "members" and target not in ("onnx", "keras"):
        raise InputError(
            f"--combine: {target} files hold the weights of the members alone, got {args.combine!r}; it is for onnx and keras, so leave it "
            "out"
        )
    return model._replace(opset=args.opset, combine=args.combine)


def remark(model: Writing) -> None:
    """What is to be said when a model has been written."""
    if model.prepared:
        note(
            "the file holds the network alone: standardise inputs as `multimlp train` did "
            "(multimlp.files.load_extra), or export an ONNX model with --whole"
        )


_WITH_CHAINS = ("onnx", "keras", OURS)
"""Formats that hold chains of blocks."""


def open_torch(path: Path, mlp: MLP, params: Params) -> Any:
    from multimlp.interop.torch import read_state, to_torch

    module = to_torch(mlp, params)
    state = read_state(path)
    module.load_state_dict(dict(zip(module.state_dict(), state.values(), strict=True)))  # by their order
    return module


def open_flax(path: Path, mlp: MLP, params: Params) -> Any:
    from multimlp.interop.flax import in_order, layers_in, read_variables, to_flax

    module, variables = to_flax(mlp, params)
    read = in_order(layers_in(read_variables(path)))
    return module, {"params": dict(zip(in_order(variables["params"]), read.values(), strict=True))}


def open_nnx(path: Path, mlp: MLP, params: Params) -> Any:
    from multimlp.interop.flax import read_variables, to_nnx, with_variables

    return with_variables(to_nnx(mlp, params), read_variables(path))


def open_equinox(path: Path, mlp: MLP, params: Params) -> Any:
    from multimlp.interop.equinox import read_leaves, to_equinox, with_leaves

    return with_leaves(to_equinox(mlp, params), read_leaves(path))


def open_onnx(path: Path, mlp: MLP, params: Params) -> Any:
    import onnx

    return onnx.load(path, load_external_data=False)


def open_keras(path: Path, mlp: MLP, params: Params) -> Any:
    from multimlp.interop.keras import load_keras

    return load_keras(path)


def open_sklearn(path: Path, mlp: MLP, params: Params) -> Any:
    from multimlp.interop.sklearn import read_npz

    return read_npz(path)


def open_ours(path: Path, mlp: MLP, params: Params) -> Any:
    return mlp, params


OPENERS: dict[str, Callable[[Path, MLP, Params], Any]] = {
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
``mlp``."""

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
