"""What backends there are: known, installed, their versions, devices and capabilities."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from multimlp.backend._capabilities import Capabilities
from multimlp.backend._registry import BUILTIN, entry_points, is_installed, load_backend

CHECKERS = ("strict", "mpmath")
"""Backends that exist to check others: too slow to train, time or draw with unless they are named."""


@dataclass(frozen=True)
class BackendInfo:
    """One known backend. Devices and capabilities import the framework when they are first read."""

    name: str
    installed: bool
    version: str | None
    hint: str
    """The command that installs it."""

    @property
    def devices(self) -> tuple[str, ...]:
        return load_backend(self.name).devices() if self.installed else ()

    @property
    def capabilities(self) -> Capabilities | None:
        return load_backend(self.name).capabilities if self.installed else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON. A framework that is installed but cannot be imported is reported, not raised."""
        plain: dict[str, Any] = {
            "name": self.name,
            "installed": self.installed,
            "version": self.version,
            "install": self.hint,
            "devices": [],
            "capabilities": None,
            "problem": None,
        }
        try:
            capabilities = self.capabilities
            plain["devices"] = list(self.devices)
            plain["capabilities"] = None if capabilities is None else asdict(capabilities)
        except Exception as error:  # a broken framework must not hide the others
            plain["problem"] = f"{type(error).__name__}: {error}"
        return plain


def available_backends() -> dict[str, BackendInfo]:
    """All known backends by name, built-in and plugged in; imports no framework.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.available_backends()["numpy"].installed
    True
    """
    found = {}
    for name, known in BUILTIN.items():
        installed = is_installed(name)
        version = _version(known.distributions) if installed else None
        found[name] = BackendInfo(name, installed, version, f"pip install 'multimlp[{known.extra}]'")
    for name, point in entry_points().items():
        distribution = point.dist
        title = distribution.name if distribution is not None else point.value
        found[name] = BackendInfo(
            name, True, None if distribution is None else distribution.version, f"pip install {title}"
        )
    return found


def _version(distributions: tuple[str, ...]) -> str | None:
    from importlib import metadata  # 20 ms that most processes never need

    for distribution in distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None
