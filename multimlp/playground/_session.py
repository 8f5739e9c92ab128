"""What one page of the playground works with: a training on one backend or on two, started, held and made anew from outside."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from multimlp.errors import MultimlpError
from multimlp.playground._pictures import Curve, Difference, Picture, Regions, curves
from multimlp.playground._run import PacedRun
from multimlp.playground._settings import Place, Plan, Settings
from multimlp.training import FitResult, fit

FRAME_SECONDS = 0.12
"""From one picture to the next while training runs."""
SETTLED = 10
"""Linear regions are found at every so manieth picture of a running training, and whenever it rests."""

State = Literal["preparing", "ready", "running", "paused", "done", "failed"]


@dataclass(frozen=True, eq=False)
class Frame:
    """All that a page shows at a time.

    Attributes
    ----------
    number : int
        Counts up: another number, another frame.
    state : str
        ``"preparing"`` until there is a first picture, ``"ready"`` before training, ``"running"``, ``"paused"``, ``"done"``,
        ``"failed"``.
    message : str
        Why it failed.
    pictures : sequence of Picture
        Of one backend or two, in the order of the settings.
    difference : Difference or None
        Of the two.
    differences : sequence of (int, float)
        Epoch, and largest difference of the parameters then.
    regions : Regions or None
        Of the first backend, not necessarily of this epoch.
    curves : sequence of Curve
    """

    number: int = 0
    state: State = "preparing"
    message: str = ""
    pictures: Sequence[Picture] = ()
    difference: Difference | None = None
    differences: Sequence[tuple[int, float]] = ()
    regions: Regions | None = None
    curves: Sequence[Curve] = field(default_factory=tuple)


class Session:
    """A training that can be looked at from another thread.

    Everything that takes long happens in a thread of its own; what is called here returns at once, and `frame` is what there is to see.

    Parameters
    ----------
    settings : Settings
    pace : int
        Epochs from one picture to the next; may be set while it runs.

    Attributes
    ----------
    plan : Plan

    Raises
    ------
    MultimlpError
        For settings that cannot be.

    Examples
    --------
    >>> from multimlp.playground import Session, Settings
    >>> with Session(Settings(data="xor", epochs=50)) as session:
    ...     session.start()
    ...     frame = session.wait_for("done")
    >>> history = frame.pictures[0].history["loss"]
    >>> frame.pictures[0].epoch, history[-1] < history[0] / 2
    (50, True)
    """

    def __init__(self, settings: Settings, pace: int = 5) -> None:
        self.plan = Plan.of(settings)
        self.pace = pace
        self._frame = Frame()
        self._running = False
        self._steps = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="multimlp playground", daemon=True)
        self._thread.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def frame(self) -> Frame:
        """The newest."""
        return self._frame

    @property
    def is_over(self) -> bool:
        """Whether nothing trains any more, and nothing will."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Train until `pause`, or to the end."""
        self._tell(running=True)

    def pause(self) -> None:
        """Hold after the epochs under way."""
        self._tell(running=False)

    def step(self) -> None:
        """Hold, and train for one epoch more."""
        self._tell(running=False, steps=1)

    def close(self, timeout: float | None = None) -> None:
        """End the training and wait for it, at most so many seconds."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def wait_for(self, *states: State, timeout: float | None = 60.0) -> Frame:
        """The frame once it has one of the states, or has failed.

        Raises
        ------
        TimeoutError
            If that takes longer.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._frame.state in (*states, "failed"), timeout):
                raise TimeoutError(f"the session is {self._frame.state!r} after {timeout} seconds")
        return self._frame

    def _tell(self, running: bool, steps: int = 0) -> None:
        with self._changed:
            self._running = running
            self._steps += steps
            self._changed.notify_all()

    def _work(self) -> None:
        places = [
            place for place in (self.plan.settings.place, self.plan.settings.other) if place is not None
        ]
        try:
            with ExitStack() as stack:
                runs = [stack.enter_context(PacedRun(_fit_on(self.plan, place))) for place in places]
                self._show("ready", runs, curves(self.plan, places[0]))
                while (epochs := self._orders()) is not None:
                    for run in runs:
                        run.advance(epochs)
                    if runs[0].is_over:
                        self._show("done", runs, self._frame.curves)
                        return
                    self._show("running" if self._running else "paused", runs, self._frame.curves)
        except MultimlpError as error:
            self._publish(replace(self._frame, state="failed", message=str(error)))
        except Exception as error:  # of a framework; the page must hear of it, and nobody else is there
            message = f"{type(error).__name__}: {error}"
            self._publish(replace(self._frame, state="failed", message=message))

    def _orders(self) -> int | None:
        """How many epochs to train now; 0, once, when training comes to rest; None when nobody looks any more."""
        with self._changed:
            if self._frame.state == "running":
                self._changed.wait_for(lambda: self._closed or not self._running, FRAME_SECONDS)
                if not (self._closed or self._running or self._steps):
                    return 0
            self._changed.wait_for(lambda: self._closed or self._running or self._steps)
            if self._closed:
                return None
            if self._steps:
                self._steps -= 1
                return 1
            return max(1, self.pace)

    def _show(self, state: State, runs: Sequence[PacedRun], shown: Sequence[Curve]) -> None:
        frame, plan = self._frame, self.plan
        pictures = [Picture.of(plan, run.params, run.epoch, run.history) for run in runs]
        difference, differences = None, frame.differences
        if len(pictures) == 2:
            difference = pictures[0].apart_from(pictures[1])
            differences = [*differences, (pictures[0].epoch, difference.parameters)]
        regions = frame.regions
        if state != "running" or frame.number % SETTLED == 0:
            regions = Regions.of(plan, runs[0].params)
        self._publish(Frame(0, state, "", pictures, difference, differences, regions, shown))

    def _publish(self, frame: Frame) -> None:
        with self._changed:
            self._frame = replace(frame, number=self._frame.number + 1)
            self._changed.notify_all()


def _fit_on(plan: Plan, place: Place) -> Any:
    def start(callbacks: Sequence[Any]) -> FitResult:
        return fit(
            plan.mlp,
            *plan.train,
            loss=plan.loss,
            validation=plan.test,
            backend=place.backend,
            device=place.device,
            dtype=place.dtype,
            progress=False,
            callbacks=callbacks,
            **plan.options,
        )

    return start
