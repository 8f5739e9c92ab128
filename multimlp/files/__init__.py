"""Models in files: safetensors, never pickle, so that opening a file runs nothing.

`save` and `load` write and read a model; `write_tensors` and `read_tensors` do the same for any named arrays.
A file appears under its name only when it is complete. docs/file-format.md describes the format.
"""

from multimlp.files._atomic import check_writable, replacing
from multimlp.files._model import FORMAT_VERSION, load, load_extra, save
from multimlp.files._safetensors import read_tensors, require_package, write_tensors

__all__ = [
    "FORMAT_VERSION",
    "check_writable",
    "load",
    "load_extra",
    "read_tensors",
    "replacing",
    "require_package",
    "save",
    "write_tensors",
]
