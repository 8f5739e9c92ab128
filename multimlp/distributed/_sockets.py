"""A communicator of sockets, where there is no library that carries bytes: a star, with rank 0 in its middle.

Rank 0 adds in the order of ranks and sends the sum back, so that all have its bits, and any run the bits of the one before. Each message
starts with a header that says what the sender is about to do; ranks that do different things are told so, instead of waiting or
mixing up their bytes.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

import numpy as np

from multimlp.distributed._failures import gone, stuck, told
from multimlp.distributed._progress import exchange
from multimlp.distributed._vectors import flat, summable
from multimlp.errors import DistributedError

_HEADER = struct.Struct("!BIQ8s")
"""Operation, how many came before it, bytes that follow, dtype."""
_OPERATIONS = ("sum", "gather", "broadcast", "error")
_SMALL = 1 << 16
"""Bytes up to which a copy costs less than a second system call."""
_GRACE = 2.0
"""Seconds that the others wait longer than rank 0, which knows more about who is missing."""


class Sockets:
    """One of ``size`` processes.

    Parameters
    ----------
    rank, size : int
    links : list of socket
        To the ranks 1, 2, ... for rank 0; to rank 0 for the others.
    timeout : float
        Seconds without a byte after which a peer counts as stuck.
    """

    name = "sockets"

    def __init__(self, rank: int, size: int, links: list[socket.socket], timeout: float) -> None:
        self.rank, self.size = rank, size
        self._links, self._timeout = links, timeout
        self._count = 0
        self._broken: str | None = None
        for link in links:
            link.settimeout(timeout if rank == 0 else timeout + _GRACE)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def sum(self, vector: np.ndarray) -> np.ndarray:
        total = summable(vector)
        with self._operation("sum"):
            if self.rank == 0:
                part = np.empty_like(total)
                for peer in range(1, self.size):
                    self._receive(peer, "sum", part)
                    np.add(total, part, out=total)
                self._tell_all("sum", total)
            else:
                self._send(0, "sum", total)
                total = np.empty_like(total)
                self._receive(0, "sum", total)
        return total.astype(vector.dtype, copy=False)

    def gather(self, vector: np.ndarray) -> np.ndarray:
        vector = flat(vector)
        rows = np.empty((self.size, vector.size), vector.dtype)
        with self._operation("gather"):
            if self.rank == 0:
                rows[0] = vector
                for peer in range(1, self.size):
                    self._receive(peer, "gather", rows[peer])
                self._tell_all("gather", rows)
            else:
                self._send(0, "gather", vector)
                self._receive(0, "gather", rows)
        return rows

    def broadcast(self, data: bytes | None) -> bytes:
        with self._operation("broadcast"):
            if self.rank == 0:
                if data is None:
                    raise TypeError("rank 0 gives the bytes")
                for peer in range(1, self.size):  # who also waits, is at the same call
                    self._receive(peer, "broadcast", np.empty(0, np.uint8))
                self._tell_all("broadcast", np.frombuffer(data, np.uint8))
                return data
            self._send(0, "broadcast", np.empty(0, np.uint8))
            return self._receive(0, "broadcast", None).tobytes()

    def close(self) -> None:
        for link in self._links:
            with contextlib.suppress(OSError):
                link.close()

    # ---- messages

    def _operation(self, name: str) -> _Operation:
        if self._broken is not None:
            raise DistributedError(self._broken)
        self._count += 1
        return _Operation(self, name)

    def _link(self, peer: int) -> socket.socket:
        return self._links[peer - 1 if self.rank == 0 else 0]

    def _tell_all(self, name: str, array: np.ndarray) -> None:
        for peer in range(1, self.size):
            self._send(peer, name, array)

    def _send(self, peer: int, name: str, array: np.ndarray) -> None:
        kind = array.dtype.str.encode()
        header = _HEADER.pack(_OPERATIONS.index(name), self._count, array.nbytes, kind)
        view = array.reshape(-1).view(np.uint8).data
        with _blaming(peer, self._named(name), self._timeout):
            if len(view) <= _SMALL:
                self._link(peer).sendall(header + view)
            else:
                self._link(peer).sendall(header)
                self._link(peer).sendall(view)

    def _receive(self, peer: int, name: str, array: np.ndarray | None) -> np.ndarray:
        """What the peer sends for this operation, in ``array`` or, if that is None, in a new one of bytes."""
        link = self._link(peer)
        with _blaming(peer, self._named(name), self._timeout):
            operation, count, size, kind = _HEADER.unpack(exactly(link, bytearray(_HEADER.size)))
            if _OPERATIONS[operation] == "error":
                raise told(bytes(exactly(link, bytearray(size))).decode())
            theirs = (_OPERATIONS[operation], count, size, kind.rstrip(b"\0").decode())
            if array is None:
                array = np.empty(size, np.uint8)
            ours = (name, self._count, array.nbytes, array.dtype.str)
            if theirs != ours:
                raise DistributedError(
                    "the processes do different things, but each must call the same: "
                    f"rank {peer} is at {_shown(*theirs)}, rank {self.rank} at {_shown(*ours)}"
                )
            exactly(link, array.reshape(-1).view(np.uint8))
        return array

    def _named(self, name: str) -> str:
        return f"{name} number {self._count}"

    def _fail(self, error: BaseException) -> None:
        """Nothing is right after an error: the others are told, who may wait for this one."""
        text = str(error) if isinstance(error, DistributedError) else f"rank {self.rank} stopped: {error!r}"
        self._broken = text
        data = text.encode()
        message = _HEADER.pack(_OPERATIONS.index("error"), self._count, len(data), b"") + data
        for link in self._links:
            with contextlib.suppress(OSError):
                link.settimeout(_GRACE)
                link.sendall(message)
                link.shutdown(socket.SHUT_WR)  # closing it with bytes unread would take the message back


class _Operation:
    """One call of all: an error in it, Ctrl-C too, is the end of the communicator. A class, as generators take longer."""

    __slots__ = ("_name", "_of")

    def __init__(self, of: Sockets, name: str) -> None:
        self._of, self._name = of, name

    def __enter__(self) -> None:
        exchange.__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        exchange.__exit__()
        if error is not None:
            self._of._fail(error)


class _blaming:  # noqa: N801 - used as a statement
    """Errors of sockets say which peer, and what was under way."""

    __slots__ = ("_during", "_peer", "_seconds")

    def __init__(self, peer: int, during: str, seconds: float) -> None:
        self._peer, self._during, self._seconds = peer, during, seconds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, TimeoutError):
            raise stuck(f"rank {self._peer}", self._during, self._seconds) from None
        if isinstance(error, (OSError, EOFError)):
            raise gone(f"rank {self._peer}", self._during) from None


def exactly(link: socket.socket, buffer: Any) -> Any:
    """The buffer, filled."""
    view = memoryview(buffer)
    while len(view):
        got = link.recv_into(view)
        if got == 0:
            raise EOFError
        view = view[got:]
    return buffer


def _shown(name: str, count: int, size: int, kind: str) -> str:
    return f"{name} number {count} of {size // np.dtype(kind).itemsize} numbers of {np.dtype(kind).name}"
