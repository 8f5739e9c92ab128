"""The kit of named things: activations, losses, optimisers, schedules, initialisers, regularisers, metrics.

A *table* finds a thing by its name, however it is spelt. The *options* of a thing are read from the signature of
the function that makes or computes it; each is annotated with the check that its values pass. A *named* thing
writes itself down as ``{"name": ..., "options": {...}}``, is read back from that, pickled, compared and shown.
"""

from multimlp._naming._named import Named, document_as
from multimlp._naming._options import Options
from multimlp._naming._table import Table, squeezed, unpack_spec

__all__ = [
    "Named",
    "Options",
    "Table",
    "document_as",
    "squeezed",
    "unpack_spec",
]
