"""The playground without a browser: what is learned, how it is held and let go, and the numbers behind the pictures."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest

import multimlp as mm
from multimlp import data
from multimlp.backend import is_installed
from multimlp.cli import main
from multimlp.errors import DataError, InputError, MultimlpError
from multimlp.playground import (
    NAMES,
    OWN_FILE,
    PacedRun,
    Place,
    Plan,
    Session,
    Settings,
    Upload,
    curves,
    decision,
    problem,
)
from multimlp.playground import _colours as colours
from multimlp.structure import linear_regions

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

XOR = Settings(data="xor", epochs=12)


def direct(settings: Settings, place: Place, epochs: int):
    """The same training by one call of `fit`."""
    plan = Plan.of(settings)
    options = {**plan.options, "epochs": epochs}
    return plan, mm.fit(
        plan.mlp, *plan.train, loss=plan.loss, validation=plan.test, backend=place.backend, dtype=place.dtype,
        progress=False, **options,
    )  # fmt: skip


# ---- what is learned


@pytest.mark.parametrize("name", [name for name in NAMES if name != OWN_FILE])
def test_every_problem_is_made_the_same_again(name):
    one, two = problem(name, 120, 0.1, 3, None), problem(name, 120, 0.1, 3, None)
    assert np.array_equal(one.X, two.X)
    assert np.array_equal(one.y, two.y)
    if name in ("circles", "spirals", "xor"):
        assert one.X.shape == (120, 2)
        assert not np.array_equal(one.X, problem(name, 120, 0.1, 4, None).X)


def test_points_lie_where_their_label_says():
    circles = problem("circles", 500, 0.0, 0, None)
    radii = np.hypot(*circles.X.T.astype(np.float64))
    assert np.allclose(radii, np.where(circles.y == 1, 1.0, 0.4), atol=1e-6)
    xor = problem("xor", 500, 0.0, 0, None)
    assert np.array_equal(xor.y == 1, np.sign(xor.X[:, 0]) != np.sign(xor.X[:, 1]))
    spirals = problem("spirals", 500, 0.0, 0, None)
    radii, angles = np.hypot(*spirals.X.T), np.arctan2(spirals.X[:, 1], spirals.X[:, 0])
    turned = np.cos(angles - 3 * np.pi * radii)  # 1 on the first arm, -1 on the second
    assert np.allclose(turned, 1 - 2 * spirals.y, atol=1e-4)


def test_an_own_file_is_read_and_named_as_it_came():
    rows = "a,b,label\n" + "\n".join(f"{i},{-i},{'yes' if i % 2 else 'no'}" for i in range(30))
    plan = Plan.of(Settings(data=OWN_FILE, upload=Upload("mine.csv", rows.encode(), "")))
    assert plan.dataset.classes == ("no", "yes")
    assert plan.plane.labels == ("a", "b")
    for content, target, what in (
        (b"a,b,label\n1,2", "label", "mine.csv"),
        (b"a,label\n1,x\n2,y\n3,x\n4,y\n", "label", "two features or more"),
        (b"a,b,c\n1,2,3\n4,5,6\n", "", "under 'Column to predict'"),
        (b"a,b,label\n1,2,x\n3,4,\n", "label", "leave such rows out"),
    ):
        with pytest.raises(DataError, match=what) as error:
            Plan.of(Settings(data=OWN_FILE, upload=Upload("../mine.csv", content, target)))
        assert "mine.csv" in str(error.value)
        assert not re.search(r"tmp|--\w|target=|True", str(error.value)), "what a page has not"
    with pytest.raises(DataError, match=r"choose a \.csv file"):
        Plan.of(Settings(data=OWN_FILE))


def test_text_and_gaps_of_an_own_file_become_numbers_of_the_training_part():
    rows = [f"{i if i % 3 else ''},{('cook', 'nurse')[i % 2]},{'yes' if i % 2 else 'no'}" for i in range(40)]
    upload = Upload("people.csv", "\n".join(["age,job,label", *rows]).encode(), "")
    plan = Plan.of(Settings(data=OWN_FILE, upload=upload))
    assert plan.dataset.feature_names == ("age", "age is missing", "job = cook", "job = nurse")
    assert (len(plan.train[1]), len(plan.test[1])) == (30, 10)
    there = plan.dataset.X[plan.dataset.X[:, 1] == 0, 0]
    assert set(plan.dataset.X[plan.dataset.X[:, 1] == 1, 0]) == {np.median(there)}, (
        "of the training part alone"
    )
    with Session(Settings(data=OWN_FILE, upload=upload, epochs=40)) as session:
        session.start()
        assert session.wait_for("done").pictures[0].history["val_accuracy"][-1] == 1


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"data": "moon"}, "data"),
        ({"hidden": "8, x"}, "layers: expected widths"),
        ({"hidden": "8:rel"}, "relu"),
        ({"hidden": "1000"}, "layers"),
        ({"hidden": "2," * 17}, "at most 16"),
        ({"activation": "nothing"}, "nothing"),
        ({"samples": 3}, "samples"),
        ({"noise": -1.0}, "noise"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"l2": -1.0}, "L2"),
        ({"optimizer": "best"}, "best"),
        ({"batch_size": 0}, "batch size"),
        ({"epochs": 0}, "epochs"),
        ({"seed": -1}, "seed"),
        ({"place": Place("abacus")}, "backend"),
        ({"other": Place("numpy", "float8")}, "dtype"),
    ],
)
def test_a_wrong_choice_is_refused_by_its_name(wrong, what):
    with pytest.raises(MultimlpError, match=what):
        Plan.of(Settings(**wrong))


def test_the_plane_of_more_than_two_features_is_that_of_the_principal_components():
    plan = Plan.of(Settings(data="iris"))
    pca = pytest.importorskip("sklearn.decomposition").PCA(2).fit(plan.train[0])
    assert np.allclose(np.abs(pca.transform(plan.train[0])), np.abs(plan.plane.points), atol=1e-4)
    assert np.allclose(plan.plane.inputs(np.zeros((1, 2))), plan.train[0].mean(axis=0), atol=1e-5)


# ---- a training that is held


def test_a_held_training_has_the_bits_of_one_call_of_fit():
    plan, result = direct(XOR, XOR.place, 12)

    def start(callbacks):
        return mm.fit(
            plan.mlp, *plan.train, loss=plan.loss, validation=plan.test, backend="numpy", dtype="float32",
            progress=False, callbacks=callbacks, **plan.options,
        )  # fmt: skip

    with PacedRun(start) as run:
        assert run.epoch == 0
        for layer, first in zip(run.params, plan.mlp.init(seed=0), strict=True):
            assert np.array_equal(layer.weight, first.weight)
        for epochs in (1, 4, 100):
            run.advance(epochs)
    assert (run.epoch, run.is_over) == (12, True)
    assert run.history == result.history
    for layer, last in zip(run.params, result.params, strict=True):
        assert np.array_equal(layer.weight, last.weight)


def test_a_training_that_is_left_ends_and_an_error_comes_out():
    plan = Plan.of(XOR)
    before = threading.active_count()
    with PacedRun(
        lambda c: mm.fit(plan.mlp, *plan.train, validation=None, progress=False, epochs=10**6, callbacks=c)
    ) as run:
        run.advance(2)
    assert threading.active_count() == before
    assert run.result.stopped == "closed"
    with (
        pytest.raises(InputError, match="batch_size"),
        PacedRun(lambda c: mm.fit(plan.mlp, *plan.train, batch_size=0)),
    ):
        pass


def test_whoever_waits_for_an_epoch_gets_its_parameters(monkeypatch):
    """Also when the one who trains is held up between the epoch and what it shows of it, and the other looks just then."""
    hold, wait = PacedRun._hold, PacedRun._wait_until

    def late(run, *given):
        time.sleep(0.05)
        hold(run, *given)

    def later(run, *given):
        time.sleep(0.025)
        wait(run, *given)

    monkeypatch.setattr(PacedRun, "_hold", late)
    monkeypatch.setattr(PacedRun, "_wait_until", later)
    plan = Plan.of(XOR)
    with PacedRun(
        lambda c: mm.fit(plan.mlp, *plan.train, validation=None, progress=False, epochs=3, callbacks=c)
    ) as run:
        first = run.params
        assert len(first) == len(plan.mlp.layers)
        run.advance(1)
        assert run.epoch == 1
        assert not np.array_equal(run.params[0].weight, first[0].weight)


# ---- a session


def test_start_pause_step_to_the_end():
    with Session(XOR, pace=1) as session:
        frame = session.wait_for("ready")
        assert (frame.pictures[0].epoch, frame.pictures[0].history) == (0, {})
        session.step()
        frame = session.wait_for("paused")
        assert frame.pictures[0].epoch == 1
        session.start()
        session.wait_for("running")
        session.pause()
        held = session.wait_for("paused", "done").pictures[0].epoch
        session.pace = 100
        session.start()
        frame = session.wait_for("done")
        assert 1 < held <= frame.pictures[0].epoch == 12
    assert session.is_over


def test_what_a_session_shows_is_the_network_of_fit():
    """Two backends, each against one call of `fit`, and every number behind the pictures against its own definition."""
    other = Place("torch" if is_installed("torch") else "numpy", "float64")
    settings = Settings(data="iris", hidden="6, 5", epochs=4, place=Place("numpy", "float64"), other=other)
    with Session(settings) as session:
        session.start()
        frame = session.wait_for("done")
    results = []
    for picture, place in zip(frame.pictures, (settings.place, other), strict=True):
        plan, result = direct(settings, place, 4)
        results.append(result)
        assert picture.history == result.history
        grid = plan.plane.inputs(plan.plane.grid(80))
        logits = mm.convert(
            plan.mlp(result.params, mm.get_backend(place.backend).asarray(grid, dtype="float64")), "numpy"
        )
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        expected = (shares / shares.sum(axis=-1, keepdims=True)).reshape(80, 80, 3)
        assert np.allclose(picture.decision, expected, rtol=0, atol=1e-12)
        X, y = plan.train[0].astype(np.float64), plan.train[1]

        def objective(params, X=X, y=y, plan=plan):
            return mm.losses.reduce(plan.loss(plan.mlp(params, X), y))

        loss, gradient = mm.value_and_grad(objective)(mm.convert(result.params, "numpy"))
        assert picture.flow.loss == pytest.approx(float(loss), abs=1e-12)
        assert picture.flow.weight_norms == pytest.approx(
            [np.linalg.norm(g.weight) for g in gradient], rel=1e-9
        )
    pairs = zip(*(mm.convert(result.params, "numpy") for result in results), strict=True)
    apart = max(float(np.abs(a - b).max()) for one, two in pairs for a, b in zip(one, two, strict=True))
    assert frame.difference.parameters == apart
    assert frame.differences[-1] == (4, apart)
    assert np.array_equal(
        frame.difference.decision,
        np.abs(frame.pictures[0].decision - frame.pictures[1].decision).max(axis=-1),
    )
    regions = linear_regions(plan.mlp, results[0].params, plan.plane.corners)
    assert len(frame.regions.polygons) == len(regions)


def test_why_there_are_no_regions():
    for settings, reason in (
        (Settings(hidden="4:gelu", epochs=1), "gelu is no straight line"),
        (Settings(hidden="40, 40", epochs=1), "80 hidden units"),
    ):
        with Session(settings) as session:
            assert reason in session.wait_for("ready").regions.reason


def test_a_training_that_diverges_says_so():
    with Session(Settings(data="diabetes", optimizer="sgd", learning_rate=1e6)) as session:
        session.start()
        frame = session.wait_for("done")
    assert frame.state == "failed"
    assert "Lower the learning rate" in frame.message


def test_a_regression_shows_values_of_its_target():
    plan = Plan.of(Settings(data="diabetes", hidden=""))
    shown = decision(plan, plan.mlp.init(seed=0), 5)
    assert shown.shape == (5, 5, 1)
    target = data.load("diabetes").y
    assert target.min() < np.median(shown) < target.max()


def test_curves_are_those_of_the_layers():
    found = curves(Plan.of(Settings(hidden="3:tanh, 3, 3:tanh")), Place("numpy", "float64"))
    assert [curve.name for curve in found] == ["tanh", "relu"]
    assert np.allclose(found[0].value, np.tanh(np.linspace(-5, 5, 501)))


# ---- colours


def test_colours_tell_class_and_certainty():
    sure, unsure = colours.of_classes(np.asarray([[1.0, 0.0], [0.55, 0.45]]))
    assert np.abs(255 - sure).sum() > np.abs(255 - unsure).sum() > 0
    assert not np.allclose(colours.of_classes(np.asarray([[0.0, 1.0]]))[0], sure)
    assert np.allclose(
        colours.of_values(np.asarray([1.0, 2.0, 3.0]), 1.0, 3.0),
        colours.rgb((colours.LOW, colours.MIDDLE, colours.HIGH)),
    )
    assert np.all(colours.of_differences(np.zeros((2, 2))) == 255)
    assert colours.hexadecimal(colours.rgb(("#0a0b0c",))) == ["#0a0b0c"]


# ---- the command


def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["playground"]) == 2
    assert "pip install 'multimlp[playground]'" in capsys.readouterr().err


def test_a_port_that_is_taken_and_one_that_cannot_be(capsys):
    pytest.importorskip("bokeh")
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["playground", "--port", str(port), "--no-browser"]) == 2
    err = capsys.readouterr().err
    assert f"cannot listen at 127.0.0.1:{port}" in err
    assert "choose another" in err
    assert main(["playground", "--port", "70000", "--no-browser"]) == 2
    assert "port" in capsys.readouterr().err


def test_a_device_is_that_of_the_backend_that_the_page_began_with():
    pytest.importorskip("bokeh")
    from multimlp.playground._controls import Controls

    names = [name for name in ("torch", "jax", "tensorflow") if is_installed(name)]
    if not names:
        pytest.skip("needs a second backend")
    began = Settings(place=Place(names[0], "float32", "cpu"), other=Place("numpy"))
    controls = Controls(began, lambda: None, lambda function: None)
    assert controls.settings().place == Place(names[0], "float32", "cpu")
    assert controls.settings().other == Place("numpy", "float32")
    controls._fields["backend"].value = "numpy"
    assert controls.settings().place == Place("numpy", "float32")


def test_whatever_is_wrong_with_a_file_is_said_on_the_page():
    pytest.importorskip("bokeh")
    from bokeh.document import Document

    from multimlp.playground._page import Page

    page = Page(Document(), Settings(data="xor"), set())
    page._controls._upload = lambda: Upload("a" * 300 + ".csv", b"x,y,target\n1,2,3\n", "")
    page._controls._fields["data"].value = OWN_FILE
    assert "not ready" in page._status.text
    assert "File name too long" in page._status.text
    page.close()


def test_by_which_names_a_page_may_be_called(monkeypatch):
    """As browsers write them: in small letters, IPv6 in brackets. A phone calls a machine by its address."""
    from multimlp.playground._server import _names

    found = [(socket.AF_INET, 0, 0, "", (address, 0)) for address in ("127.0.1.1", "192.168.1.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given: found)
    monkeypatch.setattr(socket, "gethostname", lambda: "MyMac.local")
    monkeypatch.setattr(socket, "getfqdn", lambda: "MyMac.local")
    everywhere = _names("0.0.0.0")
    assert {"192.168.1.5", "mymac.local", "localhost", "127.0.0.1"} <= {*everywhere}
    assert "127.0.1.1" not in everywhere
    assert everywhere[0] not in ("localhost", "127.0.0.1", "mymac.local"), (
        "others call the one that is announced"
    )
    assert _names("127.0.0.1") == ["localhost", "127.0.0.1"]
    assert _names("localhost") == ["localhost", "127.0.0.1", "[::1]"]
    assert _names("::1") == ["[::1]"]
    assert _names("MyMac.local") == ["mymac.local"]


@pytest.mark.slow
def test_the_logic_needs_no_page():
    """Sessions work where Bokeh is not installed."""
    script = (
        "import sys\nsys.modules['bokeh'] = None\n"
        "from multimlp.playground import Session, Settings\n"
        "with Session(Settings(epochs=2)) as session:\n    session.start()\n    print(session.wait_for('done').state)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == "done", done.stderr


@pytest.mark.slow
def test_the_page_is_served_from_here_alone_and_ctrl_c_ends_it():
    pytest.importorskip("bokeh")
    process = subprocess.Popen(
        [sys.executable, "-m", "multimlp", "playground", "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        address = re.search(r"http://localhost:\d+/", process.stdout.readline())[0]
        page = urllib.request.urlopen(address, timeout=30).read().decode()
        assert re.findall(r'(?:src|href)="(?!/static/|data:)([^"]*)"', page) == []
        assert page.count('src="/static/') > 0
        assert 'name="viewport"' in page
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "multimlp: the playground has ended\n")
