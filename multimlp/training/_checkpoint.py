"""Checkpoints of `fit`: everything that a killed run needs to end with the same bits as one that was not.

A checkpoint holds the parameters, the optimiser's state, the history, the callbacks' states, and the settings that the course of the
run depends on, marks of its data among them; resuming with others is refused. One file, written beside and renamed, so that it is
never half there. `multimlp.training._settings` says what the settings are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp import files, tree
from multimlp.backend import Target, is_array, owner
from multimlp.callbacks import Callback, Run
from multimlp.errors import FileFormatError, InputError
from multimlp.errors.shown import cut
from multimlp.training._agreement import Agreement
from multimlp.tree import Tree

FORMAT = "2"
_LONGEST_SHOWN = 123
DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


def check_place(path: Any) -> None:
    """`InputError` unless a checkpoint can be written there: before training, and not after an epoch of it."""
    files.check_writable(path, "checkpoint")
    files.require_package()


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

    def __init__(self, path: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        self.path = path
        self._settings = json.loads(json.dumps(settings))

    def save(
        self,
        run: Run,
        params: Tree,
        optimizer_state: Tree,
        steps: int,
        callbacks: Sequence[Callback],
        member_loss: np.ndarray | None,
    ) -> None:
        arrays: dict[str, np.ndarray] = {}
        layout = {
            "params": _pack(params, "params", arrays),
            "optimizer": _pack(optimizer_state, "optimizer", arrays),
            "callbacks": [_state_of(c, i, arrays) for i, c in enumerate(callbacks)],
            "member_loss": _pack(member_loss, "member_loss", arrays),
            "history": run.history,
            "epoch": run.epoch,
            "steps": steps,
            "stopped": run.stopped,
            "settings": self._settings,
        }
        files.write_tensors(
            self.path, arrays, {"multimlp.checkpoint": FORMAT, "multimlp.run": json.dumps(layout)}
        )

    def load(
        self,
        run: Run,
        target: Target,
        params: Tree,
        optimizer_state: Tree,
        callbacks: Sequence[Callback],
        agreement: Agreement,
    ) -> Any:
        """``(params, optimizer_state, steps, member_loss)`` from the file, with history and callbacks restored; None if there is no
        file. The main process of a group reads it for all."""
        read = agreement.arrays_of_main(
            lambda: files.read_tensors(self.path) if os.path.exists(self.path) else None
        )
        if read is None:
            return None
        arrays, metadata = read
        if metadata.get("multimlp.checkpoint") != FORMAT:
            raise FileFormatError(
                f"checkpoint: {str(self.path)!r} is not a checkpoint of this version (format {FORMAT}); give another path"
            )
        try:
            layout = json.loads(metadata["multimlp.run"])
            settings = dict(layout["settings"])
        except DAMAGE as error:
            raise self._damaged(error) from error
        check_settings(settings, self._settings, self.path, "run")
        try:
            found = self._restored(layout, _Unpacker(arrays, target), run, params, optimizer_state, callbacks)
        except Exception as error:  # a library may call wrong numbers anything
            raise self._damaged(error) from error
        self._check_epochs(run.epoch, run.epochs)
        return found

    def _restored(
        self,
        layout: dict[str, Any],
        unpack: _Unpacker,
        run: Run,
        params: Tree,
        optimizer_state: Tree,
        callbacks: Sequence[Callback],
    ) -> Any:
        epoch, steps, stopped = _count(layout["epoch"]), _count(layout["steps"]), layout["stopped"]
        if not (stopped is None or isinstance(stopped, str)):
            raise TypeError(f"stopped is {stopped!r}")
        history = {name: list(values) for name, values in layout["history"].items()}
        if epoch and len(history["loss"]) != epoch:
            raise ValueError(f"{len(history['loss'])} losses of {epoch} epochs")
        found = unpack.like(layout["params"], params), unpack.like(layout["optimizer"], optimizer_state)
        for packed, callback in zip(layout["callbacks"], callbacks, strict=True):
            state = unpack(packed, {"params": params})
            if isinstance(state, dict) and state.get("params") is not None:
                _check_like(state["params"], params)
            callback.restore(state)
        members = unpack.host(layout["member_loss"])
        run.go_on(epoch, history, stopped)
        return *found, steps, members

    def _check_epochs(self, done: int, epochs: int) -> None:
        if done > epochs:
            raise InputError(
                f"epochs: {str(self.path)!r} has {done} epochs already, more than the {epochs} asked for; "
                "ask for as many, or give another path as checkpoint"
            )

    def _damaged(self, error: Exception) -> FileFormatError:
        what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        return FileFormatError(
            f"checkpoint: {str(self.path)!r} is damaged: {what}; remove it, or give another path"
        )


def check_settings(theirs: dict[str, Any], ours: dict[str, Any], path: Any, what: str) -> None:
    """`InputError` that names the first that differs, unless a file belongs to this run, or whatever ``what`` says."""
    differing = [name for name, value in ours.items() if theirs.get(name) != value]
    if differing:
        name, *more = differing
        where, stored, given = _difference(name, theirs.get(name), ours[name])
        others = f" ({', '.join(more)} differ{'s' if len(more) == 1 else ''} too)" if more else ""
        raise InputError(
            f"checkpoint: {str(path)!r} belongs to a {what} with {where}={stored}, this one has {given}{others}; use what that {what} had, "
            "or another path"
        )


def _difference(where: str, theirs: Any, ours: Any) -> tuple[str, str, str]:
    """The innermost place at which two settings differ, and what is there."""
    if isinstance(theirs, dict) and isinstance(ours, dict) and theirs.keys() == ours.keys():
        key = next(key for key in theirs if theirs[key] != ours[key])
        return _difference(f"{where}.{key}", theirs[key], ours[key])
    return where, cut(repr(theirs), _LONGEST_SHOWN), cut(repr(ours), _LONGEST_SHOWN)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise ValueError(f"{value!r} is no number of epochs or steps")
    return value


def _pack(value: Tree, prefix: str, arrays: dict[str, np.ndarray]) -> Any:
    """A tree as JSON, its arrays put aside under numbered names."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:  # JSON would make text of it
            raise InputError(f"expected keys that are text, got {odd[0]!r}")
        return {"dict": {key: _pack(item, f"{prefix}.{key}", arrays) for key, item in value.items()}}
    if isinstance(value, (tuple, list)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_pack(item, f"{prefix}.{i}", arrays) for i, item in enumerate(value)]}
    library = owner(value)
    arrays[prefix] = np.array(library.to_numpy(value), order="C")
    return {"array": prefix, "dtype": library.dtype_name(value.dtype)}


