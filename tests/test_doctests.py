"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import multimlp

_ELSEWHERE = (
    "multimlp.backends.cupy",
    "multimlp.backends.mxnet",
    "multimlp.backends.paddle",
    "multimlp.testing.plugin",
    "multimlp.cli.__main__",
    "multimlp.interop._verify.gluon",
)
"""They need a GPU, an environment of their own (MXNet, Paddle), or are no modules to import."""

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(multimlp.__path__, "multimlp.", onerror=lambda name: None)
    if not module.name.startswith(_ELSEWHERE)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    if int(np.__version__.partition(".")[0]) < 2:
        pytest.skip("NumPy 1 prints its scalars differently")
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0
