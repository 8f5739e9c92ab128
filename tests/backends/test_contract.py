"""The contract that an outside adapter must pass, for every built-in one that is installed."""

from __future__ import annotations

import pytest

from multimlp import activations
from multimlp.backend import is_installed, load_backend
from multimlp.errors import ParityError
from multimlp.testing import BackendContract


def _contract(name: str, **attributes: object) -> type[BackendContract]:
    here = pytest.mark.skipif(not is_installed(name), reason=f"{name} is not installed")
    return here(type(f"Test{name.title()}", (BackendContract,), {"backend": name, **attributes}))


TestNumpy = _contract("numpy")
TestTorch = _contract("torch")
TestJax = _contract("jax")
TestTensorFlow = _contract("tensorflow")
TestStrict = _contract("strict")
TestMlx = _contract("mlx")
TestPaddle = _contract("paddle")
TestPaddleSingle = _contract("paddle", dtype="float32")
TestMpmath = _contract(
    "mpmath", without=("float32", "result_type", "searchsorted")
)  # one dtype, and an oracle


def test_the_contract_finds_a_kernel_that_is_wrong_at_its_kink():
    """The derivative of maximum(x, 0) at 0 is one half."""
    pytest.importorskip("torch")
    adapter = load_backend("torch")
    xp = adapter.xp
    activations.relu.kernel("torch")(lambda x: xp.maximum(x, xp.zeros_like(x)))
    try:
        with pytest.raises(ParityError):
            TestTorch().test_kernels_agree_with_the_portable_forms(adapter)
    finally:
        activations.relu.remove_kernel("torch")


def test_the_contract_finds_gradients_of_another_dtype():
    class Narrow(type(load_backend("strict"))):  # type: ignore[misc]
        name = "narrow"

        def value_and_grad(self, function):
            run = super().value_and_grad(function)

            def narrow(arrays):
                value, auxiliary, gradients = run(arrays)
                return value, auxiliary, tuple(self.xp.astype(g, self.xp.float32) for g in gradients)

            return narrow

    with pytest.raises(AssertionError):
        TestStrict().test_value_and_grad(Narrow(), False)
    TestStrict().test_value_and_grad(load_backend("strict"), False)
