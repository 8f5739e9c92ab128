"""Models in files: safetensors, never pickle, so that opening a file runs nothing.

`save` and `load` write and read a model; `write_tensors` and `read_tensors` do the same for any named arrays.
A file appears under its name only when it is complete. docs/file-format.md describes the format.
"""

from multimlp.files._archive import (
    allowed_bytes,
    array_names,
    check_archive,
    read_array,
    read_array_sequence,
    read_arrays,
)
from multimlp.files._atomic import check_writable, replacing
from multimlp.files._model import (
    ESTIMATOR_KEY,
    FORMAT_VERSION,
    VERSION_KEY,
    check_version,
    is_estimator,
    json_object,
    load,
    load_extra,
    save,
)
from multimlp.files._opening import opening
from multimlp.files._paths import (
    as_path,
    check_apart,
    check_folder,
    check_readable,
    make_folder,
    why_unreadable,
)
from multimlp.files._safetensors import read_tensors, require_package, tensor_dtypes, write_tensors
from multimlp.files._tree import load_tree, save_tree

__all__ = [
    "ESTIMATOR_KEY",
    "FORMAT_VERSION",
    "VERSION_KEY",
    "allowed_bytes",
    "array_names",
    "as_path",
    "check_apart",
    "check_archive",
    "check_folder",
    "check_readable",
    "check_version",
    "check_writable",
    "is_estimator",
    "json_object",
    "load",
    "load_extra",
    "load_tree",
    "make_folder",
    "opening",
    "read_array",
    "read_array_sequence",
    "read_arrays",
    "read_tensors",
    "replacing",
    "require_package",
    "save",
    "save_tree",
    "tensor_dtypes",
    "why_unreadable",
    "write_tensors",
]
