"""The server of the page."""

from __future__ import annotations

import contextlib
import logging
import socket
import webbrowser
from collections.abc import Callable
from typing import Any

from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import check_whole
from multimlp.playground._session import Session
from multimlp.playground._settings import Plan, Settings

LOOPBACK = "127.0.0.1"
PORT = 5006


def serve(
    settings: Settings | None = None,
    port: int = PORT,
    host: str = LOOPBACK,
    open_browser: bool = True,
    ready: Callable[[str], Any] | None = None,
) -> None:
    """Show the playground until Ctrl-C.

    The page comes from this process alone: it needs no network. Whoever reaches the port can train on this machine, which is why
    nobody but the machine itself can, unless ``host`` says otherwise.

    Parameters
    ----------
    settings : Settings, optional
        What a page begins with.
    port : int
        0: any that is free.
    host : str
        The address to listen at.
    open_browser : bool
    ready : callable, optional
        Called with the page's address once it can be opened.

    Raises
    ------
    MissingDependencyError
        Without the extra ``multimlp[playground]``.
    InputError
        If the port is taken, or there is no such address; for settings that cannot be.
    """
    try:
        import bokeh  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise missing_dependency(error.name or "bokeh", "the playground", "playground") from None
    from bokeh.application import Application
    from bokeh.application.handlers.function import FunctionHandler
    from bokeh.server.server import BaseServer
    from bokeh.server.tornado import BokehTornado
    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop
    from tornado.netutil import bind_sockets

    from multimlp.playground._page import page_maker

    settings = Settings() if settings is None else settings
    Plan.of(settings)
    logging.getLogger("bokeh").setLevel(logging.ERROR)
    logging.getLogger("tornado").setLevel(logging.ERROR)
    sessions: set[Session] = set()
    port = check_whole("port", port, low=0, high=65_535)
    try:
        sockets = bind_sockets(port, host)
    except OSError as error:
        raise InputError(
            f"port: cannot listen at {host}:{port}: {error.strerror or error}; choose another, 0 for any that is free"
        ) from None
    port = sockets[0].getsockname()[1]
    loop = IOLoop()
    application = BokehTornado(
        {"/": Application(FunctionHandler(page_maker(settings, sessions)))},
        extra_websocket_origins=[f"{name}:{port}" for name in _names(host)],
    )
    http = HTTPServer(application)
    http.add_sockets(sockets)
    server = BaseServer(loop, application, http)
    address = f"http://{_names(host)[0]}:{port}/"
    server.start()
    if ready is not None:
        ready(address)
    if open_browser:
        loop.add_callback(webbrowser.open, address)
    try:
        loop.start()
    except KeyboardInterrupt:
        pass
    finally:
        for seconds in (
            0,
            None,
        ):  # all are told, then waited for: Python must not end inside of a framework's compiler
            for session in sessions:
                session.close(seconds)
        server.stop()
        loop.close(all_fds=True)


def _names(host: str) -> list[str]:
    """By which names a browser may call the page, as it says them, the usual one first; pages of other addresses may not."""
    if host in (LOOPBACK, "localhost"):
        names = ["localhost", LOOPBACK, *(["::1"] if host == "localhost" else [])]
    elif host in ("0.0.0.0", "::"):
        own = _own_addresses(host)
        names = [*own, socket.gethostname(), socket.getfqdn(), "localhost", LOOPBACK]
    else:
        names = [host]
    return list(dict.fromkeys(f"[{name}]" if ":" in name else name.lower() for name in names))


def _own_addresses(host: str) -> list[str]:
    """Those of this machine that others may call, the one first by which it would call them."""
    kinds = [(socket.AF_INET, "192.0.2.1")]
    if host == "::":
        kinds.append((socket.AF_INET6, "2001:db8::1"))
    found: list[str] = []
    for family, elsewhere in kinds:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((elsewhere, 9))  # chooses a way, and sends nothing
            found.append(str(way.getsockname()[0]))
        with contextlib.suppress(OSError):
            found += [str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None, family)]
    return [address for address in found if not address.startswith("127.") and "%" not in address]
