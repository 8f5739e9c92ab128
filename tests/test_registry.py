"""Names, aliases, owners and namespaces; nothing is imported to find them."""

import subprocess
import sys

import numpy as np
import pytest

from multimlp.backend import _registry, array_namespace, canonical_name, is_array, load_backend, owner
from multimlp.errors import InputError, MissingDependencyError, MixedBackendsError, UnknownBackendError


@pytest.mark.parametrize(
    ("alias", "name"),
    [("pytorch", "torch"), ("tf", "tensorflow"), ("np", "numpy"), ("NumPy", "numpy"), (" jax ", "jax")],
)
def test_aliases(alias, name):
    assert canonical_name(alias) == name


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownBackendError, match=r"unknown backend 'torhc'.*numpy, torch, jax"):
        load_backend("torhc")


def test_a_name_must_be_text():
    with pytest.raises(InputError, match="expected a name"):
        load_backend(3)


def test_missing_framework_says_what_to_install(monkeypatch):
    monkeypatch.setattr(_registry, "_loaded", {})
    monkeypatch.setattr(_registry, "is_installed", lambda name: False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'multimlp\[cupy\]'"):
        load_backend("cupy")


def test_owner_and_namespace_of_each_backends_arrays(backend):
    array = backend.asarray([1.0, 2.0])
    assert owner(array) is backend
    assert array_namespace(array, 2.0, None) is backend.xp
    assert is_array(array)


def test_two_libraries_in_one_call_are_an_error(training_backend):
    if training_backend.name == "numpy":
        pytest.skip("needs a second library")
    with pytest.raises(MixedBackendsError, match="two libraries"):
        array_namespace(np.ones(2), training_backend.asarray([1.0]))


@pytest.mark.parametrize("value", [1.0, "text", None, [1.0], object()])
def test_what_is_no_array_is_an_error(value):
    with pytest.raises(InputError, match="expected an array"):
        array_namespace(value)
    assert not is_array(value)


FRAMEWORKS = (
    "torch",
    "jax",
    "tensorflow",
    "mxnet",
    "cupy",
    "paddle",
    "keras",
    "sklearn",
    "scipy",
    "matplotlib",
    "rich",
    "pandas",
)


def test_importing_multimlp_imports_no_framework():
    code = f"import sys, multimlp; print([m for m in {FRAMEWORKS!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_detecting_an_array_imports_no_other_framework():
    code = (
        "import sys, numpy as np, multimlp as mm; mm.activations.relu(np.ones(3)); mm.MLP(2, 3, 1).init(0); "
        f"print([m for m in {FRAMEWORKS!r} if m in sys.modules and m != 'scipy'])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_the_adapters_exist_only_once():
    code = "import multimlp.backends, sys; print('backends' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "False"
    )
    twice = subprocess.run([sys.executable, "-c", "import backends"], capture_output=True, text=True)
    assert twice.returncode != 0
