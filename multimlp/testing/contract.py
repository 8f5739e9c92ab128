"""`BackendContract`: the tests that an adapter must pass, to be subclassed by whoever writes one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ClassVar

import numpy as np
import pytest

from multimlp import activations, transforms
from multimlp.backend import OPS, Array, Backend, array_namespace, canonical_name, load_backend, owner
from multimlp.errors import CapabilityError, DeviceError
from multimlp.mlp import MLP
from multimlp.parity.formats import FORMATS
from multimlp.testing._close import assert_close
from multimlp.testing.needed import missing
from multimlp.training import fit

POINTS = np.asarray([-20.0, -3.0, -1.0, -0.5, -1e-4, 0.0, 1e-4, 0.5, 1.0, 3.0, 6.0, 20.0])
"""Kinks of the activations are among them."""


def _square_sum(arrays: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
    (x,) = arrays
    xp = array_namespace(x)
    return xp.sum(x * x), (x + 1,)


def refuse_what_lacks(adapter: Backend, known: Collection[str] = ()) -> None:
    """Fail by naming what is missing, where everything else would crash on it; but for what is ``known`` to be."""
    lacking = {
        purpose: found
        for purpose, names in missing(adapter).items()
        if (found := [name for name in names if name not in known])
    }
    if lacking:
        said = "; ".join(f"for {purpose}: {', '.join(names)}" for purpose, names in lacking.items())
        pytest.fail(f"the namespace of {adapter.name} lacks {said}", pytrace=False)


class BackendContract:
    """Subclass it in a test module, and set ``backend``; every method of the adapter is then checked.

    Attributes
    ----------
    backend : str
        The name under which the adapter is registered, or plugged in.
    dtype : str
        The floating-point dtype of most checks.
    without : collection of str
        Functions of the standard that its namespace is known to lack, so that what calls them is not for this backend.

    Examples
    --------
    In ``tests/test_my_backend.py``::

        from multimlp.testing import BackendContract

        class TestMyBackend(BackendContract):
            backend = "my-backend"
    """

    backend: ClassVar[str]
    dtype: ClassVar[str] = "float64"
    without: ClassVar[Collection[str]] = ()

    @pytest.fixture
    def adapter(self) -> Any:
        adapter = load_backend(self.backend)
        refuse_what_lacks(adapter, self.without)
        with adapter.scope(self.dtype):
            yield adapter

    def array(self, adapter: Backend, x: Any) -> Array:
        return adapter.asarray(np.asarray(x), dtype=self.dtype)

    def close(self, adapter: Backend, got: Array, wanted: Any, k: float = 8.0) -> None:
        """Equal to a float64 reference within k eps, shape included, and of the dtype of the checks."""
        assert adapter.dtype_name(got.dtype) == self.dtype
        wanted = np.asarray(wanted, dtype=np.float64)
        eps = FORMATS[self.dtype].eps
        host = np.asarray(adapter.to_numpy(got), dtype=np.float64)
        assert_close(host, wanted, rtol=k * eps, atol=k * eps)

    # ---- identity and arrays

    def test_the_namespace_has_every_function_that_is_needed(self, adapter: Backend) -> None:
        refuse_what_lacks(adapter, self.without)

    def test_it_is_found_by_name_and_by_its_arrays(self, adapter: Backend) -> None:
        x = self.array(adapter, [1.0, 2.0])
        assert adapter.name == canonical_name(self.backend)
        assert owner(x) is adapter
        assert array_namespace(x) is adapter.xp
        assert adapter.version
        assert not adapter.is_array_type(list)

    @pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 0), (2, 3)])
    def test_values_come_and_go_unchanged(self, adapter: Backend, shape: tuple[int, ...]) -> None:
        host = np.random.default_rng(0).normal(size=shape)
        host = FORMATS[self.dtype].round(host)
        x = self.array(adapter, host)
        assert tuple(x.shape) == shape
        np.testing.assert_array_equal(adapter.to_numpy(x).astype(np.float64), host)

    @pytest.mark.parametrize("told", [False, True])
    @pytest.mark.parametrize(
        "view",
        [
            lambda x: x[::-1, ::-1],
            lambda x: x[:1][::-1],  # an axis of one number has any stride
            lambda x: x[:, :1][:, ::-1],
            lambda x: x[::2, 1:],
            lambda x: x.T,
            lambda x: x[:0, ::-1],
        ],
    )
    def test_numpy_arrays_come_in_whatever_their_strides(
        self, adapter: Backend, view: Callable[[np.ndarray], np.ndarray], told: bool
    ) -> None:
        given = view(np.arange(12, dtype="float32").reshape(4, 3))
        x = adapter.asarray(given, dtype=self.dtype if told else None)
        np.testing.assert_array_equal(adapter.to_numpy(x).astype(np.float64), given)

    def test_every_dtype_it_names_works(self, adapter: Backend) -> None:
        for name in adapter.capabilities.dtypes:
            with adapter.scope(name):
                x = adapter.asarray(np.asarray([0.5, 2.0]), dtype=name)
                assert adapter.dtype_name(x.dtype) == name
                np.testing.assert_array_equal(adapter.to_numpy(x + x).astype(np.float64), [1.0, 4.0])

    def test_integers_and_booleans_keep_their_kind(self, adapter: Backend) -> None:
        assert (
            adapter.dtype_name(adapter.asarray(np.asarray([1, 2], dtype=np.int32), dtype="int32").dtype)
            == "int32"
        )
        assert adapter.dtype_name(adapter.asarray(np.asarray([True]), dtype="bool").dtype) == "bool"

    def test_devices(self, adapter: Backend) -> None:
        x = self.array(adapter, [1.0])
        assert adapter.device_name(x) in adapter.devices()
        assert adapter.resolve_device(None) is None
        for device in adapter.devices():
            assert adapter.resolve_device(device) == device
            placed = adapter.asarray(np.asarray([1.0]), dtype=self.dtype, device=device)
            assert adapter.device_name(placed) == device
        with pytest.raises(DeviceError):
            adapter.resolve_device("no-such-device")
        adapter.synchronize(x)

    def test_what_is_shared_has_the_same_values(self, adapter: Backend) -> None:
        host = np.asarray([[1.0, 2.0], [3.0, 4.0]], dtype="float32")
        for given in (host, host[::-1], host.T):
            shared = adapter.share(given)
            if shared is not None:
                assert adapter.is_array_type(type(shared))
                np.testing.assert_array_equal(adapter.to_numpy(shared), given)

    @pytest.mark.parametrize("lead", [(), (2,)])
    @pytest.mark.parametrize("rows", [1, 3, 5])
    def test_rows_are_cut_off_and_filled_up(self, adapter: Backend, rows: int, lead: tuple[int, ...]) -> None:
        host = np.random.default_rng(0).integers(1, 9, size=(*lead, 3, 2)).astype(np.float64)
        wanted = np.zeros((*lead, rows, 2))
        wanted[..., : min(rows, 3), :] = host[..., :rows, :]
        self.close(adapter, adapter.resize_rows(self.array(adapter, host), rows), wanted)

    # ---- values

    def test_numbers_are_equal_only_if_they_are_the_same(self, adapter: Backend) -> None:
        """Some libraries take numbers for equal that are less than one eps apart; formulas ask where a number is 0."""
        small = FORMATS[self.dtype].eps / 4
        x = self.array(adapter, [0.0, small, -small, 1.0])
        host = adapter.to_numpy(x)
        for number in (0.0, 1.0):
            same = self.array(adapter, number)
            for got in (x == number, adapter.xp.equal(x, same)):
                np.testing.assert_array_equal(adapter.to_numpy(got), host == number)
            for got in (x != number, adapter.xp.not_equal(x, same)):
                np.testing.assert_array_equal(adapter.to_numpy(got), host != number)

    def test_what_has_a_limit_or_a_whole_value_has_it(self, adapter: Backend) -> None:
        x = self.array(adapter, [-np.inf, -1000.0, 0.0])
        np.testing.assert_array_equal(adapter.to_numpy(adapter.xp.exp(x)).astype(np.float64), [0.0, 0.0, 1.0])
        roots = adapter.xp.sqrt(self.array(adapter, [0.0, 1.0, 4.0, 9.0]))
        np.testing.assert_array_equal(adapter.to_numpy(roots).astype(np.float64), [0.0, 1.0, 2.0, 3.0])

    def test_elements_of_a_view_are_its_own(self, adapter: Backend) -> None:
        """What is transposed or cut out may share memory, and lie in it in another order."""
        host, xp = np.arange(24.0).reshape(2, 3, 4), adapter.xp
        x = self.array(adapter, host)
        places = adapter.asarray(np.asarray([1, 0, 1]), dtype="int64")
        views = (
            (xp.permute_dims(x, (2, 1, 0)), host.transpose(2, 1, 0)),
            (x[:, :, 1], host[:, :, 1]),
            (x[:, 1:, ::2], host[:, 1:, ::2]),
        )
        for view, wanted in views:
            for axis in range(wanted.ndim):
                self.close(adapter, xp.take(view, places, axis=axis), np.take(wanted, [1, 0, 1], axis=axis))
            self.close(adapter, xp.reshape(view, (-1,)), wanted.reshape(-1))
            self.close(adapter, xp.flip(view, axis=1), wanted[:, ::-1])

    # ---- derivatives

    @pytest.mark.parametrize("final", [False, True])
    def test_value_and_grad(self, adapter: Backend, final: bool) -> None:
        x = self.array(adapter, [1.0, -2.0, 3.0])
        transform = adapter.final_value_and_grad if final else adapter.value_and_grad
        value, (aux,), (gradient,) = transform(_square_sum)((x,))
        self.close(adapter, value, 14.0)
        self.close(adapter, aux, [2.0, -1.0, 4.0])
        self.close(adapter, gradient, [2.0, -4.0, 6.0])

    def test_an_argument_that_does_not_matter_has_zero_gradient(self, adapter: Backend) -> None:
        x, y = self.array(adapter, [1.0, 2.0]), self.array(adapter, [[3.0]])
        _, _, gradients = adapter.value_and_grad(lambda a: (array_namespace(a[0]).sum(a[0]), ()))((x, y))
        self.close(adapter, gradients[1], [[0.0]])

    def test_vjp_is_the_transposed_jacobian(self, adapter: Backend) -> None:
        x, w = self.array(adapter, [1.0, 2.0]), self.array(adapter, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        (y,), pullback = adapter.vjp(lambda a: (array_namespace(*a).matmul(a[0], a[1]),), (x, w))
        gx, gw = pullback((self.array(adapter, [1.0, 0.0, -1.0]),))
        self.close(adapter, y, [9.0, 12.0, 15.0])
        self.close(adapter, gx, [-2.0, -2.0])
        self.close(adapter, gw, [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0]])

    def test_jvp_is_the_jacobian(self, adapter: Backend) -> None:
        x = self.array(adapter, [1.0, 2.0])
        (y,), (dy,) = adapter.jvp(lambda a: (a[0] * a[0],), (x,), (self.array(adapter, [1.0, 10.0]),))
        self.close(adapter, y, [1.0, 4.0])
        self.close(adapter, dy, [2.0, 40.0])

    def test_a_linear_map_is_the_jacobian(self, adapter: Backend) -> None:
        x = self.array(adapter, [1.0, 2.0])
        for make in (adapter.linearize, adapter.jacobian_products):
            (y,), push = make(lambda a: (a[0] * a[0],), (x,))
            self.close(adapter, y, [1.0, 4.0])
            for tangent in ([1.0, 10.0], [0.0, 1.0]):
                self.close(
                    adapter, push((self.array(adapter, tangent),))[0], 2 * np.asarray([1.0, 2.0]) * tangent
                )

    @pytest.mark.parametrize("kind", ["vjp", "jvp"])
    def test_a_derivative_of_ones_own(self, adapter: Backend, kind: str) -> None:
        """Three times the true one, so that it is seen to be used."""

        def cube(arrays: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
            def function(a: tuple[Array, ...]) -> tuple[Array, ...]:
                return (a[0] * a[0],)

            if kind == "vjp":
                (y,) = adapter.custom_vjp(
                    function, lambda a: (function(a), a), lambda a, g: (6 * g[0] * a[0],), arrays
                )
            else:
                (y,) = adapter.custom_jvp(function, lambda a, t: (function(a), (6 * t[0] * a[0],)), arrays)
            return array_namespace(y).sum(y), ()

        try:
            _, _, (g,) = adapter.value_and_grad(cube)((self.array(adapter, [1.0, 2.0]),))
        except CapabilityError as error:
            pytest.skip(str(error))
        self.close(adapter, g, [6.0, 12.0])

    def test_values_with_known_slopes_have_them(self, adapter: Backend) -> None:
        """What is drawn by rejection has no other derivatives."""

        def roots(arrays: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
            xp = array_namespace(*arrays)
            value = adapter.stop_gradient(xp.sqrt(arrays[0]))
            return xp.sum(adapter.with_slopes(value, lambda y, x: (0.5 / y,), arrays)), ()

        value, _, (g,) = adapter.value_and_grad(roots)((self.array(adapter, [4.0, 16.0]),))
        self.close(adapter, value, 6.0)
        self.close(adapter, g, [0.25, 0.125])

    def test_what_is_computed_again_is_the_same(self, adapter: Backend) -> None:
        def energy(arrays: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
            (y,) = adapter.checkpoint(lambda a: (a[0] * a[0] * a[0],), arrays)
            return array_namespace(y).sum(y), ()

        value, _, (g,) = adapter.value_and_grad(energy)((self.array(adapter, [1.0, 2.0]),))
        self.close(adapter, value, 9.0)
        self.close(adapter, g, [3.0, 12.0])

    def test_branches_and_loops(self, adapter: Backend) -> None:
        x = self.array(adapter, 3.0)
        (y,) = adapter.cond(x > 2, lambda a: (a[0] * 2,), lambda a: (a[0],), (x,))
        self.close(adapter, y, 6.0)
        (y,) = adapter.while_loop(lambda a: a[0] < 20, lambda a: (a[0] * 2,), (x,))
        self.close(adapter, y, 24.0)

    def test_second_derivatives(self, adapter: Backend) -> None:
        if not adapter.capabilities.higher_order:
            pytest.skip("first derivatives only, as its capabilities say")
        x = self.array(adapter, [1.0, -2.0])
        hessian = transforms.hessian(lambda a: array_namespace(a).sum(a * a * a))(x)
        self.close(adapter, hessian, [[6.0, 0.0], [0.0, -12.0]])

    def test_stop_gradient(self, adapter: Backend) -> None:
        x = self.array(adapter, [3.0])

        def half_stopped(arrays: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
            return array_namespace(*arrays).sum(arrays[0] * adapter.stop_gradient(arrays[0])), ()

        _, _, (g,) = adapter.value_and_grad(half_stopped)((x,))
        self.close(adapter, g, [3.0])

    # ---- vmap, compile, scan

    def test_vmap_is_a_stack_of_calls(self, adapter: Backend) -> None:
        x = np.arange(6.0).reshape(3, 2)

        def energy(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
            return (array_namespace(*arrays).sum(arrays[0] * arrays[1]),)

        (y,) = adapter.vmap(energy)((self.array(adapter, x), self.array(adapter, x + 1)))
        self.close(adapter, y, np.sum(x * (x + 1), axis=1))

    @pytest.mark.parametrize("size", [2, 5])
    def test_compiled_is_the_same(self, adapter: Backend, size: int) -> None:
        x = np.linspace(-1, 1, size)
        compiler = _compiler(adapter)

        def function(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
            xp = array_namespace(arrays[0])
            return (xp.tanh(arrays[0]), xp.sum(arrays[0]))

        compiled = adapter.compile(function, compiler)
        for _ in range(2):
            y, total = compiled((self.array(adapter, x),))
            self.close(adapter, y, np.tanh(x))
            self.close(adapter, total, x.sum())
        with pytest.raises(CapabilityError):
            adapter.compile(function, "no-such-compiler")

    def test_a_jitted_function_is_called_with_its_arrays(self, adapter: Backend) -> None:
        """Programs are kept by the types, shapes and dtypes of their arguments, of which each must be hashable."""
        double = transforms.jit(lambda x: x + x)
        for given in ([1.0, 2.0], [3.0, 4.0], [5.0]):
            self.close(adapter, double(self.array(adapter, given)), 2 * np.asarray(given))

    def test_what_is_protected_outlives_a_program_that_overwrites_its_state(self, adapter: Backend) -> None:
        def function(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
            state, given = arrays
            return state + given, given * 2

        program = adapter.compile_in_place(function, _compiler(adapter), 1)
        start = self.array(adapter, [1.0, 2.0])
        given = adapter.program_input(np.asarray([10.0, 20.0]), dtype=self.dtype)
        state = adapter.protect(start)
        for step in (1, 2):
            state, doubled = program((state, given))
            self.close(adapter, state, [1.0 + 10 * step, 2.0 + 20 * step])
            self.close(adapter, doubled, [20.0, 40.0])
        self.close(adapter, start, [1.0, 2.0])

    def test_an_operation_put_together_is_the_same(self, adapter: Backend) -> None:
        def power(x: Array, exponent: float = 2.0) -> Array:
            xp = array_namespace(x)
            return xp.pow(x, xp.full_like(x, exponent))

        operation, x = adapter.compile_operation(power, 1), self.array(adapter, [1.0, 2.0, 3.0])
        self.close(adapter, operation(x), [1.0, 4.0, 9.0])
        self.close(adapter, operation(x, 3.0), [1.0, 8.0, 27.0])
        self.close(adapter, operation(x, exponent=3.0), [1.0, 8.0, 27.0])

    @pytest.mark.parametrize("collect", [True, False])
    def test_scan(self, adapter: Backend, collect: bool) -> None:
        xs = np.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

        def step(
            carry: tuple[Array, ...], x: tuple[Array, ...]
        ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
            total = carry[0] + x[0]
            return (total,), ((total * 2,) if collect else ())

        (last,), rows = adapter.scan(
            step, (self.array(adapter, [0.0, 0.0]),), (self.array(adapter, xs),), 3, collect
        )
        self.close(adapter, last, [9.0, 12.0])
        if collect:
            self.close(adapter, rows[0], 2 * np.cumsum(xs, axis=0))

    # ---- kernels and training

    def test_kernels_agree_with_the_portable_forms(self, adapter: Backend) -> None:
        """Value and derivative, at the kinks too."""
        x = self.array(adapter, FORMATS[self.dtype].round(POINTS))
        for name in activations.names():
            row = activations.describe(name)
            operation = row.function
            if row.elementwise and operation.kernel_for(adapter) is not None:
                for function in (operation, adapter.wrap(operation.portable)):
                    self.close(adapter, function(x), _reference(operation), 32.0)
                    slope = transforms.elementwise_grad(function)(x)
                    self.close(adapter, slope, _reference(row.derivative), 32.0)

    def test_every_kernel_replaces_an_operation(self, adapter: Backend) -> None:
        optional = {"scatter_add"}
        unknown = set(adapter.kernels) - set(OPS) - optional
        assert not unknown, f"kernels for operations that do not exist: {sorted(unknown)}"

    def test_a_kernel_from_outside_takes_the_place_of_the_adapters(self, adapter: Backend) -> None:
        x = self.array(adapter, [-1.0, 2.0])
        self.close(adapter, activations.relu(x), [0.0, 2.0])
        activations.relu.kernel(adapter.name)(lambda x: x + 1)
        try:
            self.close(adapter, activations.relu(x), [0.0, 3.0])
        finally:
            activations.relu.remove_kernel(adapter.name)
        self.close(adapter, activations.relu(x), [0.0, 2.0])

    def test_the_librarys_own_functions_are_called_on_one_array(self, adapter: Backend) -> None:
        x = self.array(adapter, [-1.0, 2.0])
        for name, function in adapter.framework_functions().items():
            assert tuple(function(x).shape) == (2,), name

    def test_kernels_in_place_are_what_epochs_are_said_to_run_by(self, adapter: Backend) -> None:
        has = adapter.inplace_kernels(self.dtype, None) is not None
        assert has == (adapter.capabilities.epoch == "inplace")

    def test_fit_learns_xor_or_is_refused(self, adapter: Backend) -> None:
        X = np.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        y = np.asarray([0, 1, 1, 0])
        if adapter.capabilities.epoch == "none":
            with pytest.raises(CapabilityError, match="does not train"):
                fit(MLP(2, 8, 2), X, y, epochs=1, backend=adapter, dtype=self.dtype, progress=False)
            return
        adam = {"name": "adam", "options": {"learning_rate": 0.05}}
        result = fit(
            MLP(2, 8, 2, activation="tanh"),
            X,
            y,
            optimizer=adam,
            epochs=120,
            batch_size=4,
            validation=None,
            backend=adapter,
            dtype=self.dtype,
            progress=False,
        )
        assert result.history["loss"][-1] < 0.1
        assert owner(result.params[0].weight) is adapter


def _compiler(adapter: Backend) -> str | None:
    """One that needs nothing beside Python; None is the default one."""
    return next((name for name in adapter.capabilities.compilers if name != "inductor"), None)


def _reference(function: Any) -> np.ndarray:
    """In float64 on NumPy, from the same rounded points."""
    with np.errstate(all="ignore"):
        return np.asarray(function.portable(POINTS), dtype=np.float64)