def _state_of(callback: Callback, place: int, arrays: dict[str, np.ndarray]) -> Any:
    try:
        return _pack(callback.state(), f"callback.{place}", arrays)
    except InputError as error:
        raise InputError(
            f"callbacks[{place}]: the state of {type(callback).__name__} cannot be kept in a checkpoint: {error}"
        ) from None


class _Unpacker:
    """The inverse of `_pack`.

    Parameters
    ----------
    arrays : dict of numpy.ndarray
    target : Target
        Where the arrays go.
    """

    def __init__(self, arrays: dict[str, np.ndarray], target: Target) -> None:
        self._arrays, self._target = arrays, target

    def __call__(self, packed: Any, template: Tree) -> Tree:
        """``template`` tells which sequences are named tuples or lists."""
        if not isinstance(packed, dict):
            # Of shape (): NumPy's scalars of 64 bits are Python's too.
            if is_array(template) and isinstance(packed, (int, float)):
                kind = owner(template).dtype_name(template.dtype)
                return self._target.backend.asarray(
                    np.asarray(packed), dtype=kind, device=self._target.device
                )
            return packed
        if "array" in packed:
            place = self._target.device
            return self._target.backend.asarray(self.host(packed), dtype=packed["dtype"], device=place)
        if "dict" in packed:
            known = template if isinstance(template, dict) else {}
            return {key: self(item, known.get(key)) for key, item in packed["dict"].items()}
        kind = "tuple" if "tuple" in packed else "list"
        items = packed[kind]
        same = isinstance(template, (tuple, list)) and len(template) == len(items)
        children = [self(item, template[i] if same else None) for i, item in enumerate(items)]
        if same and hasattr(template, "_fields"):
            return type(template)(*children)
        return children if (isinstance(template, list) if same else kind == "list") else tuple(children)

    def host(self, packed: Any) -> np.ndarray | None:
        """One array, as it is in the file."""
        return None if packed is None else self._arrays[packed["array"]]

    def like(self, packed: Any, template: Tree) -> Tree:
        """A tree of arrays like those of ``template``, or an error."""
        found = self(packed, template)
        _check_like(found, template)
        return found


def _check_like(found: Tree, template: Tree) -> None:
    """Structure, shapes and dtypes; where the template holds more than arrays, as L-BFGS's state does, which grows, the type alone."""
    if not all(is_array(leaf) for leaf in tree.leaves(template)):
        if type(found) is not type(template):
            raise TypeError(f"expected a {type(template).__name__}, found a {type(found).__name__}")
        return

    def layout(value: Tree) -> Any:
        arrays = [(tuple(leaf.shape), owner(leaf).dtype_name(leaf.dtype)) for leaf in tree.leaves(value)]
        return tree.structure(value), arrays

    if layout(found) != layout(template):
        raise ValueError(f"expected arrays like {layout(template)}, found {layout(found)}")
