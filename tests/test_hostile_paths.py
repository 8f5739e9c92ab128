"""Every command with every kind of name that cannot be read or written: exit code 2, one line that names it, nothing destroyed."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

import multimlp as mm
from multimlp import files
from multimlp.cli import main
from multimlp.cli.formats import READERS, WRITERS

pytest.importorskip("safetensors")
onnx = pytest.importorskip("onnx")  # one format that asks its own package to open files

CSV = "a,b,kind\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n9,1,x\n2,3,y\n"
TRAIN = ["train", "good.csv", "--target", "kind", "--backend", "numpy", "--epochs", "1", "--hidden", "2"]

SLOW_TO_IMPORT = ("keras", "flax")
READ = {
    "train": (["train", "{}", "--target", "kind"], ".csv"),
    "train on archives": (["train", "{}"], ".npz"),
    "train on arrays": (["train", "{}"], ".X.npy"),
    "predict, its model": (["predict", "{}", "good.csv"], ".safetensors"),
    "predict, its data": (["predict", "good.safetensors", "{}"], ".csv"),
    "export": (["export", "{}", "--to", "gluon", "-o", "new.params"], ".safetensors"),
    "parity": (["parity", "--against", "{}"], ".json"),
} | {
    f"import from {name}": (["import", "{}", "--from", name, "-o", "new.safetensors"], f".{name}")
    for name in READERS
    if name not in SLOW_TO_IMPORT
}
WRITTEN = {
    "train": ([*TRAIN, "--save", "{}"], ".safetensors"),
    "predict": (["predict", "good.safetensors", "good.csv", "-o", "{}"], ".csv"),
    "import": (["import", "good.onnx", "-o", "{}"], ".safetensors"),
    "parity": (["parity", "--quick", "--function", "relu", "--backend", "numpy", "--html", "{}"], ".html"),
} | {
    f"export to {name}": (["export", "good.safetensors", "--to", name, "-o", "{}"], f".{name}")
    for name in WRITERS
    if name not in SLOW_TO_IMPORT
}
FOLDERS = {
    "plot": ["plot", "relu", "--backend", "numpy", "--out", "{}"],
    "lesson": ["lesson", "collapse", "--backend", "numpy", "--out", "{}"],
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A table, a model trained on it, and that model in another format."""
    folder = tmp_path_factory.mktemp("originals")
    (folder / "good.csv").write_text(CSV)
    back = os.getcwd()
    os.chdir(folder)
    try:
        assert main([*TRAIN, "--save", "good.safetensors", "--no-progress"]) == 0
        assert main(["export", "good.safetensors", "--to", "onnx", "-o", "good.onnx"]) == 0
    finally:
        os.chdir(back)
    return folder


@pytest.fixture
def here(originals, tmp_path, monkeypatch):
    """A folder of its own with the good files, where the commands run."""
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {
        path: path.read_bytes() if path.is_file() and not path.is_fifo() else path.lstat().st_mode
        for path in sorted(folder.rglob("*"))
    }


def refused(capsys, folder, arguments, said):
    """The command says it in one line, ends with 2 and leaves everything as it was."""
    before = contents(folder)
    code = main(arguments)
    _, error = capsys.readouterr()
    assert (code, error.count("\n")) == (2, 1), error
    assert error.startswith("multimlp")
    assert "error: " in error
    assert said in error, error
    assert contents(folder) == before


def a_folder(name):
    os.mkdir(name)
    return name


def a_pipe(name):
    os.mkfifo(name)
    return name


def a_circle(name):
    os.symlink(name, name)
    return name


def a_dead_link(name):
    os.symlink(f"nowhere{name}", name)
    return name


EITHER_WAY = {
    "a folder": (lambda end: a_folder(f"folder{end}"), "it is a folder"),
    "too long": (lambda end: f"{'m' * 300}{end}", "File name too long"),
    "a pipe": (lambda end: a_pipe(f"pipe{end}"), "it is a pipe"),
    "empty": (lambda end: "", "expected the name of a file, got ''"),
    "NUL": (lambda end: f"m\0{end}", "expected the name of a file, got 'm\\x00"),
}
UNREADABLE = EITHER_WAY | {
    "absent": (lambda end: f"absent{end}", "no such file"),
    "in no folder": (lambda end: f"no/folder/m{end}", "no such file"),
    "in a file": (lambda end: f"good.csv/m{end}", "Not a directory"),
    "a dead link": (lambda end: a_dead_link(f"link{end}"), "no such file"),
    "a link to itself": (lambda end: a_circle(f"link{end}"), "Too many levels"),
    "a device": (lambda end: os.symlink("/dev/zero", f"zero{end}") or f"zero{end}", "it is a device"),
}


@pytest.mark.parametrize("case", UNREADABLE)
@pytest.mark.parametrize("command", READ)
def test_what_cannot_be_read(here, capsys, command, case):
    arguments, ending = READ[command]
    make, said = UNREADABLE[case]
    name = make(ending)
    refused(capsys, here, [part.format(name) for part in arguments], said)


