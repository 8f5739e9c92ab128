"""What the processes of a group must agree on besides gradients: that they train the same, when they pause, when they end."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import owner
from multimlp.distributed import Alone, Communicator, Group, one_run, timeout
from multimlp.errors import DistributedError, MultimlpError
from multimlp.errors.shown import cut
from multimlp.tree import Tree

_LONGEST_SHOWN = 123
_PLACES, _MOST_NUMBERS = ("settings", "steps", "epoch", "callbacks"), 2
_TOLD_WITHIN_A_TIMEOUT = 4


class Agreement:
    """Questions that all processes of a group ask at the same place; without a group the answers are this process's own.

    Parameters
    ----------
    group : Group or None
    """

    def __init__(self, group: Group | None) -> None:
        self._group = group

    @property
    def is_main(self) -> bool:
        """Whether this process writes files, logs and shows progress."""
        return self._group is None or self._group.is_main

    def same_settings(self, settings: Callable[[], dict[str, Any]]) -> None:
        """`DistributedError`, on every process, unless all were given the same.

        Parameters
        ----------
        settings : callable
            Returns plain values by name.
        """
        group = self._group
        if group is None or group.size == 1:
            return
        with self.one_run():
            self._compare(group, settings)

    def one_run(self) -> AbstractContextManager[None]:
        """As `multimlp.distributed.one_run`."""
        return one_run(Alone() if self._group is None else self._group.communicator)

    def _compare(self, group: Group, settings: Callable[[], dict[str, Any]]) -> None:
        mine = json.loads(json.dumps(settings()))
        theirs = json.loads(self._broadcast(json.dumps(mine).encode() if group.is_main else None))
        names = list(theirs | mine)
        unlike = [1 + names.index(name) for name in names if mine.get(name) != theirs.get(name)]
        found = self._gather("settings", [unlike[0] if unlike else 0])[:, 0]
        if not found.any():
            return
        rank = int(np.flatnonzero(found)[0])
        if group.rank != rank:
            raise DistributedError(
                f"process {rank} was given other arguments or data than process 0; it says which"
            )
        name = names[unlike[0] - 1]
        given, expected = (cut(repr(each.get(name)), _LONGEST_SHOWN) for each in (mine, theirs))
        raise DistributedError(
            f"{name}: process {rank} has {given}, process 0 {expected}; all processes of a run are given the same data and arguments, and "
            "each takes its part of the work"
        )

    def anybody(self, asked: bool) -> bool:
        """Before some steps: whether any process was asked to end."""
        return asked if self._group is None else bool(self._gather("steps", [asked]).any())

    def same_params(self, params: Tree, data: int) -> None:
        """After an epoch: `DistributedError` unless all have the same bits.

        Parameters
        ----------
        params : tree of arrays
        data : int
            A checksum of what was read, where it could not be compared beforehand.
        """
        group = self._group
        if group is None or group.size == 1:
            return
        found = self._gather("epoch", [checksum(params), data])
        for column, what in (
            (
                1,
                "the batches that they read; every process reads all batches, and takes its own rows of each",
            ),
            (0, "parameters, so they compute with other bits: unlike processors, or versions of libraries"),
        ):
            unlike = np.flatnonzero(found[:, column] != found[0, column])
            if len(unlike):
                raise DistributedError(f"process {unlike[0]} and process 0 differ in {what}")

    def stopped(self, reason: str | None) -> str | None:
        """After the callbacks of an epoch: why to end, if there is a reason on any process."""
        if self._group is None:
            return reason
        found = np.flatnonzero(self._gather("callbacks", [reason is not None])[:, 0])
        return reason if reason is not None or not len(found) else f"process {found[0]} was stopped"

    def number(self, value: int) -> int:
        """The main process's number."""
        return (
            value
            if self._group is None
            else int(self._broadcast(str(value).encode() if self.is_main else None))
        )

    def arrays_of_main(
        self, read: Callable[[], tuple[dict[str, np.ndarray], dict[str, str]] | None]
    ) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
        """What the main process reads: named arrays and texts by name, or None. What is wrong there is an error everywhere."""
        if self._group is None or self._group.size == 1:
            return read()
        if not self._group.is_main:
            return _unpacked(self._broadcast(None))
        try:
            found = read()
        except MultimlpError as error:
            self._broadcast(b"E" + str(error).encode())
            raise
        self._broadcast(_packed(found))
        return found

    def _gather(self, where: str, numbers: list[float]) -> np.ndarray:
        """The numbers of all, who must be at the same place: what is exchanged has one length everywhere, since libraries do not look."""
        assert self._group is not None
        line = np.zeros(1 + _MOST_NUMBERS)
        line[0], line[1 : 1 + len(numbers)] = _PLACES.index(where), numbers
        found = self._group.communicator.gather(line)
        elsewhere = np.flatnonzero(found[:, 0] != found[0, 0])
        if len(elsewhere):
            there, here = (_PLACES[int(found[i, 0])] for i in (elsewhere[0], 0))
            raise DistributedError(
                f"process {elsewhere[0]} is at its {there} where process 0 is at its {here}, so that they have not made the same steps: "
                "every process reads all batches, the same ones and as many, and takes its own rows of each"
            )
        return found[:, 1 : 1 + len(numbers)]

    def _broadcast(self, data: bytes | None) -> bytes:
        assert self._group is not None
        return self._group.communicator.broadcast(data)


class Rounds:
    """Processes that work for long without each other: now and then each says that it is at work, so that whoever has done with his part
    does not take the others to be stuck.

    Parameters
    ----------
    communicator : Communicator
    """

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator
        self._seconds = math.inf if communicator.size == 1 else timeout() / _TOLD_WITHIN_A_TIMEOUT
        self._told = time.monotonic()

    def at_work(self) -> None:
        """To be called often; what there is to be said is said seldom."""
        if time.monotonic() - self._told > self._seconds:
            self._tell(done=False)

    def wait(self) -> None:
        """Until all have come here."""
        while self._communicator.size > 1 and not self._tell(done=True):
            pass

    def _tell(self, done: bool) -> bool:
        """Whether all have done."""
        everyone = self._communicator.gather(np.asarray([done], dtype=np.float64))
        self._told = time.monotonic()
        return bool(everyone.all())


def checksum(arrays: Tree, start: int = 0) -> int:
    """Of the bits of all arrays, in order; going on from another one."""
    for leaf in tree.leaves(arrays):
        values = np.ascontiguousarray(owner(leaf).to_numpy(leaf))
        start = zlib.crc32(values.reshape(-1).view(np.uint8).data, start)
    return start


def _packed(found: tuple[dict[str, np.ndarray], dict[str, str]] | None) -> bytes:
    if found is None:
        return b""
    arrays, texts = found
    file = BytesIO()
    named: dict[str, Any] = {f"array {i}": array for i, array in enumerate(arrays.values())}
    names = np.frombuffer(json.dumps([list(arrays), texts]).encode(), dtype=np.uint8)
    np.savez(file, names=names, **named)
    return b"A" + file.getvalue()


def _unpacked(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
    if not data:
        return None
    if data[:1] == b"E":
        raise DistributedError(f"process 0: {data[1:].decode()}")
    with np.load(BytesIO(data[1:])) as archive:
        names, texts = json.loads(archive["names"].tobytes())
        return {name: archive[f"array {i}"] for i, name in enumerate(names)}, texts
