"""The contract between portable code and array libraries, and how a library is found, selected and converted to.

For the author of an adapter: `Backend` is what an adapter subclasses, `Capabilities` what it says of itself, `Kernels` what it brings to
train in place; `register` makes it known. For whoever writes operations: `op` makes one, `Op.kernel` gives it a kernel on a backend.
For portable code: `array_namespace` and `owner` find the library of an array, `select` the one to work with, `convert` goes from one to
another. The adapters themselves live in `multimlp.backends`.
"""

from multimlp._typing import Array, Arrays, Namespace
from multimlp.backend._capabilities import Capabilities
from multimlp.backend._capture import Call, Recorder
from multimlp.backend._catalog import CHECKERS, BackendInfo, available_backends
from multimlp.backend._compiled import Argument, CompiledKernels, Late, Record, Table, UntranslatableError
from multimlp.backend._contract import Backend, Function
from multimlp.backend._convert import convert, host, host_values, is_sparse, unmasked
from multimlp.backend._inplace import (
    FusedUpdate,
    InPlaceActivation,
    Kernels,
    Phase,
    Scalars,
    Task,
    UpdateRule,
)
from multimlp.backend._op import OPS, Op, op, prepare_all, when_kernels_change
from multimlp.backend._ranges import squared
from multimlp.backend._registry import (
    BUILTIN,
    array_namespace,
    canonical_name,
    common_owner,
    entry_points,
    is_array,
    is_installed,
    is_traced,
    load_backend,
    owner,
    owner_of_type,
    register,
)
from multimlp.backend._selection import (
    FLOAT_DTYPES,
    Selection,
    Target,
    get_backend,
    select,
    select_devices,
    selected,
    selections,
    set_backend,
    use_backend,
)

__all__ = [
    "BUILTIN",
    "CHECKERS",
    "FLOAT_DTYPES",
    "OPS",
    "Argument",
    "Array",
    "Arrays",
    "Backend",
    "BackendInfo",
    "Call",
    "Capabilities",
    "CompiledKernels",
    "Function",
    "FusedUpdate",
    "InPlaceActivation",
    "Kernels",
    "Late",
    "Namespace",
    "Op",
    "Phase",
    "Record",
    "Recorder",
    "Scalars",
    "Selection",
    "Table",
    "Target",
    "Task",
    "UntranslatableError",
    "UpdateRule",
    "array_namespace",
    "available_backends",
    "canonical_name",
    "common_owner",
    "convert",
    "entry_points",
    "get_backend",
    "host",
    "host_values",
    "is_array",
    "is_installed",
    "is_sparse",
    "is_traced",
    "load_backend",
    "op",
    "owner",
    "owner_of_type",
    "prepare_all",
    "register",
    "select",
    "select_devices",
    "selected",
    "selections",
    "set_backend",
    "squared",
    "unmasked",
    "use_backend",
    "when_kernels_change",
]
