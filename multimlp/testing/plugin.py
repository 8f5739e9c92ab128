"""The pytest plug-in: fixtures ``mm_backend`` and ``xp``, options and marks, for array code of one's own.

::

    def test_norm(xp, mm_backend):
        x = mm_backend.asarray([3.0, 4.0])
        assert float(xp.sqrt(xp.sum(x * x))) == 5.0

    @pytest.mark.mm_skip("tensorflow", reason="no item assignment")
    @pytest.mark.mm_xfail("jax", reason="issue 12")
    def test_update(xp): ...

Every test that uses one of the fixtures runs once for each backend: all that are installed, or those of
``--mm-backends``. ``--mm-device`` and ``--mm-dtype`` are in force during such a test, as
`multimlp.use_backend` puts them. A project that uses no fixture of the plug-in imports no framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("multimlp", "array libraries")
    group.addoption(
        "--mm-backends", metavar="NAMES", help="comma-separated backends for the fixtures mm_backend and xp"
    )
    group.addoption("--mm-device", metavar="NAME", help="device for them: cpu, gpu, cuda:1, ...")
    group.addoption("--mm-dtype", metavar="NAME", help="floating-point dtype for them: float32, float64, ...")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "mm_skip(*backends, reason): do not run with these backends")
    config.addinivalue_line(
        "markers",
        "mm_xfail(*backends, reason, raises=None, strict=True): expected to fail with these backends",
    )


def _names(config: pytest.Config) -> list[str]:
    from multimlp.backend import canonical_name
    from multimlp.errors import BackendError
    from multimlp.testing import comparable_backends

    given = config.getoption("--mm-backends")
    if not given:
        return list(comparable_backends())
    try:
        return list(dict.fromkeys(canonical_name(name) for name in given.split(",")))
    except BackendError as error:
        raise pytest.UsageError(f"--mm-backends: {error}") from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mm_backend" not in metafunc.fixturenames:
        return
    parameters = []
    for name in _names(metafunc.config):
        marks = list(_marks(metafunc.definition, name))
        parameters.append(pytest.param(name, marks=marks, id=name))
    metafunc.parametrize("mm_backend", parameters, indirect=True)


def _marks(item: pytest.Item, backend: str) -> Iterator[pytest.MarkDecorator]:
    """pytest's own marks for those of ours that name this backend."""
    for mark in item.iter_markers("mm_skip"):
        if backend in _backends_of(mark):
            yield pytest.mark.skip(reason=f"{backend}: {_reason_of(mark)}")
    for mark in item.iter_markers("mm_xfail"):
        if backend in _backends_of(mark):
            options = {key: mark.kwargs[key] for key in ("raises",) if mark.kwargs.get(key) is not None}
            strict = mark.kwargs.get("strict", True)
            yield pytest.mark.xfail(reason=f"{backend}: {_reason_of(mark)}", strict=strict, **options)


def _backends_of(mark: pytest.Mark) -> set[str]:
    from multimlp.backend import canonical_name

    if not mark.args:
        raise pytest.UsageError(
            f"{mark.name}: expected the names of backends, e.g. @pytest.mark.{mark.name}('jax', reason=...)"
        )
    return {canonical_name(name) for name in mark.args}


def _reason_of(mark: pytest.Mark) -> str:
    reason = mark.kwargs.get("reason")
    if not reason:
        raise pytest.UsageError(
            f"{mark.name}: a reason is needed, e.g. @pytest.mark.{mark.name}('jax', reason='...')"
        )
    return str(reason)


@pytest.fixture
def mm_backend(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each backend in turn, selected for the test, with the device and dtype of the options."""
    from multimlp.backend import load_backend, use_backend

    if not hasattr(request, "param"):
        pytest.fail(
            "mm_backend, xp: a test runs once for each backend, so that they must be among its arguments; getfixturevalue() comes too late",
            pytrace=False,
        )
    backend = load_backend(request.param)
    device, dtype = request.config.getoption("--mm-device"), request.config.getoption("--mm-dtype")
    with use_backend(backend.name, device=device, dtype=dtype), backend.scope(dtype or "float64"):
        yield backend


@pytest.fixture
def xp(mm_backend: Any) -> Any:
    """The array-API namespace of each backend in turn."""
    return mm_backend.xp
