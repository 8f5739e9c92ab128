"""``torch.compile`` for one function at a time, whatever else the process compiles."""

from __future__ import annotations

import functools
import itertools
import types
import warnings
from typing import Any

import torch

from multimlp.backend import Array, Arrays, Function
from multimlp.backends.torch._quiet import quiet_inside
from multimlp.backends.torch._tracing import is_seen, is_tracing, surroundings, traced
from multimlp.errors import CapabilityError

RECORD = "fx"
"""The compiler that runs what `traced` has recorded, with torch's own kernels."""

LARGE = 1 << 14
"""With so many numbers among its arrays a program is inductor's where no compiler is named. Below, the seconds that inductor takes are
those of ten thousands of calls."""

_numbers = itertools.count()


class Programs:
    """A function compiled once for each kind of arrays, and run by the program of its kind.

    It is recorded first, so that dynamo, which looks at each Python object of a function again at each call, sees tensors alone.
    What cannot be recorded is dynamo's as it is. Where a transform sees the call, the function runs as it is: dynamo's programs have no
    second derivative.

    Dynamo keeps programs by *code object*, and runs every further one eagerly after `recompile_limit` (8): closures of one
    function would share them. So each program is compiled from a code object of its own, for one shape and dtype.
    """

    def __init__(self, function: Function, compiler: str | None) -> None:
        self._function, self._compiler = function, compiler
        self._programs: dict[Any, Function] = {}

    def __call__(self, arrays: Arrays) -> Arrays:
        if is_tracing() or is_seen():
            return self._function(arrays)
        around = surroundings(arrays)
        key = around, tuple([(x.shape, x.dtype, x.device, _gaps(x)) for x in arrays])
        program = self._programs.get(key)
        try:
            results: Arrays = self._first(key, arrays) if program is None else program(arrays)
        except _compiler_errors() as error:
            raise CapabilityError(
                f"jit: torch's compiler {self._compiler or 'inductor'!r} could not compile the function: {_first_line(error)}; "
                "compiler='none' runs it as it is"
            ) from error
        return results

    def _first(self, key: Any, arrays: Arrays) -> Arrays:
        compiler = self._compiler or _compiler_for(arrays)
        with quiet_inside():
            record = None if key[0] is None else traced(self._function, arrays, compiler != RECORD)
            program = record or self._function
            if compiler != RECORD:
                program = torch.compile(_with_own_code(program), backend=compiler, dynamic=False)
            self._programs[key] = program
            results: Arrays = program(arrays)
        return results


def _gaps(x: Array) -> Any:
    """The strides of an array with gaps or turned axes, which a record depends on: what is a view of one array is a copy of another."""
    return None if x.is_contiguous() else x.stride()


def _compiler_for(arrays: Arrays) -> str:
    """The compiler where none was named."""
    if sum([a.numel() for a in arrays]) < LARGE:
        return RECORD
    if has_cxx_compiler():
        return "inductor"
    warn_of_no_cxx_compiler()
    return RECORD


def _with_own_code(function: Function) -> Function:
    """The same function with another code object; its name differs because equal code objects count as one."""
    if not isinstance(function, types.FunctionType):
        inner = function

        def called(arrays: Arrays) -> Arrays:
            return inner(arrays)

        function = called
    code = function.__code__.replace(co_name=f"{function.__code__.co_name}_{next(_numbers)}")
    own = types.FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    own.__kwdefaults__ = function.__kwdefaults__
    return own


@functools.cache
def _compiler_errors() -> tuple[type[Exception], ...]:
    """What dynamo raises of its own; errors of the function itself come through as they are."""
    from torch._dynamo import exc

    return (exc.TorchDynamoException,)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


@functools.cache
def has_cxx_compiler() -> bool:
    """Whether inductor finds what it compiles with on the CPU."""
    try:
        from torch._inductor.cpp_builder import get_cpp_compiler

        return bool(get_cpp_compiler())
    except Exception:
        return False


@functools.cache
def warn_of_no_cxx_compiler() -> None:
    """Once a process."""
    warnings.warn(
        "torch: no C++ compiler (g++ or clang++) was found on PATH, so that functions of large arrays are compiled by 'fx', and not by "
        "inductor; install one, or ask for compiler='fx'",
        RuntimeWarning,
        stacklevel=4,
    )
