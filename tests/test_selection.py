"""Precedence: argument > context > library of an array given > set_backend > environment > numpy."""

import numpy as np
import pytest

from multimlp.backend import _registry, get_backend, load_backend, select, set_backend, use_backend
from multimlp.errors import DeviceError, DTypeError, InputError, MissingDependencyError, UnknownBackendError

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")


def test_each_level_gives_way_to_the_one_above(monkeypatch):
    assert select().backend.name == "numpy"
    monkeypatch.setenv("MULTIMLP_BACKEND", "strict")
    assert select().backend.name == "strict"
    set_backend("jax")
    assert select().backend.name == "jax"
    assert select(arrays=[torch.ones(2)]).backend.name == "torch"
    with use_backend("numpy"):
        assert select(arrays=[torch.ones(2)]).backend.name == "numpy"
        assert select("jax", arrays=[torch.ones(2)]).backend.name == "jax"
    assert select(arrays=[torch.ones(2)]).backend.name == "torch"


def test_numpy_arrays_and_lists_are_neutral():
    set_backend("torch")
    assert select(arrays=[np.ones(2), [1.0]]).backend.name == "torch"


def test_two_frameworks_need_a_word_from_the_user():
    with pytest.raises(InputError, match="jax and torch"):
        select(arrays=[torch.ones(2), jax.numpy.ones(2)])
    assert select("torch", arrays=[torch.ones(2), jax.numpy.ones(2)]).backend.name == "torch"


def test_dtype_levels(monkeypatch):
    assert select().dtype == "float32"
    monkeypatch.setenv("MULTIMLP_DTYPE", "float64")
    assert select().dtype == "float64"
    assert select(arrays=[torch.ones(2)]).dtype == "float32"
    assert select(arrays=[torch.ones(2, dtype=torch.int32)]).dtype == "float64"
    with use_backend("numpy", dtype="float16"):
        assert select().dtype == "float16"
        assert select(dtype="float64").dtype == "float64"


def test_the_environment_is_read_when_needed(monkeypatch):
    monkeypatch.setenv("MULTIMLP_BACKEND", "pytorch")
    assert get_backend().name == "torch"
    monkeypatch.setenv("MULTIMLP_BACKEND", "nonsense")
    with pytest.raises(UnknownBackendError, match="MULTIMLP_BACKEND: unknown backend 'nonsense'"):
        get_backend()


@pytest.mark.parametrize("device", ["cpu", "CPU"])
def test_the_cpu_is_everywhere(training_backend, device):
    assert training_backend.resolve_device(device) == "cpu"


def test_a_device_that_is_not_there_is_named(training_backend):
    with pytest.raises(DeviceError, match=r"'cuda:7' is not available.*available: .*cpu"):
        select(training_backend, device="cuda:7")


@pytest.mark.parametrize("dtype", ["float23", "int32", 7, "complex64"])
def test_a_dtype_that_is_none_is_named(dtype):
    with pytest.raises(DTypeError, match="dtype: expected"):
        select("numpy", dtype=dtype)


def test_a_dtype_that_the_backend_lacks_is_named():
    with pytest.raises(DTypeError, match="'bfloat16' is not supported by the numpy backend"):
        select("numpy", dtype="bfloat16")


def test_native_dtypes_are_understood(training_backend):
    assert select(training_backend, dtype=training_backend.dtype("float64")).dtype == "float64"


def test_a_context_ends_with_an_exception():
    with pytest.raises(RuntimeError), use_backend("torch"):
        raise RuntimeError
    assert get_backend().name == "numpy"


def test_adapters_are_accepted_as_they_are():
    assert get_backend(load_backend("torch")) is load_backend("torch")


def test_missing_framework(monkeypatch):
    monkeypatch.setattr(_registry, "_loaded", {})
    monkeypatch.setattr(_registry, "is_installed", lambda name: False)
    with pytest.raises(MissingDependencyError):
        get_backend("jax")
