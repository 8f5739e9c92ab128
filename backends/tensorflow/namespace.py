"""An array API 2024.12 namespace over plain ``tf.Tensor``: tensors in, tensors out.

Every function works eagerly, in a ``tf.function``, under ``GradientTape``, ``ForwardAccumulator`` and
``tf.vectorized_map``, and all but ``unique_*``, ``linalg.det`` and ``linalg.slogdet``, which XLA lacks, with
``jit_compile=True``. Nothing of TensorFlow is changed by importing this. Beside the standard's names there
are ``float16``, ``bfloat16`` and ``isin``.

Examples
--------
>>> from multimlp.backends.tensorflow import namespace as xp
>>> x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
>>> xp.sum(x @ x, axis=0).numpy().tolist()
[22.0, 32.0]

References
----------
Python array API standard, version 2024.12: https://data-apis.org/array-api/2024.12/
"""

from __future__ import annotations

from math import e, inf, nan, pi

import tensorflow as _tf

from multimlp.backends.tensorflow import (
    _creation,
    _dlpack,
    _dtypes,
    _elementwise,
    _info,
    _linear_algebra,
    _manipulation,
    _searching,
    _statistics,
    linalg,
)
from multimlp.backends.tensorflow._creation import *
from multimlp.backends.tensorflow._dlpack import *
from multimlp.backends.tensorflow._dtypes import *
from multimlp.backends.tensorflow._elementwise import *
from multimlp.backends.tensorflow._info import *
from multimlp.backends.tensorflow._linear_algebra import *
from multimlp.backends.tensorflow._manipulation import *
from multimlp.backends.tensorflow._searching import *
from multimlp.backends.tensorflow._statistics import *

__array_api_version__ = "2024.12"
__version__ = _tf.__version__
newaxis = None

__all__ = ["e", "inf", "linalg", "nan", "newaxis", "pi"]
__all__ += _creation.__all__
__all__ += _dlpack.__all__
__all__ += _dtypes.__all__
__all__ += _elementwise.__all__
__all__ += _info.__all__
__all__ += _linear_algebra.__all__
__all__ += _manipulation.__all__
__all__ += _searching.__all__
__all__ += _statistics.__all__
