"""The tests that every adapter passes; an adapter of your own needs no more than this."""

from multimlp.testing import BackendContract


class TestDask(BackendContract):
    backend = "dask"
