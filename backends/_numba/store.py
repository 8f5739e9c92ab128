"""Compiled kernels: machine code in memory and on the disk, by a digest of everything that it depends on.

Numba is imported only where a kernel is not on the disk yet; reading one needs LLVM's loader alone, which takes a twentieth of the time.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from multimlp.backend import UntranslatableError
from multimlp.errors.shown import one_line

_MOST_SAID = 200
_NAME = "kernel"
"""Of the function in each piece of machine code."""
_SOURCES = ("compiling.py", "elementary.py", "kernels.py", "names.py", "store.py")
_lock = threading.RLock()
_addresses: dict[str, int] = {}
_engines: list[Any] = []  # the machine code lives as long as they do


def _begin() -> None:
    """In a forked child: whoever compiled at the time of the fork is not there to give the lock back."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)


def address(key: str, compiled: Callable[[], tuple[str, str]]) -> int:
    """The address of a kernel.

    Parameters
    ----------
    key : str
        What tells it from all others that this version of the sources can make.
    compiled : callable
        Compiles it: LLVM's optimised text, and the name of the function in it.
    """
    with _lock, as_a_reason():
        if key not in _addresses:
            digest = hashlib.sha256(f"{_circumstances()}\n{key}".encode()).hexdigest()
            code = _read(digest)
            if code is None:
                code = _machine_code(*compiled())
                _write(digest, code)
            _addresses[key] = _load(code)
        return _addresses[key]


@contextlib.contextmanager
def as_a_reason() -> Iterator[None]:
    """`UntranslatableError` where what Numba needs is here and does not work, as beside a newer NumPy than it was built for."""
    try:
        yield
    except UntranslatableError:
        raise
    except Exception as error:  # it may be an import
        raise UntranslatableError(
            f"Numba cannot compile its kernels here ({type(error).__name__}: {one_line(error, _MOST_SAID)})"
        ) from error


def function(place: int) -> Callable[[int], None]:
    """A kernel as a function of the address of its arguments; while it runs, other threads run too."""
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(place)
    return lambda arguments: call(ctypes.byref(ctypes.c_void_p()), None, arguments)


def folder() -> Path:
    """Where kernels are kept: below Numba's own ``NUMBA_CACHE_DIR`` if that is set, else in the user's cache."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    if own:
        return Path(own) / "multimlp"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "multimlp" / "kernels"


# ---- on the disk


def _read(digest: str) -> bytes | None:
    try:
        found = (folder() / digest).read_bytes()
    except (OSError, RuntimeError):  # there is none, or no home
        return None
    check, code = found[:32], found[32:]
    return code if hashlib.sha256(code).digest() == check else None  # a disk may have been full


def _write(digest: str, code: bytes) -> None:
    """Whole or not at all, whoever else writes it; where nothing can be written, the next process compiles again."""
    with contextlib.suppress(OSError, RuntimeError):
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder(), delete=False) as file, _gone_if_left(file.name):
            file.write(hashlib.sha256(code).digest() + code)
            file.close()
            os.replace(file.name, folder() / digest)


@contextlib.contextmanager
def _gone_if_left(name: str) -> Iterator[None]:
    """Leave no half of a kernel behind on a full disk, nor in a folder where others' files may not be replaced."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@functools.cache
def _circumstances() -> str:
    """What machine code depends on besides the kernel."""
    here = Path(__file__).parent
    sources = hashlib.sha256(b"".join((here / name).read_bytes() for name in _SOURCES)).hexdigest()
    versions = [metadata.version(name) for name in ("numba", "llvmlite")]
    machine = [llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    return "\n".join([sources, *versions, *machine])


# ---- in memory


@functools.cache
def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple())


def _machine_code(text: str, name: str) -> bytes:
    module = llvm.parse_assembly(text.replace(name, _NAME))
    module.verify()
    features = llvm.get_host_cpu_features().flatten()
    machine = _target().create_target_machine(
        llvm.get_host_cpu_name(), features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )
    code: bytes = machine.emit_object(module)
    return code


def _load(code: bytes) -> int:
    machine = _target().create_target_machine(codemodel="jitdefault", jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    place: int = engine.get_function_address(_NAME)
    return place
