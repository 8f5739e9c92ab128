"""Fitted estimators for tables in files: columns, preparation, networks and scales in one .safetensors file, nothing pickled."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from multimlp.errors import InputError
from multimlp.estimators.tabular._target_scale import TargetScale
from multimlp.files import ESTIMATOR_KEY, FORMAT_VERSION, VERSION_KEY, write_tensors

PREPARED = ("numbers", "fill", "unit", "gaps", "one_hot", "embedded", "absent")
"""The fields of a `Preparation` that are written down; the others follow from them and the schema."""
SCALE = tuple(field.name for field in dataclasses.fields(TargetScale))
ELSEWHERE = ("backend", "device", "dtype", "callbacks")
"""Parameters that say where and how to train, not what: a file is for every backend."""


class Saved:
    """What writes an estimator to a file; `multimlp.estimators.load` reads it."""

    get_params: Any
    _learned_parameters: Any
    _members: list[Any]
    _schema: Any

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator: the columns of its tables, what prepares them, its networks, its classes or scales.

        Parameters that are no plain values (a generator as ``random_state``, weights of classes by number) are not written, nor are
        backend, device, dtype and callbacks.

        Parameters
        ----------
        path : path
            Usually ends in ``.safetensors``; it is one.

        Raises
        ------
        InputError
            If the file cannot be written.
        sklearn.exceptions.NotFittedError
        MissingDependencyError
            If the package safetensors is missing.

        Examples
        --------
        See `multimlp.estimators.load`.
        """
        check_is_fitted(self)
        tensors: dict[str, np.ndarray] = {}
        described = {
            "estimator": type(self).__name__,
            "parameters": {
                name: plain
                for name, value in {**self.get_params(), **self._learned_parameters()}.items()
                if name not in ELSEWHERE and _is_plain(plain := _plain(value))
            },
            "schema": self._schema.to_spec(),
            "named": hasattr(self, "feature_names_in_"),
            "targets": _targets(self),
            "members": [_member(i, member, tensors) for i, member in enumerate(self._members)],
        }
        metadata = {VERSION_KEY: FORMAT_VERSION, ESTIMATOR_KEY: json.dumps(described)}
        write_tensors(path, tensors, metadata)


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's, sequences as lists."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(item is not None and _is_plain(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)


def _targets(estimator: Any) -> dict[str, Any]:
    if hasattr(estimator, "classes_"):
        classes = estimator.classes_
        kind = "U" if classes.dtype.kind == "T" else classes.dtype.kind
        if kind not in "UOiubf":
            raise InputError(
                f"classes_: expected text, numbers or truth values, which can be written down, got {classes.dtype}; fit with the labels as "
                "text, y.astype(str)"
            )
        return {"kind": kind, "classes": classes.tolist()}
    return {"outputs": estimator.n_outputs_, "single": estimator._single}


def _member(i: int, member: Any, tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """A network as plain values, its arrays put aside."""
    network, preparation = member.fitted.network, member.preparation
    for name, array in network.mlp.named(network.host_params).items():
        tensors[f"{i}.params.{name}"] = array
    if preparation.ranks is not None:
        tensors[f"{i}.quantiles"] = preparation.ranks.quantiles_
    return {
        "chain": network.mlp.to_spec(),
        "preparation": {name: list(getattr(preparation, name)) for name in PREPARED},
        "ranks": preparation.ranks is not None,
        "after": _after(member.after),
        "epoch": member.fitted.epoch,
        "losses": [float(value) for value in member.fitted.losses],
        "errors": [float(value) for value in member.fitted.errors],
    }


def _after(after: Any) -> Mapping[str, Any]:
    if isinstance(after, float):
        return {"temperature": after}
    if type(after) is TargetScale:
        return {name: getattr(after, name).tolist() for name in SCALE}
    raise InputError(f"estimator: what makes its predictions, {type(after).__name__}, cannot be written down")