@pytest.mark.parametrize("command", READ)
def test_no_permission_to_read(here, capsys, monkeypatch, command):
    """Root may read everything, so the system's answer is made up."""
    arguments, ending = READ[command]
    name = f"secret{ending}"
    (here / name).write_text("secret")
    system = os.open

    def denied(path, *options, **named):
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied", str(path))
        return system(path, *options, **named)

    monkeypatch.setattr(os, "open", denied)
    refused(capsys, here, [part.format(name) for part in arguments], "Permission denied")


UNWRITABLE = EITHER_WAY | {
    "in no folder": (lambda end: f"no/folder/m{end}", "does not exist"),
    "in a file": (lambda end: f"good.csv/m{end}", "does not exist"),
    "a device": (lambda end: os.symlink("/dev/full", f"full{end}") or f"full{end}", "it is a device"),
}


@pytest.mark.parametrize("case", UNWRITABLE)
@pytest.mark.parametrize("command", WRITTEN)
def test_what_cannot_be_written(here, capsys, command, case):
    arguments, ending = WRITTEN[command]
    make, said = UNWRITABLE[case]
    name = make(ending)
    refused(capsys, here, [part.format(name) for part in arguments], said)
    assert os.path.exists("/dev/full")
    assert not os.path.isfile("/dev/full")


@pytest.mark.parametrize("command", WRITTEN)
def test_no_permission_to_write(here, capsys, monkeypatch, command):
    arguments, ending = WRITTEN[command]
    os.mkdir("locked")
    system = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "locked" not in str(path) and system(path, mode))
    refused(capsys, here, [part.format(f"locked/m{ending}") for part in arguments], "no permission")


@pytest.mark.parametrize("command", FOLDERS)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("good.csv", "good.csv' is a file"),
        ("good.csv/pictures", "good.csv' is a file"),
        ("m" * 300, "File name too long"),
        ("", "expected the name of a file, got ''"),
    ],
)
def test_pictures_that_have_no_folder(here, capsys, command, name, said):
    pytest.importorskip("matplotlib")
    refused(capsys, here, [part.format(name) for part in FOLDERS[command]], said)


def as_it_is(name):
    return name


def roundabout(name):
    os.makedirs("folder", exist_ok=True)
    return f"folder/../{name}"


def symbolic(name):
    os.symlink(name, f"link-{name}")
    return f"link-{name}"


def hard(name):
    os.link(name, f"hard-{name}")
    return f"hard-{name}"


OVER_ITS_INPUT = {
    "train over its table": ([*TRAIN, "--save", "{}"], "good.csv"),
    "train over its targets": (["train", "X.npy", "--backend", "numpy", "--save", "{}"], "y.npy"),
    "train over its images": (["train", "mnist", "--folder", ".", "--save", "{}"], "train-labels-idx1-ubyte"),
    "predict over the data": (["predict", "good.safetensors", "good.csv", "-o", "{}"], "good.csv"),
    "predict over the targets": (["predict", "good.safetensors", "X.npy", "-o", "{}"], "X.npy"),
    "predict over the model": (["predict", "good.safetensors", "good.csv", "-o", "{}"], "good.safetensors"),
    "export": (["export", "good.safetensors", "--to", "torch", "-o", "{}"], "good.safetensors"),
    "import": (["import", "good.onnx", "-o", "{}"], "good.onnx"),
    "parity": (["parity", "--quick", "--against", "r.json", "--html", "{}"], "r.json"),
}


@pytest.mark.parametrize("name_of", [as_it_is, roundabout, symbolic, hard])
@pytest.mark.parametrize("command", OVER_ITS_INPUT)
def test_what_is_read_is_not_written_over(here, capsys, command, name_of):
    arguments, read = OVER_ITS_INPUT[command]
    np.save("X.npy", np.ones((4, 2)))
    np.save("y.npy", np.arange(4))
    for name in ("r.json", "train-labels-idx1-ubyte"):
        (here / name).write_text("something")
    output = name_of(read)
    refused(capsys, here, [part.format(output) for part in arguments], "that is read")


def test_a_full_disk_under_standard_output(here, monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["predict", "good.safetensors", "good.csv"]) == 2
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # what it still holds goes nowhere
    assert "cannot use standard output: No space left" in capsys.readouterr().err


def test_text_that_standard_output_cannot_show(here, monkeypatch, capsys):
    (here / "good.csv").write_text(CSV.replace("x", "é"))
    assert main([*TRAIN, "--save", "good.safetensors", "--no-progress"]) == 0
    with open("ascii.txt", "w", encoding="ascii") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert main(["predict", "good.safetensors", "good.csv"]) in (0, 2)
        monkeypatch.undo()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("path", [None, 3, b"m.safetensors", "", "a\0b", 1.5, ["m"]])
def test_names_that_are_none(path, tmp_path):
    mlp = mm.MLP(2, 1, 1)
    for call in (
        lambda: files.load(path),
        lambda: files.read_tensors(path),
        lambda: files.save(path, mlp, mlp.init(seed=0, backend="numpy")),
        lambda: files.read_arrays(path),
        lambda: mm.data.read_table(path),
        lambda: mm.data.read_idx(path),
    ):
        with pytest.raises(mm.errors.InputError, match="expected the name of a file"):
            call()
