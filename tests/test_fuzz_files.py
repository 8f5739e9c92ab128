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
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

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
PIPELINE = {
    "task": "classification",
    "feature_names": ["a", "b"],
    "classes": ["x", "y"],
    "loss": {"name": "cross_entropy", "options": {}},
    "inputs": {"mean": [0.0, 1.0], "scale": [1.0, 2.0]},
    "targets": None,
}
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


def table_and_command(path: Path) -> None:
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
        with np.errstate(all="ignore"):
            mlp(
                mm.convert(params, "numpy"),
                np.ones((3, mlp.in_features), mm.convert(params, "numpy")[0].weight.dtype),
            )

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
    from multimlp.interop.flax import from_flax, read_variables

    return from_flax(read_variables(path), None, "elu", None, "numpy")


def of_onnx() -> bytes:
    from multimlp.interop.onnx import to_onnx

    return to_onnx(MLP, PARAMS).SerializeToString()


def read_onnx(path: Path) -> object:
    return mm.interop.onnx.from_onnx(path, "numpy")


def of_gluon() -> bytes:
    return written(lambda path: mm.interop.gluon.to_gluon(path, MLP, PARAMS))


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
    "csv": (".csv", None, lambda: CSV.encode(), table_and_command),
    "npz": (".npz", None, lambda: of_table(False), table_and_command),
    "npz, packed": (".npz", None, lambda: of_table(True), table_and_command),
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


# ---- damage ----------------------------------------

HEADERS = (
    b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x93NUMPY\x01\x00", b"\x80\x02", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08",
    b"{", b"[" * 2000, b'{"__metadata__":{}}', b"\xef\xbb\xbf", b"\xff\xfe", b"\0" * 64,
)  # fmt: skip
NUMBERS = (
    0,
    1,
    -1,
    2**7,
    2**15,
    2**16 - 1,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**53 + 1,
    2**62,
    2**63 - 1,
    -(2**63),
)
WORDS = (
    "nan", "NaN", "inf", "-inf", "1e400", "-0", "", " ", "None", "null", "true", "false", "[]", "{}", '""', "1_000", "0x10", "9" * 400,
    str(2**53 + 1), str(2**64), "-1", "0", "1", "1.5", "\0", "\ud7ff", "é", '"', "'", ",", ";", "\t", "\n", "\r", "\r\n", "a", "y",
    "\\ud800", "1e-400", "1" + "0" * 5000,
)  # fmt: skip


