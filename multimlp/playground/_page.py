"""The page: widgets that make sessions, and frames that come back from them."""

from __future__ import annotations

import html
from typing import Any, cast

from bokeh.document import Document
from bokeh.events import DocumentReady
from bokeh.models import CustomJS
from bokeh.models.widgets import Button, Div

from multimlp.errors import MultimlpError
from multimlp.playground._controls import Controls
from multimlp.playground._figures import Figures
from multimlp.playground._session import Frame, Session
from multimlp.playground._settings import Plan, Settings
from multimlp.playground._template import TEMPLATE

POLL_MILLISECONDS = 60
_SHOW_STATE = (
    "for (const [name, value] of Object.entries(status.tags[0])) document.body.dataset[name] = value;"
)


class Page:
    """One open page: its document, its widgets, and the session that trains for it.

    Parameters
    ----------
    document : bokeh.document.Document
    settings : Settings
        What it begins with.
    sessions : set of Session
        Where its sessions are put, so that somebody can wait for them.
    """

    def __init__(self, document: Document, settings: Settings, sessions: set[Session]) -> None:
        self._sessions = sessions
        self._controls = Controls(settings, self._renew, document.add_next_tick_callback)
        self._figures = Figures()
        self._session: Session | None = None
        self._shown = -1
        self._start = Button(label="Start", name="start", button_type="primary", sizing_mode="stretch_width")
        self._step = Button(label="Step", name="step", sizing_mode="stretch_width")
        self._reset = Button(label="Reset", name="reset", sizing_mode="stretch_width")
        self._status = Div(name="status", sizing_mode="stretch_width", text="")
        self._start.on_click(self._start_or_pause)
        self._step.on_click(lambda: self._tell("step"))
        self._reset.on_click(self._renew)
        self._controls.pace.on_change("value", lambda attribute, old, new: self._keep_pace())
        show_state = CustomJS(args={"status": self._status}, code=_SHOW_STATE)
        self._status.js_on_change("tags", show_state)
        document.js_on_event(DocumentReady, show_state)
        self._renew()
        self._poll()
        for model in (
            self._start, self._step, self._reset, self._status, *self._controls.roots, *self._figures.roots
        ):  # fmt: skip
            document.add_root(model)
        document.title = "multimlp playground"
        document.template = cast(
            Any, TEMPLATE
        )  # text extends Bokeh's own template; its types know ready-made ones alone
        document.add_periodic_callback(self._poll, POLL_MILLISECONDS)

    def close(self) -> None:
        """End what trains for this page; nobody waits for it."""
        if self._session is not None:
            self._session.close(0)

    def _renew(self) -> None:
        """A new session for the settings; without one if they cannot be."""
        self.close()
        self._session, self._shown = None, -1
        try:
            settings = self._controls.settings()
            self._session = Session(settings, int(self._controls.pace.value))
        except MultimlpError as error:
            self._say("failed", html.escape(str(error)), "not ready")
        except Exception as error:  # of a file that nobody can open; the page must hear of it
            self._say("failed", html.escape(f"{type(error).__name__}: {error}"), "not ready")
        else:
            self._sessions.difference_update([one for one in self._sessions if one.is_over])
            self._sessions.add(self._session)
            self._say("preparing", "a backend is slow the first time")

    def _start_or_pause(self) -> None:
        self._tell("pause" if self._start.label == "Pause" else "start")

    def _tell(self, what: str) -> None:
        if self._session is not None:
            getattr(self._session, what)()

    def _keep_pace(self) -> None:
        if self._session is not None:
            self._session.pace = int(self._controls.pace.value)

    def _poll(self) -> None:
        """Draw the newest frame, if it is another one."""
        session = self._session
        if session is None:
            return
        frame = session.frame
        if frame.number == self._shown or frame.state == "preparing":
            return
        self._shown = frame.number
        self._figures.show(session.plan, frame)
        self._say(frame.state, _said(session.plan, frame))

    def _say(self, state: str, text: str, word: str = "") -> None:
        """Show the state, or another word for it, and what can be done in it; the page's style sheet reads the tags."""
        colour = "#b00020" if state == "failed" else "#14213d"
        self._status.text = f'<span style="color: {colour}"><b>{word or state}</b> {text}</span>'
        sides = 1 if self._session is None or self._session.plan.settings.other is None else 2
        stale = "yes" if self._session is None else "no"  # the pictures are of settings before these
        self._status.tags = [{"state": state, "kind": self._controls.kind, "sides": sides, "stale": stale}]
        self._start.label = "Pause" if state == "running" else "Start"
        for button in (self._start, self._step):
            button.disabled = state not in ("ready", "running", "paused")


def _said(plan: Plan, frame: Frame) -> str:
    if frame.state == "failed":
        return html.escape(frame.message)
    first = frame.pictures[0]
    loss = first.history.get("loss")
    figures = f", loss {loss[-1]:.4g}" if loss else ""
    train, test = len(plan.train[1]), len(plan.test[1])
    size = f"{plan.mlp.num_parameters} parameters, {train} examples to train on, {test} to test"
    return f"epoch {first.epoch} of {plan.settings.epochs}{figures}<br>{html.escape(size)}"


def page_maker(settings: Settings, sessions: set[Session]) -> Any:
    """What makes a page of a document when a browser asks for one; what trains for the pages is in ``sessions``."""

    def make(document: Document) -> None:
        page = Page(document, settings, sessions)
        document.on_session_destroyed(lambda context: page.close())

    return make
