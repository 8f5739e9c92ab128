"""An array API namespace over ``paddle.Tensor``: arrays in, arrays out.

Paddle's own functions have other names and arguments, take no numbers, do not mix dtypes, and are wrong here and there, as the modules of
this package say. There are no unsigned integers but uint8. float16 and bfloat16 exist, but on the CPU Paddle cannot add two arrays of
them, so that they are not offered. Beside the standard's names there is ``erf``.

Examples
--------
>>> from multimlp.backends.paddle import namespace as xp  # doctest: +SKIP
>>> xp.sum(xp.asarray([[1, 2], [3, 4]]), axis=0).tolist()  # doctest: +SKIP
[4, 6]

References
----------
Python array API standard, version 2024.12: https://data-apis.org/array-api/2024.12/
"""

from __future__ import annotations

from math import e, inf, nan, pi

from multimlp.backends.paddle import (
    _creation,
    _dtypes,
    _elementwise,
    _info,
    _manipulation,
    _searching,
    _statistics,
    fft,
    linalg,
)
from multimlp.backends.paddle._creation import *
from multimlp.backends.paddle._dtypes import *
from multimlp.backends.paddle._dtypes import bool_ as bool
from multimlp.backends.paddle._elementwise import *
from multimlp.backends.paddle._info import *
from multimlp.backends.paddle._manipulation import *
from multimlp.backends.paddle._searching import *
from multimlp.backends.paddle._statistics import *
from multimlp.backends.paddle.linalg import matmul, tensordot, vecdot

__array_api_version__ = "2024.12"
newaxis = None

__all__ = [
    "__array_api_version__",
    "bool",
    "e",
    "fft",
    "inf",
    "linalg",
    "matmul",
    "nan",
    "newaxis",
    "pi",
    "tensordot",
    "vecdot",
]
for _module in (_creation, _dtypes, _elementwise, _info, _manipulation, _searching, _statistics):
    __all__ += _module.__all__
