"""Damage for files: bytes, archives, JSON, array headers, graphs and tables that are changed at random, each in its own way."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import warnings
import zipfile

PIPELINE = {
    "task": "classification",
    "feature_names": ["a", "b"],
    "classes": ["x", "y"],
    "loss": {"name": "cross_entropy", "options": {}},
    "inputs": {"mean": [0.0, 1.0], "scale": [1.0, 2.0]},
    "targets": None,
}
"""What a sound model file says of its inputs and classes."""
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
        kinds = (
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
