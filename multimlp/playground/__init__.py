"""The playground: a page on this machine on which a network is changed, trained and looked into, live.

`serve` opens the page (``multimlp playground``). Beneath it, and without a browser: `Settings` are the choices, `Plan` is what
follows from them, a `Session` trains by `multimlp.fit` as it is told, and its `Frame` is all that there is to see.
"""

from multimlp.playground._pictures import Curve, Difference, Picture, Regions, curves, decision
from multimlp.playground._plane import Plane
from multimlp.playground._problems import NAMES, OWN_FILE, Upload, parts, problem
from multimlp.playground._run import PacedRun
from multimlp.playground._server import serve
from multimlp.playground._session import Frame, Session
from multimlp.playground._settings import Place, Plan, Settings, backends, layers_of

__all__ = [
    "NAMES",
    "OWN_FILE",
    "Curve",
    "Difference",
    "Frame",
    "PacedRun",
    "Picture",
    "Place",
    "Plan",
    "Plane",
    "Regions",
    "Session",
    "Settings",
    "Upload",
    "backends",
    "curves",
    "decision",
    "layers_of",
    "parts",
    "problem",
    "serve",
]
