"""What a process of `multimlp.distributed.run` does: it joins the others, calls the function, and leaves behind what came of it."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from multimlp.distributed._connecting import connect

importing_main = False
"""Whether this process is running the script of its parent, to find the function in it."""


class Task(NamedTuple):
    """What all are to do."""

    preparation: dict[str, Any]
    """For `multiprocessing.spawn.prepare`."""
    call: bytes
    """Function and arguments, pickled."""


class Outcome(NamedTuple):
    """What came of it in one process."""

    result: bytes | None
    """Pickled; None after an error."""
    error: bytes | None
    """The exception, pickled, if it can be."""
    text: str
    """Its traceback."""


def outcome_file(folder: str | Path, rank: int) -> Path:
    """Where a process writes its `Outcome`."""
    return Path(folder) / f"outcome-{rank}"


def main(first: Callable[[], Any]) -> None:
    """The program of one process: ``first``, then what is asked of it."""
    folder, rank = os.environ["MULTIMLP_MEETING"], int(os.environ["MULTIMLP_RANK"])
    try:
        first()
        found = Outcome(_call(folder), None, "")
    except BaseException as error:
        found = Outcome(None, _pickled(error), f"raised an error:\n{traceback.format_exc()}")
    path = outcome_file(folder, rank)
    draft = path.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(found))
    draft.replace(path)
    if found.result is None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)  # peers must not wait until what this process left half done has been cleared away


def _call(folder: str) -> bytes:
    global importing_main
    from multiprocessing import spawn

    connect("all")
    task: Task = pickle.loads((Path(folder) / "task").read_bytes())
    importing_main = True
    spawn.prepare(task.preparation)
    importing_main = False
    function, args = pickle.loads(task.call)
    result = function(*args)
    try:
        return pickle.dumps(result)
    except Exception as error:
        raise TypeError(f"run: what the function returned cannot be sent back: {error}") from error


def _pickled(error: BaseException) -> bytes | None:
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # some exceptions are written and cannot be read
    except Exception:
        return None
    return data
