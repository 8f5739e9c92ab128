"""Every communicator: sums, gathering and broadcasts of processes that really run, and what they say of peers that are gone or stuck."""

from __future__ import annotations

import json
import socket
import time

import numpy as np
import pytest
from communicator_worker import DTYPES, SIZES, vector
from processes import environment, mpi_environment, mpi_file, outputs, python

from multimlp.distributed import _meeting

KINDS = ("sockets", "gloo", "mpi")


def _lines(kind, size, folder, timeout, what, seconds=60):
    arguments = [("communicator_worker.py", kind, rank, size, folder, timeout, what) for rank in range(size)]
    if kind == "mpi":
        command = [mpi_file("mpiexec"), "-n", str(size), *python(*arguments[0])]
        ((code, _, err),) = outputs([command], mpi_environment(), seconds)
        return [(code, said.read_text(), err) for said in sorted(folder.glob("said-*.json"))]
    if kind == "gloo":
        pytest.importorskip("torch")
    return outputs([python(*each) for each in arguments], environment(), seconds)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("sockets", 3),
        ("mpi", 3),
        *(pytest.param(kind, 2, marks=SLOW) for kind in KINDS),
        pytest.param("gloo", 3, marks=SLOW),
        pytest.param("sockets", 5, marks=SLOW),
    ],
)
def test_sums_gathering_and_broadcasts(kind, size, tmp_path):
    lines = _lines(kind, size, tmp_path, 30, "values")
    assert len(lines) == size, lines
    assert all(code == 0 for code, _, _ in lines), lines
    found = sorted((json.loads(out) for _, out, _ in lines), key=lambda one: one["rank"])
    assert [(one.pop("rank"), one.pop("size"), one.pop("name")) for one in found] == [
        (rank, size, kind) for rank in range(size)
    ]
    assert all(one == found[0] for one in found), "the ranks have different bits"
    first = found[0]
    for dtype in DTYPES:
        for n in SIZES:
            name, shape, data = first[f"sum {dtype} {n}"]
            parts = [vector(rank, n, dtype) for rank in range(size)]
            assert (name, shape) == (dtype, [n])
            got = np.frombuffer(bytes.fromhex(data), dtype)
            exact = sum(part.astype("complex128" if dtype == "complex128" else "float64") for part in parts)
            bound = 100 * size * np.finfo(dtype).eps if np.dtype(dtype).kind in "fc" else 0
            np.testing.assert_allclose(got, exact[: got.size], rtol=0, atol=4 * bound)
            if kind == "sockets" and dtype == "float64":
                in_order = parts[0].copy()
                for part in parts[1:]:
                    in_order += part
                assert got.tobytes() == in_order[: got.size].tobytes()
    for dtype in ("float64", "float16", "bool", "uint8"):
        name, shape, data = first[f"gather {dtype}"]
        assert (name, shape) == (dtype, [size, 5])
        assert bytes.fromhex(data) == b"".join(vector(rank, 5, dtype).tobytes() for rank in range(size))
    assert first["strided"] == (size * np.arange(20.0)[::2]).tolist()
    assert first["broadcast"] == [[0, ""], [3, b"x\0y".hex()], [100_000, b"zzz".hex()]]
    assert first["matrix"].startswith("ShapeError: vector: expected a NumPy array of shape (n,), got (2, 2)")
    assert first["text"].startswith("DTypeError: vector: expected one of float64,")
    assert first["objects"].startswith("DTypeError: vector: expected numbers, got dtype object")


@pytest.mark.parametrize(
    ("kind", "what", "says"),
    [
        ("sockets", "die", "rank 2 is gone, during sum number 2"),
        pytest.param("sockets", "stick", "rank 2 has not answered for 4 s, during sum number 2", marks=SLOW),
        pytest.param(
            "sockets",
            "differ",
            "rank 2 is at gather number 2 of 1000 numbers of float64, rank 0 at sum number 2",
            marks=SLOW,
        ),
        ("mpi", "stick", "another process has not answered for 4 s, during sum"),
        pytest.param("gloo", "die", "another process is gone or stuck", marks=SLOW),
        pytest.param("gloo", "stick", "another process is gone or stuck", marks=SLOW),
    ],
)
def test_peers_that_are_gone_or_stuck_become_one_clear_error(kind, what, says, tmp_path):
    size = 3 if kind == "sockets" else 2
    timeout = 10 if kind == "gloo" else 4 if what == "stick" else 30
    lines = [out for _, out, _ in _lines(kind, size, tmp_path, timeout, what) if out]
    found = [json.loads(out) for out in lines]
    assert len(found) >= size - 1
    for one in found[: size - 1]:
        assert one["error"].startswith("DistributedError: "), one
        assert says in one["error"]
        assert what == "differ" or "checkpoint='run.safetensors'" in one["error"]
        assert one["seconds"] < 20


@pytest.mark.slow
def test_mpi_ends_all_where_one_ends_by_an_error():
    """MPI itself would wait for it, and it for MPI's end."""
    command = [
        mpi_file("mpiexec"),
        "-n",
        "2",
        *python("communicator_worker.py", "mpi", 0, 2, ".", 60, "raise"),
    ]
    ((code, out, err),) = outputs([command], mpi_environment(), 30)
    assert code != 0
    assert out == ""
    assert "ValueError: rank 1 is no good" in err


def test_who_calls_himself_calls_again(monkeypatch):
    """At a port of those that the system deals out nobody may listen yet, and the caller may get that very port."""
    calls, connect = [], socket.create_connection

    def himself_first(address, timeout):
        calls.append(address)
        if len(calls) > 1:
            return connect(address, timeout)
        link = socket.socket()
        link.bind(("127.0.0.1", 0))
        link.connect(link.getsockname())
        return link

    monkeypatch.setattr(socket, "create_connection", himself_first)
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        with _meeting._come(1, 2, place, bytes(32), time.monotonic() + 10, 10.0) as link:
            assert link.getpeername() == server.getsockname()
    assert len(calls) == 2
