"""From kernels in Python, or lines that were recorded, to LLVM's text. Numba is imported at the first call."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from multimlp.backends._numba.kernels import SUMS

_READ = {"Given": "_", "int": "_[{i}]", "float": "number(_, {i})"}
_POINTERS = {"Reals": "F", "Numbers": "float64", "Wholes": "int64", "Labels": "int32"}


def of_kernel(kernel: Callable[..., None], dtype: str) -> tuple[str, str]:
    """LLVM's text for one of `multimlp.backends._numba.kernels`, and the name of the function in it.

    The function takes the address of the arguments, 64 bits each, behind the address of the kernel itself.
    """
    kinds = {p.name: str(p.annotation) for p in inspect.signature(kernel).parameters.values()}
    names = _names(dtype)
    body = names["compiled"](kernel, loose=kernel in SUMS)
    return _text(_entry(kinds, f"body({', '.join(kinds)})"), {**names, "body": body})


def of_lines(kinds: Mapping[str, str], text: str, dtype: str) -> tuple[str, str]:
    """The same for a text of statements over parameters of these kinds."""
    return _text(_entry(kinds, text), _names(dtype))


def _entry(kinds: Mapping[str, str], text: str) -> str:
    read = [
        f"{name} = " + _READ.get(kind, f"pointer(_, {{i}}, {_POINTERS.get(kind)})").format(i=i)
        for i, (name, kind) in enumerate(kinds.items(), 1)
    ]
    return "def entry(_):\n" + textwrap.indent("\n".join([*read, text]), "    ")


def _text(source: str, names: Mapping[str, Any]) -> tuple[str, str]:
    import numba

    space = dict(names)
    exec(source, space)
    signature = numba.types.void(numba.types.CPointer(numba.types.int64))
    made = numba.cfunc(signature, **space["OPTIONS"])(space["entry"])
    name = made.native_name.removeprefix("cfunc.")
    # What is around the function is for calls from Python, and needs Numba's own library.
    return re.sub(r'^define [^\n]*@"?cfunc\..*?^}\n', "", made.inspect_llvm(), flags=re.M | re.S), name


@cache
def _names(dtype: str) -> dict[str, Any]:
    from multimlp.backends._numba import names

    return names.namespace(dtype)
