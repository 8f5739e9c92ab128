"""Estimators for tables out of files that their ``save`` wrote. Nothing in such a file is trusted."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from multimlp import blocks, files, tree
from multimlp.backend import Target, select
from multimlp.errors import FileFormatError, InputError
from multimlp.errors.shown import one_line
from multimlp.estimators._fitted_network import Network
from multimlp.estimators.tabular._base import CHECKS, Member, TableEstimator
from multimlp.estimators.tabular._fitting import Fitted
from multimlp.estimators.tabular._preparation import Preparation, quantile_transformer
from multimlp.estimators.tabular._saving import ELSEWHERE, PREPARED, SCALE
from multimlp.estimators.tabular._target_scale import TargetScale
from multimlp.estimators.tabular.realmlp import RealMLPClassifier, RealMLPRegressor
from multimlp.estimators.tabular.tabm import TabMClassifier, TabMRegressor
from multimlp.files import ESTIMATOR_KEY
from multimlp.frames import Encoded, Schema

_KINDS = {
    kind.__name__: kind for kind in (RealMLPClassifier, RealMLPRegressor, TabMClassifier, TabMRegressor)
}
_DAMAGE = (ValueError, ArithmeticError, AttributeError, TypeError, LookupError, RecursionError, MemoryError)
_DTYPES: Mapping[str, Any] = {
    "U": str,
    "O": object,
    "i": np.int64,
    "u": np.uint64,
    "b": np.bool_,
    "f": np.float64,
}


def load(
    path: str | os.PathLike[str], backend: Any = None, device: str | None = None, dtype: Any = None
) -> Any:
    """Read an estimator for tables that its ``save`` wrote, on any backend.

    Parameters
    ----------
    path : path
    backend, device
        Where its networks go; by the usual order of precedence when not given.
    dtype : str, optional
        Default: the dtype in the file.

    Returns
    -------
    RealMLPClassifier, RealMLPRegressor, TabMClassifier or TabMRegressor

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        If it is damaged, of another kind, or written by a version that this one does not know.
    DTypeError
        If the backend lacks the dtype in the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimlp import estimators
    >>> X = {"size": [1.0, 2.0, None, 8.0, 9.0, 7.5] * 5, "shape": ["round", "flat"] * 15}
    >>> y = ["small", "small", "small", "large", "large", "large"] * 5
    >>> model = estimators.RealMLPClassifier(n_epochs=20, hidden_layer_sizes=[16], random_state=0).fit(X, y)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> model.save(path)
    >>> again = estimators.load(path)
    >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    arrays, metadata = files.read_tensors(path)
    files.check_version(path, metadata)
    if ESTIMATOR_KEY not in metadata:
        raise FileFormatError(
            f"{str(path)!r} holds a network without what prepares its inputs, no estimator; read it with multimlp.load"
        )
    described = files.json_object(path, metadata, ESTIMATOR_KEY)
    try:
        kinds = {array.dtype.name for name, array in arrays.items() if ".params." in name}
        if len(kinds) != 1 or not kinds <= {"float32", "float64"}:
            raise InputError(f"parameters of the dtypes {', '.join(sorted(kinds))}")
        found = _estimator(described)
        hosts = [_member(item, i, arrays, found) for i, item in enumerate(described["members"])]
        if not hosts or len(arrays) != sum(map(_arrays, hosts)):
            raise InputError(f"{len(arrays)} arrays for {len(hosts)} networks")
    except _DAMAGE as error:
        raise FileFormatError(f"{str(path)!r} does not hold an estimator: {one_line(error)}") from None
    target = select(backend, device, kinds.pop() if dtype is None else dtype)
    found.set_params(backend=backend, device=device, dtype=dtype)
    found._members = [_placed(member, target) for member in hosts]
    found._note_learned()
    return found


def _estimator(described: Mapping[str, Any]) -> Any:
    """With its parameters, columns and targets, without networks."""
    cls, given = _KINDS[described["estimator"]], described["parameters"]
    allowed = set(cls().get_params()) - set(ELSEWHERE)
    if not isinstance(given, dict) or not given.keys() <= allowed:
        raise InputError(f"parameters: expected some of {', '.join(sorted(allowed))}")
    found: TableEstimator = cls(**given)
    for name, check in CHECKS.items():
        if hasattr(found, name):
            check(name, getattr(found, name))
    found._check()
    found._schema = Schema.from_spec(described["schema"])
    names = found._schema.names
    found.n_features_in_ = len(names)
    if described["named"]:
        found.feature_names_in_ = np.asarray(names, dtype=object)
    _learn_targets(found, described["targets"])
    return found


def _learn_targets(found: Any, targets: Mapping[str, Any]) -> None:
    if isinstance(found, (RealMLPClassifier, TabMClassifier)):
        classes: np.ndarray = np.asarray(targets["classes"], dtype=_DTYPES[targets["kind"]])
        plain = all(type(item) in (str, int, float, bool) for item in targets["classes"])
        if classes.ndim != 1 or not plain or not 2 <= len(set(targets["classes"])) == len(classes):
            raise InputError("classes: expected different labels, at least two")
        found.classes_ = classes
    else:
        if (
            type(targets["outputs"]) is not int
            or targets["outputs"] < 1
            or type(targets["single"]) is not bool
        ):
            raise InputError(f"targets: {targets!r}")
        found.n_outputs_, found._single = targets["outputs"], targets["single"]


