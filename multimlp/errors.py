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
    │   └── MissingRuleError         (NotImplementedError)  the tape has no derivative rule for a function
    ├── TrainingError
    │   └── NonFiniteLossError       (ArithmeticError)  the loss became NaN or infinite
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


class MissingRuleError(DifferentiationError, NotImplementedError):
    """The tape has no derivative rule for a function of the namespace."""


class TrainingError(MultimlpError):
    """Training could not go on."""


class NonFiniteLossError(TrainingError, ArithmeticError):
    """The training loss became NaN or infinite."""


class FileFormatError(MultimlpError, ValueError):
    """A file is damaged, of another kind, or written by an unknown version."""


class ParityError(MultimlpError, AssertionError):
    """Two backends, or a backend and the oracle, disagree beyond the stated tolerance."""


class PrecisionWarning(UserWarning):
    """Values were made narrower than they came, because wider ones would not be safe on that backend."""


def missing_dependency(package: str, purpose: str, extra: str) -> MissingDependencyError:
    """The error for an absent optional package: what is missing, for what, and the command that installs it."""
    return MissingDependencyError(
        f"{purpose} needs the package {package!r}, which is not installed. Install it with: pip install 'multimlp[{extra}]'"
    )