def damaged(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Some bytes changed, lost, doubled, or taken from elsewhere."""
    buffer = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(buffer) + 1)
        length = rng.choice((1, 2, 4, 8, rng.randrange(1, 200)))
        kind = rng.randrange(9)
        if kind == 0 and buffer:
            buffer[at % len(buffer)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            buffer[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            del buffer[at : at + length]
        elif kind == 3:
            del buffer[at:]
        elif kind == 4:
            number, size, order = rng.choice(NUMBERS), rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
            buffer[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, order)
        elif kind == 5:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            buffer[at:at] = other[start : start + length * 4]
        elif kind == 6:
            buffer[at:at] = rng.choice(HEADERS)
        elif kind == 7:
            buffer[at:at] = bytes(buffer[at : at + length]) * rng.choice((1, 2, 50))
        else:
            word = rng.choice(WORDS).encode("utf-8", "surrogatepass")
            buffer[at : at + rng.choice((0, len(word)))] = word
    return bytes(buffer)


def damaged_inside(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """The container kept whole, and what is in it damaged, so that checksums and lengths do not end the matter at once."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [(name, archive.read(name)) for name in archive.namelist()]
        chosen = rng.randrange(len(entries))
        file = io.BytesIO()
        with (
            warnings.catch_warnings(),
            zipfile.ZipFile(file, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive,
        ):
            warnings.simplefilter("ignore")
            for i, (name, inner) in enumerate(entries):
                if i == chosen:
                    kind = rng.randrange(5)
                    inner = b"" if kind == 0 else inner_of(rng, inner, others)
                    name = rng.choice(entries)[0] if kind == 1 else name
                archive.writestr(name, inner)
        return file.getvalue()
    if content.startswith(b"\x1f\x8b"):
        return gzip.compress(damaged(rng, gzip.decompress(content), others))
    if len(content) > 8 and content[8:9] == b"{":
        (length,) = struct.unpack("<Q", content[:8])
        header = inner_of(rng, content[8 : 8 + length], others)
        return struct.pack("<Q", len(header)) + header + content[8 + length :]
    if content.startswith(b"\x08\x09") and rng.random() < 0.8:
        return graph_changed(rng, content)
    if content.startswith(b"\x81\xa6params") and rng.random() < 0.8:
        return variables_changed(rng, content, others)
    return inner_of(rng, content, others)


def graph_changed(rng: random.Random, content: bytes) -> bytes:
    """An ONNX model that is still one, some of whose parts are others."""
    import onnx

    model = onnx.load_from_string(content)
    graph = model.graph
    for _ in range(rng.choice((1, 1, 2, 4))):
        node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
        names = [name for other in graph.node for name in (*other.input, *other.output)]
        operators = (
            "Gemm",
            "MatMul",
            "Add",
            "Clip",
            "PRelu",
            "Shrink",
            "Elu",
            "Softmax",
            "Sigmoid",
            "Mul",
            "Dropout",
            "Constant",
            "Selu",
        )
        attribute = onnx.helper.make_attribute(
            rng.choice(
                ("alpha", "beta", "axis", "transB", "transA", "value", "min", "lambd", "bias", "approximate")
            ),
            rng.choice((1, 0, -1, 0.5, "none", b"\xff", [1, 2], float("nan"), tensor)),
        )
        rng.choice(
            (
                lambda node=node, k=kinds: setattr(node, "op_type", rng.choice(k)),
                lambda node=node, a=attribute: node.attribute.append(a),
                lambda node=node: node.ClearField("attribute"),
                lambda node=node, n=names: node.input.append(rng.choice(n)),
                lambda node=node, n=names: node.output.append(rng.choice(n)),
                lambda node=node, n=names: (
                    node.input and node.input.__setitem__(rng.randrange(len(node.input)), rng.choice(n))
                ),
                lambda node=node: node.input and node.input.pop(),
                lambda node=node: node.ClearField("output"),
                lambda node=node: graph.node.append(node),
                lambda node=node: graph.node.remove(node),
                lambda t=tensor: setattr(t, "data_type", rng.randrange(26)),
                lambda t=tensor: t.dims.append(rng.choice((1, 2, 0, 2**40))),
                lambda t=tensor: t.dims and t.dims.pop(),
                lambda t=tensor: setattr(t, "raw_data", rng.randbytes(rng.randrange(30))),
                lambda t=tensor: t.ClearField("raw_data"),
                lambda n=names: setattr(graph.output[0], "name", rng.choice(n)),
                lambda: setattr(model.opset_import[0], "version", rng.choice((1, 6, 7, 13, 20, 99))),
            )
        )()
        if not graph.node or not graph.initializer:
            break
    return model.SerializeToString()


def variables_changed(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Flax variables some of whose parts are others, arrays damaged within."""
    import msgpack

    def array(value: object) -> object:
        if not isinstance(value, msgpack.ExtType):
            raise TypeError
        shape, kind, numbers = msgpack.unpackb(value.data)
        parts = [
            changed(rng, list(shape)),
            rng.choice((kind, "float64", "bfloat16", "O", "V8", "U1", "no", 3)),
            numbers,
        ]
        inner = damaged(rng, value.data, others) if rng.random() < 0.3 else msgpack.packb(parts)
        return msgpack.ExtType(rng.choice((value.code, 1, 1, 2, 3, 9)), inner)

    def change(value: object) -> object:
        if isinstance(value, msgpack.ExtType) and rng.random() < 0.7:
            return array(value)
        if isinstance(value, dict) and value and rng.random() < 0.9:
            key = rng.choice(list(value))
            renamed = rng.choice((key, key, key, "__msgpack_chunked_array__", "params", 3, b"x"))
            return {(renamed if k == key else k): (change(v) if k == key else v) for k, v in value.items()}
        return changed(rng, None)

    try:
        return msgpack.packb(change(msgpack.unpackb(content)))
    except (TypeError, ValueError, OverflowError):
        return damaged(rng, content, others)


def inner_of(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """JSON and array headers changed as such, anything else as bytes."""
    if rng.random() < 0.7:
        if content.startswith(b"\x93NUMPY\x01\x00"):
            return array_with_a_lie(rng, content)
        try:
            value = json.loads(content)
        except ValueError:
            return damaged(rng, content, others)
        if isinstance(value, (dict, list)):
            return json.dumps(changed(rng, value)).encode()
    return damaged(rng, content, others)


def changed(rng: random.Random, value: object) -> object:
    """A JSON value with one part replaced, lost or doubled; texts that are JSON themselves are gone into."""
    if isinstance(value, str) and value[:1] in ("{", "[") and rng.random() < 0.9:
        return json.dumps(changed(rng, json.loads(value)))
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key, kind = rng.choice(list(value)), rng.randrange(8)
        if "__metadata__" in value and rng.random() < 0.7:
            key, kind = "__metadata__", 7
        if kind == 0:
            return {k: v for k, v in value.items() if k != key}
        if kind == 1:
            return {(rng.choice(WORDS) if k == key else k): v for k, v in value.items()}
        return {k: (changed(rng, v) if k == key else v) for k, v in value.items()}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return rng.choice(
            (value[:at], [*value, value[at]], [*value[:at], changed(rng, value[at]), *value[at + 1 :]])
        )
    return rng.choice(
        (None, True, False, 0, 1, -1, 0.5, 10**400, 2**64, float("nan"), float("inf"), "", "x", "relu", [], {}, [[1], [2, 3]], {"name": []},
         {"name": "softmax", "axis": 0}, "\ud800", *NUMBERS, rng.choice(WORDS))
    )  # fmt: skip


def array_with_a_lie(rng: random.Random, content: bytes) -> bytes:
    (length,) = struct.unpack("<H", content[8:10])
    header, values = content[10 : 10 + length].decode("latin-1"), content[10 + length :]
    shape = rng.choice(
        (
            "()",
            "(0,)",
            "(4,)",
            "(2, 2)",
            "(-1,)",
            f"({2**62},)",
            "(True,)",
            "(1.5,)",
            "'x'",
            "(0, 9223372036854775808)",
        )
    )
    kind = rng.choice(
        (
            "<f8",
            ">f4",
            "|O",
            "<U1",
            "<U0",
            "|S0",
            "|V8",
            "<c16",
            "|b1",
            "<i8",
            "<M8[s]",
            "(2,)f8",
            "f8,i4",
            "|S3",
            "<f2",
            "<U999999",
        )
    )
    header = rng.choice(
        (
            header.replace("'shape': ", f"'shape': {shape}, 'x': "),
            f"{{'descr': '{kind}', 'fortran_order': {rng.choice(('False', 'True', '3'))}, 'shape': {shape}, }}",
            f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({max(len(values), 1)},), }}",
            "(" * rng.randrange(3000),
        )
    )
    return content[:8] + struct.pack("<H", len(header)) + header.encode("latin-1") + values


def invented_table(rng: random.Random) -> bytes:
    """A table of random cells, most of them possible."""
    columns, rows = rng.randrange(1, 5), rng.randrange(0, 8)
    names = [rng.choice(("a", "b", "y", "target", *WORDS)) for _ in range(columns)]
    cells = rng.choice(
        (("1", "2", "3"), ("1", "2", "x"), WORDS, ("x", "y", "z"), (str(2**53), str(2**53 + 1), str(2**70)))
    )
    lines = [names, *([rng.choice(cells) for _ in range(columns)] for _ in range(rows))]
    text = rng.choice(("\n", "\n", "\r\n", "\r")).join(
        rng.choice((",", ",", ";", "\t")).join(line) for line in lines
    )
    return text.encode(rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")), "replace")


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
