"""Tables as people have them: columns of numbers, categories, truth values and dates, with values missing, of pandas, polars and others.

A `Schema` is learned from one table and makes of this and of later ones two matrices: numbers, with NaN where one is missing, and codes
of categories. What does not fit it is refused with the column and the row.
"""

from multimlp.frames._columns import KINDS, Column, as_text
from multimlp.frames._features import Features
from multimlp.frames._meaning import Meanings
from multimlp.frames._median import median
from multimlp.frames._reading import is_missing, kind_of
from multimlp.frames._schema import Encoded, Schema

__all__ = [
    "KINDS",
    "Column",
    "Encoded",
    "Features",
    "Meanings",
    "Schema",
    "as_text",
    "is_missing",
    "kind_of",
    "median",
]
