"""Every exception that multimlp raises on purpose.

::

    MultimlpError
    ├── BackendError
    │   ├── UnknownBackendError      (ValueError)   no adapter has that name
    │   ├── MissingDependencyError   (ImportError)  a package is not installed; says what to install
    │   ├── MixedBackendsError       (TypeError)    arrays of two libraries in one call
    │   ├── DeviceError              (ValueError)   no such device here
    │   └── CapabilityError          (NotImplementedError)  this backend cannot do that
    ├── InputError                   (ValueError)   an argument has the wrong value
    │   ├── ShapeError                              ... or the wrong shape
    │   ├── DTypeError               (TypeError)    ... or the wrong dtype
    │   └── DataError                               a data set cannot be used as it is
    ├── DifferentiationError
    │   ├── NonScalarError           (TypeError)    grad of something that is not a scalar
    │   ├── NotDifferentiableError   (TypeError)    grad with respect to integers, booleans, no array
    │   ├── TracedValueError         (CapabilityError)  NumPy, float() or `if` was given a traced array
    │   └── MissingRuleError         (NotImplementedError)  the tape has no derivative rule for a function
    ├── TrainingError
    │   ├── NonFiniteLossError       (ArithmeticError)  the loss became NaN or infinite
    │   └── DistributedError         (RuntimeError)     another process of the run is gone, stuck, or not the same
    ├── FileFormatError              (ValueError)   a file is damaged, foreign, or of an unknown version
    └── ParityError                  (AssertionError)   two backends disagree

    PrecisionWarning                 (UserWarning)  not raised but warned: values were made narrower than they came

Each also derives from the built-in exception named in brackets, so code that knows nothing of multimlp can catch it.
"""

from __future__ import annotations


class MultimlpError(Exception):
    """Base of all exceptions of this package."""


class BackendError(MultimlpError):
    """Something about a backend: its name, its presence, its limits."""


class UnknownBackendError(BackendError, ValueError):
    """No adapter, built-in or plugged in, has that name."""


class MissingDependencyError(BackendError, ImportError):
    """A package that this feature needs is not installed; the message says what to install."""


class MixedBackendsError(BackendError, TypeError):
    """Arrays of more than one library were given to one call."""


class DeviceError(BackendError, ValueError):
    """The device does not exist, or this backend cannot use it."""


class CapabilityError(BackendError, NotImplementedError):
    """The backend lacks the capability that was asked for."""


class InputError(MultimlpError, ValueError):
    """An argument has a value that cannot be used."""


class ShapeError(InputError):
    """An array has a shape that cannot be used."""


class DTypeError(InputError, TypeError):
    """An array has a dtype that cannot be used, or two dtypes were mixed."""


class DataError(InputError):
    """A data set cannot be used as it is (empty, NaN, text in a number column, one class, ...)."""


class DifferentiationError(MultimlpError):
    """A derivative was asked for that does not exist."""


class NonScalarError(DifferentiationError, TypeError):
    """The function given to ``grad`` did not return a scalar."""


class NotDifferentiableError(DifferentiationError, TypeError):
    """The argument to differentiate with respect to is not a real floating-point array."""


class TracedValueError(DifferentiationError, CapabilityError):
    """The values of a traced array were asked for: by NumPy, by ``float()``, by an ``if``."""


class MissingRuleError(DifferentiationError, NotImplementedError):
    """The tape has no derivative rule for a function of the namespace."""


class TrainingError(MultimlpError):
    """Training could not go on."""


class NonFiniteLossError(TrainingError, ArithmeticError):
    """The training loss became NaN or infinite."""


class DistributedError(TrainingError, RuntimeError):
    """Another process of a run is gone, does not answer, or computes something else."""


class FileFormatError(MultimlpError, ValueError):
    """A file is damaged, of another kind, or written by an unknown version."""


class ParityError(MultimlpError, AssertionError):
    """Two backends, or a backend and the oracle, disagree beyond the stated tolerance."""


class PrecisionWarning(UserWarning):
    """Values were made narrower than they came, because wider ones would not be safe on that backend."""


def value_taken(what: str, backend: str) -> TracedValueError:
    """The error for code that takes a traced array out of its trace."""
    return TracedValueError(
        f"{what}: a traced array of the {backend} backend cannot become a plain array or number; a gradient would be lost, or a program "
        "hold a constant. Use the functions of multimlp.array_namespace(x) in place of NumPy's and math's, xp.where in place of if, "
        "multimlp.scan in place of while, and multimlp.stop_gradient(x) for a constant"
    )


def shape_unknown(what: str, backend: str) -> CapabilityError:
    """The error for a function whose result's shape depends on values, under a transform that must know shapes beforehand."""
    return CapabilityError(
        f"{what}: the shape of the result depends on values, which the {backend} backend does not know while jit, vmap or scan traces a "
        "function. Call it outside of the transformed function, or keep the shape, e.g. xp.where(mask, x, 0) in place of x[mask]; "
        "jit(f, compiler='none') runs f as it is"
    )


def missing_dependency(package: str, purpose: str, extra: str) -> MissingDependencyError:
    """The error for an absent optional package: what is missing, for what, and the command that installs it."""
    return MissingDependencyError(
        f"{purpose} needs the package {package!r}, which is not installed. Install it with: pip install 'multimlp[{extra}]'"
    )
