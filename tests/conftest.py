"""Fixtures that most tests share: the backends at hand, their arrays, and a process state that each test gets back as it was."""

from __future__ import annotations

import gc
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from libraries import NAMES, TRAINING
from long_tests import is_long

from multimlp.backend import _selection as selection
from multimlp.backend import load_backend
from multimlp.training.engines import portable


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Before those are left out that the command line leaves out by their markers."""
    for item in items:
        if is_long(item.path.name, item.name):
            item.add_marker(pytest.mark.long)


@pytest.fixture(params=NAMES)
def backend(request):
    """Every adapter in turn."""
    return load_backend(request.param)


@pytest.fixture(params=TRAINING)
def training_backend(request):
    """The four frameworks in turn."""
    return load_backend(request.param)


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_are_dropped():
    """What many modules compiled would fill the memory by the last one; looking for it takes seconds, so that it waits for a GiB."""
    yield
    if _resident() < _kept[0] + 2**30:
        return
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    portable._cached_program.cache_clear()
    gc.collect()
    _kept[0] = _resident()


_kept = [0]


def _resident() -> int:
    """Bytes of memory that the process holds; enough where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as numbers:
            return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _kept[0] + 2**30


@pytest.fixture(autouse=True)
def _fresh_selection(monkeypatch):
    """No test sees another's selection, nor the developer's environment and width of the terminal."""
    for name in ("MULTIMLP_BACKEND", "MULTIMLP_DEVICE", "MULTIMLP_DTYPE", "MULTIMLP_DEVICES", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(selection, "_process", selection.Selection())
