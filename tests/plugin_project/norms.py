"""Array code of somebody's own: written on the standard, tested on every library by test_norms.py."""

from multimlp import array_namespace


def norm(x):
    """The Euclidean norm."""
    xp = array_namespace(x)
    return xp.sqrt(xp.sum(x * x))


def ramp(x):
    """max(x, 0), as many write it: its derivative at 0 depends on the library."""
    xp = array_namespace(x)
    return xp.maximum(x, xp.zeros_like(x))
