"""Real programs, each written once on multimlp's public names, with what they must give computed in another way.

A module has ``inputs()``, NumPy arrays or trees of them; ``program(*inputs)``, a dict of values and gradients, on any library;
and ``expected(*inputs)``, the same dict by NumPy, SciPy or mpmath: a closed form, another algorithm, or complex steps through a
second implementation. `PROGRAMS` names them all.
"""

from pathlib import Path

PROGRAMS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))
