"""Checkpoints of sweeps: a folder with a file for each block of candidates that is done.

Blocks are written whole or not at all, by whichever process has trained them; a sweep that goes on trains those candidates that are in no
file, on any number of processes. As a checkpoint of `fit` a folder belongs to its sweep, and says what differs in another.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multimlp import files, tree
from multimlp.errors import FileFormatError
from multimlp.training._checkpoint import DAMAGE, check_settings
from multimlp.training._members import Trained
from multimlp.tree import Tree

FORMAT = "1"
_NAME = re.compile(r"candidates-\d+-\d+\.safetensors")


def check_place(path: Any) -> None:
    """`InputError` unless a folder can be made there and written to, before anything is trained."""
    files.check_folder(path, "checkpoint")
    files.require_package()


class SweepCheckpoint:
    """The folder of one sweep.

    Parameters
    ----------
    folder : path
        Made when the first block is written.
    settings : dict of plain values
        What must be the same when the sweep goes on.
    count : int
        Of all candidates.
    template : tree
        Of the parameters of one of them: their structure and shapes, and the dtype that they are kept in.
    names : sequence of str
        Of the figures.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: dict[str, Any],
        count: int,
        template: Tree,
        names: Sequence[str],
    ) -> None:
        self._folder = Path(folder)
        self._settings = json.loads(json.dumps(settings))
        self._count, self._template, self._names = count, template, names

    def save(self, trained: Trained) -> None:
        """Write a block that is done."""
        arrays = {"numbers": trained.numbers, "epochs": trained.epochs, "kept": trained.kept}
        arrays |= {f"figure.{name}": values for name, values in trained.figures.items()}
        arrays |= {f"params.{i}": leaf for i, leaf in enumerate(tree.leaves(trained.params))}
        about = {"settings": self._settings, "engine": trained.engine, "reason": trained.reason}
        files.make_folder(self._folder, "checkpoint")
        place = self._folder / f"candidates-{trained.numbers[0]}-{trained.numbers[-1]}.safetensors"
        arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        files.write_tensors(place, arrays, {"multimlp.sweep": FORMAT, "multimlp.run": json.dumps(about)})

    def load(self, mine: range) -> Iterator[Trained]:
        """What is known of some candidates, each of them once.

        Raises
        ------
        InputError
            If the folder belongs to another sweep.
        FileFormatError
            For a file of it that is damaged, or of another version.
        """
        known = np.zeros(self._count, dtype=bool)
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if _NAME.fullmatch(path.name):
                found = self._read(path)
                new = found.of(
                    np.asarray([i for i in found.numbers if i in mine and not known[i]], dtype=np.int64)
                )
                if len(new.numbers):
                    known[new.numbers] = True
                    yield new

    def _read(self, path: Path) -> Trained:
        arrays, metadata = files.read_tensors(path)
        if metadata.get("multimlp.sweep") != FORMAT:
            raise FileFormatError(
                f"checkpoint: {str(path)!r} is no file of a sweep of this version (format {FORMAT}); give another folder"
            )
        try:
            about = json.loads(metadata["multimlp.run"])
            settings = dict(about["settings"])
        except DAMAGE as error:
            raise _damaged(path, error) from error
        check_settings(settings, self._settings, self._folder, "sweep")
        try:
            return self._restored(arrays, about)
        except DAMAGE as error:
            raise _damaged(path, error) from error

    def _restored(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> Trained:
        numbers, epochs, kept = arrays["numbers"], arrays["epochs"], arrays["kept"]
        for name, values in (("numbers", numbers), ("kept", kept)):
            if values.dtype != np.int64 or values.ndim != 1 or (np.diff(values) <= 0).any():
                raise ValueError(f"{name} are no ascending integers")
        if (
            not len(numbers)
            or numbers[0] < 0
            or numbers[-1] >= self._count
            or not np.isin(kept, numbers).all()
        ):
            raise ValueError(f"numbers of candidates are not below {self._count}, or others are kept")
        figures = {name: arrays[f"figure.{name}"] for name in self._names}
        for name, values in {**figures, "epochs": epochs}.items():
            if values.shape != numbers.shape or values.dtype != (
                np.int64 if name == "epochs" else np.float64
            ):
                raise ValueError(f"{name} has shape {values.shape} and dtype {values.dtype}")
        leaves, rebuild = tree.flatten(self._template)
        found = [arrays[f"params.{i}"] for i in range(len(leaves))]
        for i, (leaf, like) in enumerate(zip(found, leaves, strict=True)):
            if leaf.shape != (len(kept), *like.shape) or leaf.dtype != like.dtype:
                raise ValueError(f"params.{i} has shape {leaf.shape} and dtype {leaf.dtype}")
        ended = np.ones(len(numbers), dtype=bool)
        return Trained(
            numbers, figures, epochs, ended, kept, rebuild(found), str(about["engine"]), str(about["reason"])
        )


def _damaged(path: Path, error: Exception) -> FileFormatError:
    what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
    return FileFormatError(
        f"checkpoint: {str(path)!r} is damaged: {what}; remove it, and its candidates are trained again"
    )
