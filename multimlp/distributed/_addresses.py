"""Addresses that a library needs to make connections of its own, exchanged over those that there are."""

from __future__ import annotations

import numpy as np

from multimlp.distributed._communicator import Communicator

_LONGEST = 255


def texts(communicator: Communicator, text: str) -> list[str]:
    """One short text of each process, in the order of ranks, on each."""
    line = np.zeros(_LONGEST, np.uint8)
    data = np.frombuffer(text.encode()[:_LONGEST], np.uint8)
    line[: data.size] = data
    return [row.tobytes().rstrip(b"\0").decode() for row in communicator.gather(line)]


def hosts(communicator: Communicator) -> list[str]:
    """The host of each process, as the others may call it; all on one machine meet at its loopback."""
    import socket

    names = texts(communicator, socket.gethostname())
    return ["127.0.0.1"] * len(names) if len(set(names)) == 1 else names


def host_of_rank_0(communicator: Communicator) -> str:
    """The first of `hosts`."""
    return hosts(communicator)[0]


def addresses(communicator: Communicator) -> list[str]:
    """``host:port`` of each process, in the order of ranks, on each; the ports are free at the time. The first serves as the
    coordinator of ``jax.distributed``, all together as the workers of ``TF_CONFIG``.

    Examples
    --------
    >>> from multimlp.distributed import Alone, addresses
    >>> [address.partition(":")[0] for address in addresses(Alone())]
    ['127.0.0.1']
    """
    import socket

    with socket.socket() as free:
        free.bind(("", 0))
        ports = texts(communicator, str(free.getsockname()[1]))
        return [f"{host}:{port}" for host, port in zip(hosts(communicator), ports, strict=True)]
