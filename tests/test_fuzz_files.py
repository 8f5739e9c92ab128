"""Damaged and invented files of every format: a reader takes them, or raises one of the package's own errors, soon and in little memory.

    MULTIMLP_FUZZ_SECONDS=300 python -m pytest -m fuzz tests/test_fuzz_files.py

Case ``i`` of a format depends on ``MULTIMLP_FUZZ_SEED`` and ``i`` alone; a finding names both and keeps the file.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import resource
import signal
import struct
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damage import PIPELINE, damaged, damaged_inside, invented_table

import multimlp as mm
from multimlp import data, files
from multimlp.cli import main
from multimlp.errors import MultimlpError

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("MULTIMLP_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("MULTIMLP_FUZZ_SEED") or random.SystemRandom().randrange(10**6))
CASE_SECONDS, CASE_BYTES = 20, 768 << 20

MLP = mm.MLP(2, 3, 2, activation="elu")
PARAMS = MLP.init(seed=0, backend="numpy", dtype="float32")
CSV = "a,b,y\n" + "".join(f"{i},{i / 3},{'xy'[i % 2]}\n" for i in range(8))


# ---- the formats: a valid file, and who reads it ----------------------------------------


def table(path: Path) -> None:
    found = data.read_table(path)
    assert found.X.dtype in (np.float32, np.float64)
    assert found.X.shape == (len(found.y), len(found.feature_names))
    assert np.all(np.isfinite(found.X))
    assert np.all(np.isfinite(found.y))
    if found.classes is not None:
        json.dumps(found.classes)
        assert set(found.y.tolist()) == set(range(len(found.classes)))


def table_and_commands(path: Path) -> None:
    training = ["train", str(path), "--backend", "numpy", "--epochs", "1", "--hidden", "2", "--no-progress"]
    if main([*training, "--save", "new.safetensors"]) == 0:
        assert main(["predict", "new.safetensors", str(path)]) == 0
    table(path)
    assert main(["predict", "good.safetensors", str(path)]) in (0, 2)


def model_and_command(path: Path) -> None:
    files.load_extra(path)
    files.load(path, backend="numpy")
    assert main(["predict", str(path), "good.csv", "--backend", "numpy", "--proba"]) in (0, 2)
    assert main(["export", str(path), "--to", "gluon", "-o", "out.params"]) in (0, 2)


def imported(reader: Callable[[Path], object]) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        mlp, params = reader(path)  # type: ignore[misc]
        params = mm.convert(params, "numpy")
        # What a file holds may be a chain of blocks, whose first has no parameters, or that takes any number of features.
        dtype = next((leaf.dtype for leaf in mm.tree.leaves(params)), np.float32)
        with np.errstate(all="ignore"):
            mlp(params, np.ones((3, mlp.in_features or 4), dtype))

    return read


def written(write: Callable[[Path], object], name: str = "seed") -> bytes:
    path = Path(name)
    write(path)
    return path.read_bytes()


def of_model() -> bytes:
    return written(lambda path: files.save(path, MLP, PARAMS, PIPELINE))


def of_table(packed: bool) -> bytes:
    save = np.savez_compressed if packed else np.savez
    X, y = np.arange(8.0).reshape(4, 2), np.asarray(["u", "v"] * 2)
    return written(lambda path: save(path, X=X, y=y, feature_names=["a", "b"]), "seed.npz")


def of_array() -> bytes:
    np.save("casey.npy", np.arange(4) % 2)
    return written(lambda path: np.save(path, np.arange(8.0).reshape(4, 2)), "seed.npy")


def of_images() -> bytes:
    return bytes([0, 0, 8, 3]) + struct.pack(">III", 2, 3, 3) + bytes(range(18))


def torch_state(legacy: bool) -> bytes:
    import torch

    from multimlp.interop.torch import to_state_dict

    file = io.BytesIO()
    torch.save(to_state_dict(MLP, PARAMS), file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def read_torch(path: Path) -> object:
    from multimlp.interop.torch import from_state_dict, read_state

    return from_state_dict(read_state(path), "elu", None, "numpy")


def of_torch_safetensors() -> bytes:
    from multimlp.interop.torch import to_state_dict, write_state

    return written(lambda path: write_state(path, to_state_dict(MLP, PARAMS)), "seed.safetensors")


def of_flax() -> bytes:
    from multimlp.interop.flax import to_flax, write_variables

    return written(lambda path: write_variables(path, to_flax(MLP, PARAMS)[1]))


def read_flax(path: Path) -> object:
    from multimlp.interop.flax import from_variables, read_variables

    return from_variables(read_variables(path), "elu", None, "numpy")


def of_onnx() -> bytes:
    from multimlp.interop.onnx import to_onnx

    return to_onnx(MLP, PARAMS).SerializeToString()


def read_onnx(path: Path) -> object:
    return mm.interop.onnx.from_onnx(path, "numpy")


def of_gluon() -> bytes:
    return written(lambda path: mm.interop.gluon.to_gluon(MLP, PARAMS, path))


def of_gluon_archive() -> bytes:
    return written(lambda path: np.savez(path, **mm.interop.gluon.read_params("seed")), "seed.npz")


def read_gluon(path: Path) -> object:
    return mm.interop.gluon.from_gluon(path, "elu", None, "numpy")


def of_sklearn() -> bytes:
    from multimlp.interop.sklearn import to_sklearn, write_npz

    mlp = mm.MLP(2, 3, 2, activation="tanh")
    return written(lambda path: write_npz(path, to_sklearn(mlp, mlp.init(seed=0, backend="numpy"))))


def read_sklearn(path: Path) -> object:
    from multimlp.interop.sklearn import from_sklearn, read_npz

    return from_sklearn(read_npz(path), "numpy")


def of_keras() -> bytes:
    from multimlp.interop.keras import to_keras

    return written(lambda path: to_keras(MLP, PARAMS).save(path), "seed.keras")


def read_keras(path: Path) -> object:
    return mm.interop.keras.from_keras(path, "numpy")


def of_report() -> bytes:
    from multimlp.parity import Report
    from multimlp.parity.rows import Row

    row = Row("f", "activation", "value", "torch", "cpu", "float32", "eager", 1.0, 4.0, 0.5, 0.0, True)
    grid = np.arange(3.0)
    settings = {"dtypes": ["float32"], "quick": True, "seconds": 1.0, "compilers": {"torch": []}}
    results = {"f|value|float32|torch": grid, "f|value|float32|mpmath": grid}
    return Report([row], {"torch": "2"}, settings, {"f|float32": grid}, results).to_json().encode()


def read_report(path: Path) -> None:
    from multimlp.parity import Report
    from multimlp.parity.comparison import compare
    from multimlp.parity.html import page

    with files.opening(path, "is no report"):
        other = Report.from_json(path.read_text(encoding="utf-8"))
    own = Report.from_json(of_report().decode().replace("torch", "numpy"))
    page(own.beside(other), compare(own, other))


FORMATS: dict[str, tuple[str, str | None, Callable[[], bytes], Callable[[Path], object]]] = {
    "model": (".safetensors", None, of_model, model_and_command),
    "csv": (".csv", None, lambda: CSV.encode(), table_and_commands),
    "npz": (".npz", None, lambda: of_table(False), table_and_commands),
    "npz, packed": (".npz", None, lambda: of_table(True), table_and_commands),
    "npy": ("X.npy", None, of_array, table),
    "images": (".idx", None, of_images, data.read_idx),
    "images, packed": (".gz", None, lambda: gzip.compress(of_images()), data.read_idx),
    "report": (".json", "mpmath", of_report, read_report),
    "torch": (".pt", "torch", lambda: torch_state(False), imported(read_torch)),
    "torch, before 1.6": (".pt", "torch", lambda: torch_state(True), imported(read_torch)),
    "torch safetensors": (".safetensors", "torch", of_torch_safetensors, imported(read_torch)),
    "flax": (".msgpack", "flax", of_flax, imported(read_flax)),
    "onnx": (".onnx", "onnx", of_onnx, imported(read_onnx)),
    "gluon": (".params", None, of_gluon, imported(read_gluon)),
    "gluon archive": (".params", None, lambda: of_gluon() and of_gluon_archive(), imported(read_gluon)),
    "sklearn": (".npz", "sklearn", of_sklearn, imported(read_sklearn)),
    "keras": (".keras", "keras", of_keras, imported(read_keras)),
}


# ---- the loop ----------------------------------------


class TookTooLong(BaseException):
    """Not an `Exception`, so that no reader takes it for damage."""


def _stop(*_: object) -> None:
    raise TookTooLong


@pytest.mark.parametrize("name", FORMATS)
def test_no_file_brings_a_reader_down(name, tmp_path, monkeypatch, capsys):
    ending, package, make, read = FORMATS[name]
    if package is not None:
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    files.save("good.safetensors", MLP, PARAMS, PIPELINE)
    Path("good.csv").write_text("a,b\n1,2\n")
    seed = make()
    others = [seed, CSV.encode(), of_model(), of_table(True)]
    path = tmp_path / f"case{ending}"
    path.write_bytes(seed)
    read(path)  # the valid file is read
    previous = signal.signal(signal.SIGALRM, _stop)
    end, i, accepted = time.monotonic() + SECONDS / len(FORMATS), 0, 0
    try:
        while time.monotonic() < end:
            rng = random.Random(f"{SEED}:{name}:{i}")
            content = rng.choice((damaged, damaged_inside))(rng, seed, others)
            if name == "csv" and rng.random() < 0.5:
                content = invented_table(rng)
            path.write_bytes(content)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            signal.alarm(CASE_SECONDS)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read(path)
                accepted += 1
            except MultimlpError:
                pass
            except (Exception, TookTooLong) as error:
                kept = (
                    Path(os.environ.get("MULTIMLP_FUZZ_KEEP", tmp_path))
                    / f"found-{name.replace(', ', '-')}-{i}{ending}"
                )
                kept.write_bytes(content)
                pytest.fail(
                    f"{name}, MULTIMLP_FUZZ_SEED={SEED}, case {i}: {type(error).__name__}: {error}; the file is {kept}"
                )
            finally:
                signal.alarm(0)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
            assert grown < CASE_BYTES, f"{name}, MULTIMLP_FUZZ_SEED={SEED}, case {i}: {grown >> 20} MiB"
            i += 1
            if i % 50 == 0:
                capsys.readouterr()
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert i > 1
    print(f"{name}: {i} files, {accepted} taken")
