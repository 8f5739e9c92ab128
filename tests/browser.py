"""Chromium without a window, spoken to through a pipe: what the tests of the site need of the DevTools protocol, and no more."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


def executable() -> str | None:
    """The path of Chromium, if there is one: ``CHROMIUM`` in the environment, or one of its names."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def starts(name: str) -> bool:
    """Whether it runs at all: libraries that it needs may be missing."""
    with suppress(OSError, subprocess.TimeoutExpired):
        return (
            subprocess.run([name, "--version"], capture_output=True, check=False, timeout=60).returncode == 0
        )
    return False


class Page:
    """One tab.

    Attributes
    ----------
    complaints : list of str
        What the console showed as an error, exceptions that nobody caught, and what could not be loaded, since the last `open`.
    requested : list of str
        The addresses that were asked for since the last `open`.
    """

    def __init__(self, outgoing: int, incoming: int) -> None:
        self._outgoing, self._incoming, self._rest = outgoing, incoming, b""
        self._ids = itertools.count(1)
        self._session: dict[str, str] = {}
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.requested: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {
            "sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        }
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _read(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._incoming], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError("Chromium did not answer")
            if not (piece := os.read(self._incoming, 1 << 20)):
                raise EOFError("Chromium has ended")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def call(self, method: str, **params: Any) -> Any:
        """A command of the protocol and its answer."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params, **self._session}
        os.write(self._outgoing, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + 60
        while (answer := self._read(until)).get("id") != number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _note(self, event: dict[str, Any]) -> None:
        params, method = event.get("params", {}), event.get("method")
        self._events.append(event)
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(
                f"console: {[a.get('value', a.get('description')) for a in params['args']]}"
            )
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])

    def size(self, width: int, height: int = 2000, *, phone: bool = False) -> None:
        """How large the window is, and whether it is a telephone's, which heeds the page's viewport."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def scheme(self, name: str) -> None:
        """``"dark"`` or ``"light"``: what the system prefers."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, address: str) -> None:
        """Go to an address, and wait until all of it is loaded."""
        self.complaints.clear()
        self.requested.clear()
        self._events.clear()
        self.call("Page.navigate", url=address)
        until = time.monotonic() + 60
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._note(self._read(until))

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def picture(self, path: Path) -> None:
        """What is seen, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a Chromium of its own, which ends with the block; ``profile`` is an empty folder."""
    name = executable()
    if name is None:
        raise FileNotFoundError("no Chromium")
    to_it, outgoing = os.pipe()
    incoming, from_it = os.pipe()
    command = [name, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    # It reads commands from descriptor 3 and writes answers to 4.
    start = f'exec "$@" 3<&{to_it} 4>&{from_it}'
    process = subprocess.Popen(
        ["bash", "-c", start, "bash", *command],
        pass_fds=(to_it, from_it),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_it)
    os.close(from_it)
    try:
        yield Page(outgoing, incoming)
    finally:
        os.close(outgoing)
        os.close(incoming)
        process.terminate()
        process.wait(timeout=30)
