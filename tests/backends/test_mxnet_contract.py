"""MXNet fulfils the contract of adapters."""

from __future__ import annotations

import pytest

from multimlp.backend import is_installed
from multimlp.testing import BackendContract

if not is_installed("mxnet"):
    pytest.skip("mxnet is not installed here; `make test-mxnet` runs these tests", allow_module_level=True)


class TestMXNet(BackendContract):
    backend = "mxnet"
