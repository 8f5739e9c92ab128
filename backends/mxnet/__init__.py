"""MXNet 2: imported beside today's NumPy, a namespace of its own, as array-api-compat has none; adapter."""

from multimlp.backends.mxnet._numpy_names import import_mxnet, lent_numpy_names

import_mxnet()  # the modules below import it in the ordinary way

from multimlp.backends.mxnet.adapter import MXNetBackend  # noqa: E402

__all__ = ["MXNetBackend", "lent_numpy_names"]
