"""Data sets: those bundled with scikit-learn, MNIST and Fashion-MNIST, and your own files.

Examples
--------
>>> from multimlp import data
>>> iris = data.load("iris")
>>> iris.X.shape, iris.task, iris.classes
((150, 4), 'classification', ('setosa', 'versicolor', 'virginica'))
>>> train, test = data.split(iris, test=0.2, seed=0)
>>> scale = data.Standardizer.fit(train.X)
>>> float(abs(scale(train.X).mean()).round(6))
0.0
"""

from multimlp.data._catalog import is_name, load, names
from multimlp.data._dataset import Dataset
from multimlp.data._frame_files import Frame, is_frame_file, read_columns, read_frame
from multimlp.data._idx import read_idx
from multimlp.data._split import split
from multimlp.data._standardizer import Standardizer
from multimlp.data._tables import read_features, read_table, table_files

__all__ = [
    "Dataset",
    "Frame",
    "Standardizer",
    "is_frame_file",
    "is_name",
    "load",
    "names",
    "read_columns",
    "read_features",
    "read_frame",
    "read_idx",
    "read_table",
    "split",
    "table_files",
]
