"""NumPy's functions, operators and methods of recorded and batched arrays, by NumPy's protocols.

``numpy.sum(x)`` hands itself to ``x`` (``__array_function__``, ``__array_ufunc__``), which looks in the tables here for what it is in the
words of the standard. What is in no table is refused by name: nothing turns into a constant.
"""

from multimlp.tape.numpy.protocol import NumPyArray

__all__ = ["NumPyArray"]
