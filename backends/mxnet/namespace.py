"""An array API namespace over ``mxnet.np.ndarray``: arrays in, arrays out.

MXNet's own ``np`` has most of the standard's names, but narrows float64 to float32 unless told otherwise,
adds up integers in their own width, sends some functions through NumPy, and lacks some. There are no complex
numbers, no bfloat16, and of the ``linalg`` extension a part only. Beside the standard's names there are
``float16`` and ``erf``.

Examples
--------
>>> from multimlp.backends.mxnet import namespace as xp
>>> x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
>>> xp.sum(xp.matmul(x, x), axis=0).asnumpy().tolist()
[22.0, 32.0]

References
----------
Python array API standard, version 2024.12: https://data-apis.org/array-api/2024.12/
"""

from __future__ import annotations

from math import e, inf, nan, pi

from numpy import finfo, iinfo, newaxis

from multimlp.backends.mxnet import _dtypes, _functions, _unchanged, linalg
from multimlp.backends.mxnet._dtypes import *
from multimlp.backends.mxnet._dtypes import bool_ as bool  # noqa: A004
from multimlp.backends.mxnet._functions import *
from multimlp.backends.mxnet._unchanged import *

__array_api_version__ = "2024.12"

__all__ = ["__array_api_version__", "bool", "e", "finfo", "iinfo", "inf", "linalg", "nan", "newaxis", "pi"]
__all__ += _unchanged.__all__
__all__ += _dtypes.__all__
__all__ += _functions.__all__
