"""The page on the architecture: its picture and table are what the sources say."""

from __future__ import annotations

import doctest
import xml.etree.ElementTree as ElementTree

import pytest
import rooms
import rooms_picture

SMALL = {
    "multimlp.tape": set(),
    "multimlp.mlp": {"multimlp.tape"},
    "multimlp.cli": {"multimlp.mlp", "multimlp.tape"},
}


def test_picture_and_table_are_current():
    assert rooms_picture.stale() == [], f"run {rooms_picture.COMMAND}"


def test_a_new_arrow_makes_them_stale():
    changed = {room: set(others) for room, others in rooms.rooms().items()}
    changed["multimlp.plotting"].add("multimlp.estimators")
    assert rooms_picture.stale(lambda: changed) == [rooms_picture.PICTURE, rooms_picture.PAGE]


def test_floors_and_essential_arrows():
    assert doctest.testmod(rooms) == (0, 2)
    graph = rooms.rooms()
    floors, arrows = rooms.floors(graph), rooms.essential(graph)
    assert all(floors[room] > floors[other] for room, others in graph.items() for other in others)
    for room, others in graph.items():
        seen, todo = set(), list(arrows[room])
        while todo:
            seen.add(place := todo.pop())
            todo += arrows[place] - seen
        assert others <= seen


def test_every_room_has_a_place_of_its_own_in_the_picture():
    root = ElementTree.fromstring(rooms_picture.svg(rooms.rooms()))
    tag = "{http://www.w3.org/2000/svg}rect"
    boxes = [
        tuple(float(box.get(side)) for side in ("x", "y", "width", "height"))
        for box in root.iter(tag)
        if box.get("rx")
    ]
    assert len(boxes) == len(rooms.rooms())
    for i, (x, y, width, height) in enumerate(boxes):
        assert x >= 0
        assert x + width <= rooms_picture.WIDTH
        for other_x, other_y, other_width, other_height in boxes[:i]:
            apart = x + width < other_x or other_x + other_width < x
            assert apart or y + height < other_y or other_y + other_height < y


def test_the_table_has_one_line_a_room_from_bottom_to_top():
    lines = rooms_picture.table(SMALL).splitlines()
    assert lines[0] == "3 rooms on 3 floors, 3 arrows, no circles."
    assert [line.split("|")[2].strip() for line in lines[4:]] == ["`tape/`", "`mlp/`", "`cli/`"]


def test_the_marks_of_the_page_are_needed(monkeypatch, tmp_path):
    page = tmp_path / "architecture.md"
    page.write_text("# Architecture\n")
    monkeypatch.setattr(rooms_picture, "PAGE", page)
    with pytest.raises(ValueError, match="expected one pair of marks"):
        rooms_picture.stale()
