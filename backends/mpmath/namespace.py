"""The array-API namespace of arbitrary-precision arrays: what portable code and the tape ask for."""

from __future__ import annotations

import sys

from multimlp.backends.mpmath import (
    _creation,
    _dtypes,
    _elementwise,
    _manipulation,
    _operators,
    _searching,
    _statistics,
    linalg,
    scalars,
)
from multimlp.backends.mpmath._creation import *
from multimlp.backends.mpmath._dtypes import *
from multimlp.backends.mpmath._elementwise import *
from multimlp.backends.mpmath._manipulation import *
from multimlp.backends.mpmath._searching import *
from multimlp.backends.mpmath._statistics import *
from multimlp.backends.mpmath.array import Array, bool_, float64, int32, int64
from multimlp.backends.mpmath.linalg import matmul, matrix_transpose, tensordot, vecdot
from multimlp.backends.mpmath.scalars import context

__array_api_version__ = "2023.12"
bool = bool_  # noqa: A001 - the standard's name
pi, e, inf, nan, newaxis = +context.pi, +context.e, scalars.INF, scalars.NAN, None
_operators.bind(Array)

Array.namespace = sys.modules[__name__]

__all__ = [
    "bool", "e", "float64", "inf", "int32", "int64", "linalg", "matmul", "matrix_transpose", "nan",
    "newaxis", "pi", "tensordot", "vecdot",
]  # fmt: skip
__all__ += _creation.__all__
__all__ += _dtypes.__all__
__all__ += _elementwise.__all__
__all__ += _manipulation.__all__
__all__ += _searching.__all__
__all__ += _statistics.__all__
