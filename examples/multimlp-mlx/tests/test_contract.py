"""The tests that every adapter passes; an adapter of your own needs no more than this."""

from multimlp.testing import BackendContract


class TestMLX(BackendContract):
    backend = "mlx"
    dtype = "float32"  # it has float64 on the CPU only