def _member(described: Mapping[str, Any], i: int, arrays: Mapping[str, np.ndarray], found: Any) -> Member:
    """A network on the host, tried on a row."""
    chain = blocks.get(described["chain"])
    if not isinstance(chain, blocks.Chain):
        raise InputError(f"expected a chain of blocks, got {chain.name}")
    prefix = f"{i}.params."
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    if {name: tuple(a.shape) for name, a in own.items()} != chain.shapes:
        raise InputError(f"network {i}: its arrays do not fit its blocks")
    ranks = arrays[f"{i}.quantiles"] if described["ranks"] else None
    preparation = _preparation(described["preparation"], found._schema, ranks)
    classes = getattr(found, "classes_", None)
    outputs = found._outputs() if classes is None else len(classes)
    params = chain.from_named(own)
    schema = found._schema
    row = Encoded(np.zeros((1, len(schema.numeric))), np.zeros((1, len(schema.categorical))))
    tried = chain(params, preparation.matrix(row).astype(next(iter(own.values())).dtype))
    if tried.shape[-2:] != (1, outputs) or tried.ndim not in (2, 3):
        raise InputError(f"network {i}: it gives outputs of shape {tried.shape}, expected (1, {outputs})")
    epoch, curves = described["epoch"], (described["losses"], described["errors"])
    if type(epoch) is not int or not all(type(v) is float for curve in curves for v in curve):
        raise InputError(f"network {i}: epochs and curves are to be numbers")
    return Member(
        preparation,
        Fitted(Network(chain, params), epoch, *curves),
        _after(described["after"], found),
    )


def _preparation(described: Mapping[str, Any], schema: Schema, quantiles: np.ndarray | None) -> Preparation:
    limits = dict.fromkeys(("numbers", "gaps"), len(schema.numeric))
    limits |= dict.fromkeys(("one_hot", "embedded"), len(schema.categorical))
    parts = {name: tuple(described[name]) for name in PREPARED}
    for name, limit in limits.items():
        places = parts[name]
        if not all(type(j) is int and 0 <= j < limit for j in places) or len(set(places)) != len(places):
            raise InputError(f"preparation: {name} of {places[:8]} with {limit} columns")
    for name in ("fill", "unit"):
        if len(parts[name]) != len(parts["numbers"]) or not _finite(parts[name]):
            raise InputError(f"preparation: {name} does not fit the numbers")
    if not all(unit > 0 and math.isfinite(1 / unit) for unit in parts["unit"]):
        raise InputError("preparation: a unit that is not above 0")
    sizes = [len(column.categories) for column in schema.categorical]
    coded = (*parts["one_hot"], *parts["embedded"])
    parts["absent"] = tuple(map(tuple, parts["absent"]))
    for j, codes in zip(coded, parts["absent"], strict=True):
        if not all(type(code) is int and 0 <= code < sizes[j] for code in codes):
            raise InputError(f"preparation: categories {codes[:8]} of a column that has {sizes[j]}")
    return Preparation(
        schema, **parts,
        one_hot_sizes=tuple(sizes[j] for j in parts["one_hot"]),
        embedded_sizes=tuple(sizes[j] for j in parts["embedded"]),
        ranks=None if quantiles is None else _ranks(quantiles, len(parts["numbers"])),
    )  # fmt: skip


def _ranks(quantiles: np.ndarray, columns: int) -> QuantileTransformer:
    good = quantiles.ndim == 2 and quantiles.shape[1] == columns and len(quantiles) >= 1
    if not good or quantiles.dtype != np.float64 or not np.isfinite(quantiles).all():
        raise InputError(f"preparation: quantiles of shape {quantiles.shape} for {columns} numbers")
    if (np.diff(quantiles, axis=0) < 0).any():
        raise InputError("preparation: quantiles that do not ascend")
    ranks = quantile_transformer(len(quantiles))
    ranks.quantiles_, ranks.references_ = quantiles, np.linspace(0, 1, len(quantiles))
    ranks.n_quantiles_, ranks.n_features_in_ = quantiles.shape
    return ranks


def _after(described: Mapping[str, Any], found: Any) -> Any:
    if hasattr(found, "classes_"):
        temperature = described["temperature"]
        if not _finite([temperature]) or temperature <= 0:
            raise InputError(f"temperature: {temperature!r}")
        return temperature
    if not all(_finite(described[name]) and len(described[name]) == found.n_outputs_ for name in SCALE):
        raise InputError("the scale of the targets: expected one number for each of them")
    return TargetScale(**{name: np.asarray(described[name]) for name in SCALE})


def _finite(values: Any) -> bool:
    return all(type(value) is float and math.isfinite(value) for value in values)


def _arrays(member: Member) -> int:
    return len(member.fitted.network.mlp.shapes) + (member.preparation.ranks is not None)


def _placed(member: Member, target: Target) -> Member:
    fitted = member.fitted
    network = fitted.network

    def place(host: np.ndarray) -> Any:
        return target.backend.asarray(host, dtype=target.dtype, device=target.device)

    there = Network(network.mlp, tree.map(place, network.params))
    return Member(member.preparation, Fitted(there, fitted.epoch, fitted.losses, fitted.errors), member.after)
