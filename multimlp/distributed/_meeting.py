"""How processes find each other by sockets: rank 0 waits at an address, the others come to it.

The address is known beforehand (``host:port``, as a launcher for many machines says it), or rank 0 takes a free port and writes it
into a folder that all see and nobody else may enter (processes of one machine).
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import socket
import struct
import time
from pathlib import Path

from multimlp.distributed._failures import gone, stuck
from multimlp.distributed._sockets import Sockets, exactly
from multimlp.errors import DistributedError, InputError

_HELLO = struct.Struct("!32sII")
"""A digest of the secret, rank, size."""
_SECONDS_BETWEEN_TRIES = 0.02


def meet(rank: int, size: int, place: str, secret: str, timeout: float) -> Sockets:
    """The communicator of this process, when all have come.

    Parameters
    ----------
    rank, size : int
    place : str
        ``host:port``, or the path of a folder.
    secret : str
        What all know and strangers do not, who may find the port as well.
    timeout : float
    """
    end = time.monotonic() + timeout
    digest = hashlib.sha256(f"multimlp {secret}".encode()).digest()
    if rank == 0:
        links = _wait(size, place, digest, end, timeout)
    else:
        links = [_come(rank, size, place, digest, end, timeout)]
    return Sockets(rank, size, links, timeout)


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of ``host:port``; an IPv6 address stands in brackets.

    Examples
    --------
    >>> from multimlp.distributed._meeting import host_and_port
    >>> host_and_port("127.0.0.1:5000"), host_and_port("[::1]:5000")
    (('127.0.0.1', 5000), ('::1', 5000))
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"address: expected host:port, got {address!r}")
    return host.strip("[]"), int(port)


def listening(host: str, port: int) -> socket.socket:
    """At that address; for a name at all of this machine's, since to itself it may be another than to others."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    literal = ":" in host or host == "localhost" or host.replace(".", "").isdecimal()
    return socket.create_server((host if literal else "", port), family=family, backlog=1024)


def _wait(size: int, place: str, digest: bytes, end: float, timeout: float) -> list[socket.socket]:
    in_folder = os.path.isabs(place)
    host, port = ("127.0.0.1", 0) if in_folder else host_and_port(place)
    try:
        server = listening(host, port)
    except OSError as error:
        raise DistributedError(
            f"rank 0 cannot wait for the others at {place}: {error.strerror}; give the address of the machine that rank 0 runs on, "
            "and a port that is free"
        ) from None
    links: dict[int, socket.socket] = {}
    with server:
        if in_folder:
            _write(Path(place) / "address", f"127.0.0.1:{server.getsockname()[1]}")
        while len(links) < size - 1:
            server.settimeout(max(end - time.monotonic(), 0.001))
            try:
                link, _ = server.accept()
            except TimeoutError:
                missing = sorted({*range(1, size)} - {*links})
                raise stuck(_ranks(missing), "the start", timeout) from None
            found = _heard(link, digest)
            if found is None:
                link.close()
                continue
            rank, theirs = found
            if theirs != size or not 0 < rank < size or rank in links:
                raise DistributedError(
                    f"rank 0 of {size} processes was called by a rank {rank} of {theirs}"
                    f"{', a second time' if rank in links else ''}; give each process a rank of its own, and all the same size"
                )
            links[rank] = link
    return [links[rank] for rank in range(1, size)]


def _heard(link: socket.socket, digest: bytes) -> tuple[int, int] | None:
    """Rank and size that a caller says, None for a stranger."""
    link.settimeout(5.0)
    try:
        theirs, rank, size = _HELLO.unpack(exactly(link, bytearray(_HELLO.size)))
    except (OSError, EOFError):
        return None
    return (rank, size) if hmac.compare_digest(theirs, digest) else None


def _come(rank: int, size: int, place: str, digest: bytes, end: float, timeout: float) -> socket.socket:
    while True:
        try:
            address = (Path(place) / "address").read_text() if os.path.isabs(place) else place
            link = socket.create_connection(
                host_and_port(address), timeout=max(end - time.monotonic(), 0.001)
            )
            if link.getsockname() == link.getpeername():
                # Nobody listens at a port that the system deals out, so that it has dealt it to this caller, who would hold it for good.
                link.close()
                raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens there")
            link.sendall(_HELLO.pack(digest, rank, size))
            return link
        except OSError as error:  # rank 0 may not be there yet
            if time.monotonic() > end:
                reason = error.strerror or type(error).__name__
                raise gone("rank 0", f"the start, at {place}", f"{reason}, for {timeout:g} s") from None
            time.sleep(_SECONDS_BETWEEN_TRIES)


def _write(path: Path, text: str) -> None:
    """The file appears with all of its text."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


def _ranks(ranks: list[int]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks[:8]))}{', ...' if len(ranks) > 8 else ''}"
