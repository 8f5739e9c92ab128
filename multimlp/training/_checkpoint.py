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

from multimlp import files
from multimlp.backend import Target, owner
from multimlp.callbacks import Callback, Run
from multimlp.errors import FileFormatError, InputError
from multimlp.tree import Tree

FORMAT = "1"


class Checkpoint:
    """The file of one run.

    Parameters
    ----------
    path : path
    settings : dict of plain values
        What must be the same when the run is resumed.

    Notes
    -----
    A callback's ``state()`` may hold parameters under the key ``"params"``; they come back as parameters.
    """

    def __init__(self, path: str | Path, settings: dict[str, Any]) -> None:
        self.path = Path(path)
        self._settings = json.loads(json.dumps(settings))

    def save(
        self, run: Run, params: Tree, optimizer_state: Tree, steps: int, callbacks: Sequence[Callback]
    ) -> None:
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
        files.write_tensors(
            self.path, arrays, {"multimlp.checkpoint": FORMAT, "multimlp.run": json.dumps(layout)}
        )

    def load(
        self, run: Run, target: Target, params: Tree, optimizer_state: Tree, callbacks: Sequence[Callback]
    ) -> Any:
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

        def unpack(packed: Any, template: Tree) -> Tree:
            return _unpack(packed, template, arrays, target)

        for packed, callback in zip(layout["callbacks"], callbacks, strict=True):
            callback.restore(unpack(packed, {"params": params}))
        run.history.update(layout["history"])
        run.epoch = layout["epoch"]
        return unpack(layout["params"], params), unpack(layout["optimizer"], optimizer_state), layout["steps"]

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
    library = owner(value)
    arrays[prefix] = np.array(library.to_numpy(value), order="C")
    return {"array": prefix, "dtype": library.dtype_name(value.dtype)}


def _unpack(packed: Any, template: Tree, arrays: dict[str, np.ndarray], target: Target) -> Tree:
    """The inverse of `_pack`; ``template`` tells which sequences are named tuples or lists."""
    if not isinstance(packed, dict):
        return packed
    if "array" in packed:
        if packed["array"] not in arrays:
            raise FileFormatError(f"checkpoint: the file lacks the array {packed['array']!r}; it is damaged")
        return target.backend.asarray(arrays[packed["array"]], dtype=packed["dtype"], device=target.device)
    if "dict" in packed:
        known = template if isinstance(template, dict) else {}
        return {key: _unpack(item, known.get(key), arrays, target) for key, item in packed["dict"].items()}
    items = packed["list"]
    same = isinstance(template, (tuple, list)) and len(template) == len(items)
    children = [_unpack(item, template[i] if same else None, arrays, target) for i, item in enumerate(items)]
    if same and hasattr(template, "_fields"):
        return type(template)(*children)
    return children if isinstance(template, list) else tuple(children)
