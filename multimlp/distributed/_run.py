"""A function in several processes of this machine, for tests and notebooks."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from multimlp.distributed import _child
from multimlp.distributed._child import Outcome, Task, outcome_file
from multimlp.distributed._failures import timeout as waiting_time
from multimlp.distributed._processes import Processes, ending, python_command
from multimlp.errors import DistributedError, InputError, MultimlpError
from multimlp.errors.checks import as_given, check_number, check_whole, refuse

_PROGRAM = "import multimlp; from multimlp.distributed._child import main; main(multimlp.get_backend)"
_GRACE = 2.0
"""Seconds that the others have to say what they saw, after the first error."""


def run(
    function: Callable[..., Any],
    processes: int = 2,
    backend: str = "numpy",
    args: Sequence[Any] = (),
    *,
    timeout: float | None = None,
) -> list[Any]:
    """Call a function in several new processes on this machine, and return what it returned in each.

    Inside, `multimlp.distributed.rank` says which of them it is, ``backend`` is the default, and `multimlp.fit` with ``devices="all"``
    shares its work among them.

    Parameters
    ----------
    function : callable
        One that other Python processes can import: at the top level of a module or of a script. A script protects what starts
        processes by ``if __name__ == "__main__":``, since each of them imports it. In a notebook, functions of its cells are sent as
        they are, if the package cloudpickle is there.
    processes : int
    backend : str
    args : sequence
        The arguments, which can be pickled, like what is returned.
    timeout : float, optional
        Seconds after which everything is ended; default: none. However long that is, no process waits for another longer than
        `multimlp.distributed.timeout`.

    Returns
    -------
    list
        By rank.

    Raises
    ------
    InputError
        If the function or an argument cannot be sent.
    DistributedError
        If a process dies or leaves (by ``sys.exit``, too), or time is up.
    Exception
        What the function raised in one of the processes, with the traceback from there as a note; the others are ended.

    Examples
    --------
    >>> import math
    >>> import multimlp as mm
    >>> mm.distributed.run(math.sqrt, processes=2, args=(9.0,), timeout=60)
    [3.0, 3.0]
    """
    if _child.importing_main:
        raise InputError(
            "run: this script starts processes while it is imported, which each of them does; "
            'put what starts them under: if __name__ == "__main__":'
        )
    if not callable(function):
        raise refuse("function", "a callable", function)
    size = check_whole("processes", processes, low=1, high=4096)
    if not isinstance(backend, str):
        raise refuse("backend", "the name of a backend", backend)
    if isinstance(args, str) or not isinstance(args, Sequence):
        raise refuse("args", "a sequence of arguments", args)
    limit = None if timeout is None else check_number("timeout", timeout, low=0, low_open=True)
    waiting = waiting_time() if limit is None else min(waiting_time(), limit)
    task = _task(function, tuple(args))
    with tempfile.TemporaryDirectory(prefix="multimlp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "task").write_bytes(pickle.dumps(task))
        started = Processes(python_command(_PROGRAM), size, folder, waiting, {"MULTIMLP_BACKEND": backend})
        try:
            outcomes = _wait(started, folder, limit)
            results = [_result(outcome, rank, size) for rank, outcome in outcomes]
            started.wait()
            return results
        finally:
            started.end()


def _task(function: Callable[..., Any], args: tuple[Any, ...]) -> Task:
    from multiprocessing import spawn

    main = sys.modules["__main__"]
    interactive = not os.path.exists(getattr(main, "__file__", None) or "")
    try:
        call = pickle.dumps((function, args))
        if b"__main__" in call and interactive:
            call = _by_value(function, args)
    except MultimlpError:
        raise
    except Exception as error:
        raise InputError(
            f"function: {as_given(function)} or its arguments cannot be sent to other processes ({error}); define it at the top level "
            "of a module or a script, without lambda, and give it what can be pickled"
        ) from None
    preparation = spawn.get_preparation_data("multimlp")
    preparation.pop("authkey")
    if interactive or b"__main__" not in call:
        for key in ("init_main_from_name", "init_main_from_path"):
            preparation.pop(key, None)
    return Task(preparation, call)


def _by_value(function: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """With the code of functions and classes, which exist in this session alone."""
    try:
        import cloudpickle
    except ImportError:
        raise InputError(
            f"function: {as_given(function)} exists in this session alone, where other processes do not find it; "
            "write it into a module and import it, or pip install cloudpickle"
        ) from None
    data: bytes = cloudpickle.dumps((function, args))
    return data


def _wait(started: Processes, folder: Path, limit: float | None) -> list[tuple[int, Outcome]]:
    """The outcomes by rank; those after an error alone, if there is one."""
    begun = time.monotonic()
    outcomes: dict[int, Outcome] = {}
    first_error: float | None = None
    while len(outcomes) < started.size:
        codes = started.codes()
        for rank in {*range(started.size)} - {*outcomes}:
            path = outcome_file(folder, rank)
            if path.exists():
                outcomes[rank] = pickle.loads(path.read_bytes())
            elif codes[rank] is not None:
                outcomes[rank] = Outcome(None, None, f"{ending(codes[rank] or 0)}, before it returned")
        now = time.monotonic()
        if any(outcome.result is None for outcome in outcomes.values()):
            first_error = now if first_error is None else first_error
            if now - first_error > _GRACE:
                break
        if limit is not None and now - begun > limit and first_error is None:
            late = [str(rank) for rank in range(started.size) if rank not in outcomes]
            raise DistributedError(
                f"run: after {limit:g} s rank{'s' if len(late) > 1 else ''} {', '.join(late)} of {started.size} had not returned, and "
                "all were ended; raise timeout if they were at work"
            )
        time.sleep(0.01)
    failed = sorted((rank, one) for rank, one in outcomes.items() if one.result is None)
    return sorted(failed, key=_consequence) or sorted(outcomes.items())


def _consequence(failed: tuple[int, Outcome]) -> int:
    """What others saw of an error comes after the error itself."""
    return 1 if isinstance(_error(failed[1]), DistributedError) else 0


def _error(outcome: Outcome) -> BaseException | None:
    """The exception, if it can be made here."""
    if outcome.error is None:
        return None
    try:
        error: BaseException = pickle.loads(outcome.error)
    except Exception:  # of a module that only the other process finds
        return None
    return error


def _result(outcome: Outcome, rank: int, size: int) -> Any:
    if outcome.result is not None:
        return pickle.loads(outcome.result)
    error, said = _error(outcome), f"rank {rank} of {size} {outcome.text}"
    if not isinstance(error, Exception):  # sys.exit() there must not be one here
        raise DistributedError(said)
    error.add_note(said)
    raise error
