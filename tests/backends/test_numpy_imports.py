"""What the NumPy backend imports, in a process of its own, and what it leaves until somebody asks."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import multimlp as mm
mm.get_backend("numpy")
late = ("numpy.f2py", "numpy.testing", "scipy.special")
assert not any(name in sys.modules for name in late), [name for name in late if name in sys.modules]

import numpy as np
from multimlp import activations
assert abs(activations.gelu(np.ones(3))[0] - 0.8413447460685429) < 1e-15
assert "scipy" not in sys.modules or "scipy.special" in sys.modules

import array_api_compat.numpy as xp
assert xp.testing is np.testing and "numpy.testing" in sys.modules
everything = {}
exec("from array_api_compat.numpy import *", everything)
assert set(xp.__all__) <= set(everything)
assert "f2py" not in everything or everything["f2py"] is np.f2py
assert not hasattr(xp, "nothing")
"""


def test_what_takes_long_is_imported_when_it_is_asked_for():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
