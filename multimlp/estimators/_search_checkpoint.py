"""Checkpoints of searches: a folder with the scores of each group of candidates on each split, as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multimlp import files
from multimlp.errors import FileFormatError
from multimlp.training import check_settings, described

FORMAT = 1


class SearchCheckpoint:
    """The folder of one search.

    Parameters
    ----------
    folder : path
        Made when the first scores are written.
    settings : dict of plain values
        What must be the same when the search goes on.
    """

    def __init__(self, folder: Any, settings: dict[str, Any]) -> None:
        self._folder = files.check_folder(folder, "checkpoint")
        self._settings = json.loads(json.dumps(settings))

    def _place(self, group: int, split: int) -> Path:
        return self._folder / f"group-{group}-split-{split}.json"

    def save(self, group: int, split: int, scores: Any) -> None:
        """Keep plain values, whole or not at all."""
        place = self._place(group, split)
        files.make_folder(self._folder, "checkpoint")
        with files.replacing(place, "checkpoint") as beside:
            text = json.dumps({"multimlp.search": FORMAT, "settings": self._settings, "scores": scores})
            beside.write_text(text, encoding="utf-8")

    def load(self, group: int, split: int) -> Any:
        """What was kept, or None.

        Raises
        ------
        InputError
            If the folder belongs to another search.
        FileFormatError
            For a file that is damaged, or of another version.
        """
        place = self._place(group, split)
        if not place.exists():
            return None
        try:
            found = json.loads(files.check_readable(place, "checkpoint").read_text(encoding="utf-8"))
            version, settings, scores = found["multimlp.search"], dict(found["settings"]), found["scores"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self.damaged(group, split, error) from error
        if version != FORMAT:
            raise FileFormatError(
                f"checkpoint: {str(place)!r} is no file of a search of this version (format {FORMAT}); give another folder"
            )
        check_settings(settings, self._settings, self._folder, "search")
        return scores

    def damaged(self, group: int, split: int, error: Exception) -> FileFormatError:
        """The error for a file that holds something else."""
        return FileFormatError(
            f"checkpoint: {str(self._place(group, split))!r} is damaged: {error}; remove it, and its scores are computed again"
        )


def settings_of(
    search: Any, candidates: Sequence[Any], splits: Sequence[Any], X: Any, y: Any, weights: Any
) -> dict[str, Any]:
    """All that the scores depend on, as plain values."""
    return {
        "estimator": [type(search.estimator).__qualname__, described(search.estimator.get_params())],
        "candidates": described(list(candidates)),
        "splits": [[_mark(rows) for rows in split] for split in splits],
        "X": _mark(X),
        "y": _mark(y),
        "sample_weight": _mark(weights),
        "scoring": described(search.scoring),
        "error_score": described(search.error_score),
        "return_train_score": bool(search.return_train_score),
    }


def _mark(values: Any) -> Any:
    """A hash of numbers, or of whatever else a table holds."""
    if values is None or hasattr(values, "toarray"):
        return described(values)
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return described(array)
    text = json.dumps(array.tolist(), default=str)
    return f"{array.shape} {hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"
