"""Checkpoints of `fit`: everything that a killed run needs to end with the same bits as one that was not.

A checkpoint holds the parameters, the optimiser's state, the history, the callbacks' states, and the settings that the course of the
run depends on; resuming with other settings is refused. One file, written beside and renamed, so that it is never half there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multimlp import files, registry, tree
from multimlp.callbacks import Callback, Run
from multimlp.errors import FileFormatError, InputError
from multimlp.selection import Target
from multimlp.tree import Tree

FORMAT = "1"


class Checkpoint:
    """The file of one run.

    Parameters
    ----------
    path : path
    settings : dict of plain values
        What must be the same when the run is resumed.
    """

    def __init__(self, path: str | Path, settings: dict[str, Any]) -> None:
        self.path = Path(path)
        self._settings = json.loads(json.dumps(settings))

    def save(self, run: Run, params: Tree, optimizer_state: Tree, steps: int, callbacks: Sequence[Callback]) -> None:
        arrays: dict[str, np.ndarray] = {}
        layout = {
            "params": _pack(params, "params", arrays),
            "optimizer": _pack(optimizer_state, "optimizer", arrays),
            "callbacks": [_pack(c.state(), f"callback.{i}", arrays) for i, c in enumerate(callbacks)],
            "history": run.history,
            "epoch": run.epoch,
            "steps": steps,
            "settings": self._settings,
        }
        files.write_tensors(self.path, arrays, {"multimlp.checkpoint": FORMAT, "multimlp.run": json.dumps(layout)})

    def load(self, run: Run, target: Target, params: Tree, optimizer_state: Tree, callbacks: Sequence[Callback]) -> Any:
        """``(params, optimizer_state, steps)`` from the file, with history and callbacks restored; None if there is no file."""
        if not self.path.exists():
            return None
        arrays, metadata = files.read_tensors(self.path)
        if metadata.get("multimlp.checkpoint") != FORMAT:
            raise FileFormatError(
                f"checkpoint: {str(self.path)!r} is not a checkpoint of this version (format {FORMAT}); give another path"
            )
        layout = json.loads(metadata["multimlp.run"])
        self._check(layout["settings"], len(layout["callbacks"]), len(callbacks))
        unpack = _Unpacker(arrays, target)
        for i, callback in enumerate(callbacks):
            packed = layout["callbacks"][i]
            callback.restore(unpack.like(packed, f"callback.{i}", params))
        run.history.update(layout["history"])
        run.epoch = layout["epoch"]
        return (
            unpack.into(params, "params"),
            unpack.into(optimizer_state, "optimizer"),
            layout["steps"],
        )

    def _check(self, stored: dict[str, Any], stored_callbacks: int, callbacks: int) -> None:
        for name, value in self._settings.items():
            if stored.get(name) != value:
                raise InputError(
                    f"checkpoint: {str(self.path)!r} belongs to a run with {name}={stored.get(name)!r}, "
                    f"this one has {value!r}; use the same settings or another path"
                )
        if stored_callbacks != callbacks:
            raise InputError(
                f"checkpoint: {str(self.path)!r} was written with {stored_callbacks} callbacks, this run has {callbacks}"
            )


def _pack(value: Tree, prefix: str, arrays: dict[str, np.ndarray]) -> Any:
    """A tree as JSON, its arrays put aside under numbered names."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {"dict": {key: _pack(item, f"{prefix}.{key}", arrays) for key, item in value.items()}}
    if isinstance(value, (tuple, list)):
        return {"list": [_pack(item, f"{prefix}.{i}", arrays) for i, item in enumerate(value)]}
    arrays[prefix] = np.ascontiguousarray(registry.owner(value).to_numpy(value))
    return {"array": prefix}


class _Unpacker:
    def __init__(self, arrays: dict[str, np.ndarray], target: Target) -> None:
        self._arrays, self._target = arrays, target

    def into(self, template: Tree, prefix: str) -> Tree:
        """The stored arrays in the structure, dtypes and place of ``template``."""
        names = tree.leaves(_names(template, prefix))
        leaves, rebuild = tree.flatten(template)
        missing = [name for name in names if name not in self._arrays]
        if missing:
            raise FileFormatError(f"checkpoint: the file lacks {missing[0]!r}; it belongs to another model or optimizer")
        backend = self._target.backend
        return rebuild(
            backend.asarray(self._arrays[name], dtype=backend.dtype_name(leaf.dtype), device=self._target.device)
            for name, leaf in zip(names, leaves, strict=True)
        )

    def like(self, packed: Any, prefix: str, params: Tree) -> Tree:
        """A callback's state: a subtree that mirrors the parameters becomes parameters again."""
        if not isinstance(packed, dict):
            return packed
        if "dict" in packed:
            return {key: self.like(item, f"{prefix}.{key}", params) for key, item in packed["dict"].items()}
        if "list" in packed:
            names = tree.leaves(_names(params, prefix))
            if names and all(name in self._arrays for name in names):
                return self.into(params, prefix)
            return tuple(self.like(item, f"{prefix}.{i}", params) for i, item in enumerate(packed["list"]))
        return self._target.backend.asarray(self._arrays[packed["array"]], device=self._target.device)


def _names(template: Tree, prefix: str) -> Tree:
    """The tree of names under which `_pack` stores the leaves of ``template``."""
    if template is None:
        return None
    if isinstance(template, dict):
        return {key: _names(item, f"{prefix}.{key}") for key, item in template.items()}
    if isinstance(template, (tuple, list)):
        return [_names(item, f"{prefix}.{i}") for i, item in enumerate(template)]
    return prefix
