"""Derivatives by torch's autograd itself: who else may differentiate the results, and what is recorded of a function."""

import numpy as np
import pytest
from libraries import NAMES

import multimlp as mm
from multimlp.backend import array_namespace, op

torch = pytest.importorskip("torch")

X = torch.tensor([1.0, 2.0], dtype=torch.float64)
HESSIAN = torch.diag(2 * torch.cos(X) - X * torch.sin(X))


def total(x):
    return torch.sum(torch.sin(x) * x)


def test_what_a_function_closes_over_can_be_differentiated_from_outside():
    w = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    (value, extra), gradient = mm.value_and_grad(lambda x: (w**2 * total(x), w * x), has_aux=True)(X)
    for result, slope in ((value, 6 * total(X)), (extra.sum(), X.sum()), (gradient.sum(), None)):
        slope = 6 * mm.grad(total)(X).sum() if slope is None else slope
        torch.testing.assert_close(torch.autograd.grad(result, w, retain_graph=True)[0], slope)


def test_what_nobody_differentiates_has_no_graph():
    w = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    for f in (total, lambda x: total(x) + w):
        assert not mm.grad(f)(X).requires_grad
        assert not mm.hessian(f)(X).requires_grad
    outputs, pullback = mm.vjp(lambda x: x * x, X)
    assert not outputs.requires_grad
    assert not pullback(X)[0].requires_grad
    both = lambda x, y: torch.sum(torch.sin(x) * x * y)  # noqa: E731
    y = torch.tensor(2.0, dtype=torch.float64)
    for found in (
        mm.hessian(both, argnums=(0, 1))(X, y),
        mm.jacrev(lambda x, y: (x * y, x * x), argnums=(0, 1))(X, y),
        mm.jacrev(lambda x: (x * x, x), has_aux=True)(X),
        mm.linearize(lambda x: x**3, X)[1](X),
        mm.linearize(mm.grad(total), X)[1](X),
    ):
        assert not any(leaf.requires_grad for leaf in mm.tree.leaves(found))
    for found, slope in (
        (mm.jacrev(lambda x: (w * x, w * x * x))(X)[1], 2 * X.sum()),
        (mm.linearize(lambda x: w * x**2, X)[1](X), 2 * (X * X).sum()),
    ):
        torch.testing.assert_close(torch.autograd.grad(found.sum(), w)[0], slope)
    with torch.no_grad():
        assert not mm.grad(lambda x: w * total(x))(X.clone().requires_grad_()).requires_grad


def test_arguments_can_be_differentiated_from_outside():
    x = X.clone().requires_grad_()
    (second,) = torch.autograd.grad(mm.grad(total)(x), x, torch.ones_like(x))
    torch.testing.assert_close(second, HESSIAN.diagonal())
    closed = mm.grad(lambda y: torch.sum(y * x))(x)  # the same tensor, inside and as the argument
    torch.testing.assert_close(closed, x)


def test_pullbacks_may_be_called_again_mapped_and_differentiated():
    y, pullback = mm.vjp(torch.sin, X)
    rows = torch.eye(2, dtype=X.dtype)
    for _ in range(2):
        torch.testing.assert_close(torch.func.vmap(lambda c: pullback(c)[0])(rows), torch.diag(torch.cos(X)))
    torch.testing.assert_close(mm.grad(lambda c: torch.sum(pullback(c)[0]))(y), torch.cos(X))
    torch.testing.assert_close(mm.jvp(lambda c: pullback(c)[0], (y,), (X,))[1], torch.cos(X) * X)


def test_a_hessian_of_zeros_has_its_shape():
    assert mm.hessian(lambda x: 3.0 * torch.sum(x))(X).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert mm.jacobian(lambda x: torch.ones(3, dtype=x.dtype))(X).shape == (3, 2)


def test_programs_of_torch_compile_are_never_wrong_in_silence():
    compiled = torch.compile(total, backend="aot_eager")
    torch.testing.assert_close(mm.grad(compiled)(X), mm.grad(total)(X))
    with pytest.raises(RuntimeError, match="double backward"):
        mm.hessian(compiled)(X)


def test_compiled_functions_are_differentiated_as_they_are():
    for compiler in ("fx", "aot_eager"):
        f = mm.jit(total, compiler=compiler)
        torch.testing.assert_close(f(X), total(X))
        torch.testing.assert_close(mm.hessian(f)(X), HESSIAN)
        torch.testing.assert_close(mm.vmap(f)(X[:, None]), torch.sin(X) * X)
        x = X.clone().requires_grad_()
        f(x).backward()
        torch.testing.assert_close(x.grad, mm.grad(total)(X))


# ---- what is recorded


@op()
def doubled(x):
    return 2 * x


def test_arrays_beside_the_arguments_are_read_at_each_call():
    held = torch.ones(2, dtype=X.dtype)
    f = mm.jit(lambda x: torch.sum(held * x), compiler="fx")
    assert float(f(X)) == 3.0
    held += 1
    assert float(f(X)) == 6.0


def test_another_kernel_and_another_state_make_another_program():
    f = mm.jit(lambda x: doubled(x) @ x, compiler="fx")
    assert float(f(X)) == 10.0
    doubled.kernel("torch")(lambda x: 3 * x)
    try:
        assert float(f(X)) == 15.0
    finally:
        doubled.remove_kernel("torch")
    product = mm.jit(lambda x: x @ x, compiler="fx")
    for enabled, dtype in ((False, torch.float32), (True, torch.bfloat16), (False, torch.float32)):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            assert product(torch.ones(2, 2)).dtype == dtype


def test_without_a_name_the_size_decides(monkeypatch):
    from multimlp.backends.torch import _programs

    monkeypatch.setattr(_programs, "has_cxx_compiler", lambda: True)
    assert _programs._compiler_for((torch.empty(100), torch.empty(100))) == "fx"
    assert _programs._compiler_for((torch.empty(2**13), torch.empty(2**13))) == "inductor"


# ---- TensorFlow: graphs looked up by shape


@pytest.mark.skipif("tensorflow" not in NAMES, reason="TensorFlow is not installed")
def test_a_graph_of_tensorflow_is_traced_once_a_shape_and_can_be_differentiated():
    tf = pytest.importorskip("tensorflow")
    traced = []

    def f(x):
        traced.append(x.shape)
        return array_namespace(x).sum(x * x)

    program = mm.jit(f)
    for n in (2, 3, 2, 3):
        assert float(program(tf.ones(n))) == n
    assert len(traced) == 2
    assert float(tf.function(lambda x: program(x))(tf.ones(2))) == 2.0
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = program(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [2.0, 4.0])
