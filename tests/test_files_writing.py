"""Every writer: whole or not at all, the same bytes for the same thing, permissions and links as they were, nothing left behind."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from multimlp import files
from multimlp.errors import InputError
from multimlp.files import replacing
from multimlp.mlp import MLP

fcntl = pytest.importorskip("fcntl")
pytest.importorskip("safetensors")

MODEL = MLP(3, [5, 4], 2)
PARAMS = MODEL.init(seed=0, backend="numpy", dtype="float32")


def tensors(path):
    arrays = {name: np.full(30, 2, dtype) for name, dtype in zip("abc", ("i1", "f8", "f2"), strict=True)}
    files.write_tensors(path, {**arrays, "scalar": np.asarray(True), "empty": np.zeros((0, 3))}, dict.fromkeys("fedcba", "1"))  # fmt: skip


def model(path):
    files.save(path, MODEL, PARAMS, extra={"b": 1, "a": 2})


def onnx(path):
    pytest.importorskip("onnx")
    from multimlp.interop.onnx import to_onnx

    to_onnx(MODEL, PARAMS, path)


def torch(path):
    pytest.importorskip("torch")
    from multimlp.interop.torch import to_state_dict, write_state

    write_state(path, to_state_dict(MODEL, PARAMS))


def flax(path):
    pytest.importorskip("flax")
    from multimlp.interop.flax import to_flax, write_variables

    write_variables(path, to_flax(MODEL, PARAMS)[1])


def sklearn(path):
    pytest.importorskip("sklearn")
    from multimlp.interop.sklearn import to_sklearn, write_npz

    write_npz(path, to_sklearn(MODEL, PARAMS))


def gluon(path):
    from multimlp.interop.gluon import to_gluon

    to_gluon(MODEL, PARAMS, path)


def picture(path):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from multimlp import plotting

    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([1, 2])
    plotting.save(figure, path.parent, path.stem, ["png"])


WRITERS = [tensors, model, onnx, torch, flax, sklearn, gluon, picture]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_written_file(write, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "name.png"
    link.symlink_to(target)
    before = os.umask(0o027)
    try:
        write(link)
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    first = target.read_bytes()
    other = tmp_path / "another.png"
    write(other)
    assert other.read_bytes() == first

    target.write_bytes(b"old")
    target.chmod(0o604)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
        with pytest.raises(InputError, match="cannot write"):
            write(link)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_bytes() == b"old"
    write(link)
    assert target.read_bytes() == first
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert link.is_symlink()
    assert [p.name for p in target.parent.iterdir()] == ["target"]


def test_a_private_file_is_private_from_the_first_byte(tmp_path):
    path = tmp_path / "x"
    path.write_text("")
    path.chmod(0o600)
    with replacing(path) as beside:
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600


def test_what_a_killed_run_left_is_removed_and_what_another_writes_is_not(tmp_path):
    path = tmp_path / ("long" * 62)
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert [path.read_text(), *tmp_path.iterdir()] == ["first", path]
    for left in (first, second):
        left.write_text("left by a killed run")
    with second.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as another process that is alive
        with replacing(path) as beside:
            beside.write_text("again")
            assert beside == first
        assert set(tmp_path.iterdir()) == {path, second}
    with replacing(path) as beside:
        beside.write_text("and again")
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_that_vanishes_between_making_and_locking_is_made_again(tmp_path, monkeypatch):
    """A sweeper may find the file in that moment, and take it for one that was left behind."""
    from multimlp.files import _part

    lock, swept = fcntl.flock, []

    def swept_before(descriptor, operation):
        if not swept:
            swept.append(tmp_path / ".x.0.part")
            swept[0].unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(_part.fcntl, "flock", swept_before)
    with replacing(tmp_path / "x") as beside:
        beside.write_text("whole")
    assert (tmp_path / "x").read_text() == "whole"


def place(folder: Path, kind: str) -> Path:
    path = folder / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "device":
        return Path("/dev/null")
    elif kind == "no folder":
        return folder / "no" / "x"
    else:
        path.write_text("")
    return path


PLACES = {
    "folder": "it is a folder",
    "pipe": "it is a pipe",
    "loop": "a link that leads to itself",
    "device": "it is a device",
    "no folder": "the folder .* does not exist",
    "read-only file": "no permission to write to it",
    "read-only folder": "no permission to write to the folder",
}


@pytest.mark.parametrize("kind", PLACES)
def test_where_nothing_can_be_written(kind, tmp_path, monkeypatch):
    path = place(tmp_path, kind)
    if kind.startswith("read-only"):  # the tests may run as one who may write everywhere
        locked = os.path.realpath(path if kind == "read-only file" else tmp_path)
        monkeypatch.setattr(os, "access", lambda asked, mode: os.path.realpath(asked) != locked)
    for check in (files.check_writable, lambda path: replacing(path).__enter__()):
        with pytest.raises(InputError, match=f"path: cannot write .*{PLACES[kind]}"):
            check(path)


@pytest.mark.parametrize(
    "metadata", [{"epoch": 3}, {3: "epoch"}, {"a": None}, {"a": "\ud800"}, {"\ud800": "a"}]
)
def test_metadata_that_nobody_could_read_is_not_written(tmp_path, metadata):
    with pytest.raises(InputError, match="metadata: expected texts by text"):
        files.write_tensors(tmp_path / "x.safetensors", {"a": np.zeros(2)}, metadata)
    assert not list(tmp_path.iterdir())
