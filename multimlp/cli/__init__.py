"""The ``multimlp`` command.

A subcommand is a module with a docstring (which ``--help`` shows), ``add_arguments(parser)`` and
``run(args) -> int``, and one line in `COMMANDS`; it is imported only when it is called. ``run`` returns 0,
or 1 if a check failed; it raises a `MultimlpError` for bad input, which becomes one line on stderr and exit
code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from multimlp.cli.common import note, say
from multimlp.cli.help import HelpFormatter
from multimlp.distributed import abandon
from multimlp.errors import MultimlpError, ParityError, TrainingError
from multimlp.errors.close import did_you_mean

CHECK_FAILED, BAD_USAGE, INTERRUPTED = 1, 2, 130


class Command(NamedTuple):
    """Where a subcommand is, and what it does in a line."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "backends": Command("multimlp.cli.backends", "what is installed, on which devices, and what it can do"),
    "train": Command("multimlp.cli.train", "train on a data set or a file, on one backend or on all of them"),
    "predict": Command("multimlp.cli.predict", "predict from a file with a saved model"),
    "bench": Command("multimlp.cli.bench", "how long a training step takes, on one backend or on all"),
    "parity": Command("multimlp.cli.parity", "compare every backend with an oracle of 50 digits"),
    "plot": Command("multimlp.cli.plot", "draw activations and their derivatives, of one backend or of all"),
    "lesson": Command("multimlp.cli.lesson", "run a lesson on multilayer perceptrons, with its pictures"),
    "playground": Command(
        "multimlp.cli.playground", "open a page on which a network is changed and trained, live"
    ),
    "export": Command("multimlp.cli.export", "write a saved model for ONNX, torch, Keras, Flax and others"),
    "convert": Command("multimlp.cli.convert", "turn a model of one library into another's, with proof"),
    "import": Command("multimlp.cli.import_", "read a model of another library"),
}


_TYPES = {"int": "a whole number", "float": "a number"}


class Parser(argparse.ArgumentParser):
    """An argument parser that reports bad usage in one line: the option first, and what was expected or meant."""

    def error(self, message: str) -> NoReturn:
        message = re.sub(
            r"^argument (.*?): invalid (int|float) value: (.*)",
            lambda found: f"{found[1]}: expected {_TYPES[found[2]]}, got {found[3]}",
            message,
        ).removeprefix("argument ")
        if message.startswith("unrecognized arguments: "):
            options = [word.partition("=")[0] for word in message.split() if word.startswith("--")]
            hints = (did_you_mean(option, self._option_string_actions) for option in options)
            message += next(filter(None, hints), "")
        say(f"{self.prog}: error: {message} (see {self.prog} --help)")
        self.exit(BAD_USAGE)

    def by_option(self, message: str, arguments: Sequence[str]) -> str:
        """What a function says of its argument, as of the option that it came from: ``--batch-size`` for ``batch_size``."""
        name, colon, rest = message.partition(": ")
        option = f"--{name.replace('_', '-')}"
        given = any(word.partition("=")[0] == option for word in arguments)
        said = f"{option}: {rest}" if colon and given and option in self._option_string_actions else message
        return said.replace(" A callable of your own works too.", "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's) and return its exit code.

    Examples
    --------
    >>> from multimlp.cli import main
    >>> main(["predict", "no-such-model.safetensors", "new.csv"])
    2
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()  # what cannot be written is said here, and not when the process ends
        return code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        _discard_output()
        return 0
    except (MultimlpError, MemoryError, KeyboardInterrupt, UnicodeEncodeError, OSError) as error:
        code = _reported(error)
        abandon()
        return code


def _reported(error: BaseException) -> int:
    """The exit code for an error, of which one line is said."""
    if isinstance(error, MultimlpError):
        note(f"error: {error}")
        return CHECK_FAILED if isinstance(error, (ParityError, TrainingError)) else BAD_USAGE
    if isinstance(error, KeyboardInterrupt):
        note("interrupted; nothing was saved")
        return INTERRUPTED
    if isinstance(error, MemoryError):
        note(f"error: not enough memory: {error}")
    elif isinstance(error, OSError):
        # Of the surroundings: a full disk under standard output, no folder for temporary files.
        where = "standard output" if error.filename is None else repr(error.filename)
        note(f"error: cannot use {where}: {error.strerror or error}")
        _discard_output()
    else:
        note(f"error: {error}; set PYTHONIOENCODING=utf-8, or write to a file")
    return BAD_USAGE


def _run(arguments: list[str]) -> int:
    """The subcommand's exit code, or argparse's."""
    try:
        name = _command_name(arguments)
        command = importlib.import_module(COMMANDS[name].module)
        parser = Parser(
            prog=f"multimlp {name}",
            description=command.__doc__,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(parser)
        with warnings.catch_warnings():
            if not sys.warnoptions:  # what is wrong is said in one line, at the end
                warnings.simplefilter("ignore")
            args = parser.parse_args(arguments[1:])
            args.given = arguments  # for commands that start others like themselves
            try:
                return int(command.run(args))
            except MultimlpError as error:
                error.args = (parser.by_option(str(error), arguments), *error.args[1:])
                raise
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0


def _discard_output() -> None:
    """What is still to be written goes nowhere, so that the end of the process does not fail over it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _command_name(arguments: list[str]) -> str:
    """The subcommand; a name is read before its module, so that help imports nothing."""
    width = max(map(len, COMMANDS)) + 2
    listed = "\n".join(f"  {name:{width}}{command.summary}" for name, command in COMMANDS.items())
    parser = Parser(
        prog="multimlp",
        usage="multimlp COMMAND [...]",
        description="Multilayer perceptrons on every array library, with the same numbers.",
        epilog=f"commands:\n{listed}\n\nexample:\n  multimlp train digits\n  multimlp train --help\n\n"
        "multimlp COMMAND --help shows the options of a command, with examples.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"multimlp {_version()}")
    if not arguments or arguments[0].startswith("-"):
        parser.parse_args(arguments)
        parser.error(f"a command is missing; there are {', '.join(COMMANDS)}")
    name = arguments[0]
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
        parser.error(f"unknown command {name!r}{hint}")
    return name


def _version() -> str:
    from multimlp import __version__

    return __version__
