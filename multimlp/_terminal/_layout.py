"""Where the columns of a table stand, so that a row fits in a line: headings are wrapped first, then the first column; then columns
go into further tables below, beside the first columns once more, and only what is alone there and still too wide is wrapped itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from multimlp._terminal._wrapping import wrapped

GAP = 2


class Part(NamedTuple):
    """Some columns of a table, side by side: which, and how wide each is."""

    columns: tuple[int, ...]
    widths: tuple[int, ...]

    @property
    def total(self) -> int:
        """Characters of a line."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)


def parts(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[Part]:
    """The table as parts that fit, one below the other; one part where all columns fit side by side."""
    every = range(len(headings))
    cells = [max((len(row[i]) for row in rows), default=0) for i in every]
    whole = [max(cells[i], len(headings[i])) for i in every]
    if width is None or _total(every, whole) <= width:
        return [Part(tuple(every), tuple(whole))]
    least = [max(cells[i], _longest_word(headings[i])) for i in every]
    too_much = _total(every, least) - width
    narrowest = max(_longest_word(text) for text in (headings[0], *(row[0] for row in rows)))
    if 0 < too_much <= least[0] - narrowest:
        least[0] -= too_much
    elif too_much > 0:
        least[0] = min(least[0], max(width // 2, narrowest))
    keys = list(range(_keys(rows, len(headings))))
    if _total(keys, least) > width * 2 // 3:
        keys = [0]
    groups: list[list[int]] = [keys]
    for i in every[len(keys) :]:
        together = [*groups[-1], i]
        if len(groups[-1]) > len(keys) and _total(together, least) > width:
            groups.append([*keys, i])
        else:
            groups[-1] = together
    return [_spread(group, least, whole, width) for group in groups]


def _keys(rows: Sequence[Sequence[str]], columns: int) -> int:
    """How many of the first columns tell the rows apart; they stand in every part."""
    for count in range(1, min(columns, 4)):
        if len({tuple(row[:count]) for row in rows}) == len(rows):
            return count
    return 1


def _total(columns: Sequence[int], widths: Sequence[int]) -> int:
    return sum(widths[i] for i in columns) + GAP * (len(columns) - 1)


def _spread(group: list[int], least: list[int], whole: list[int], width: int) -> Part:
    """The columns with what is over given to headings, as long as one becomes whole by it."""
    widths = [least[i] for i in group]
    over = width - _total(group, least)
    if over < 0:  # one column beside the first, too wide for the line
        widths[-1] = max(widths[-1] + over, 1)
    for place, i in enumerate(group):
        if 0 < whole[i] - widths[place] <= over:
            over -= whole[i] - widths[place]
            widths[place] = whole[i]
    return Part(tuple(group), tuple(widths))


def cell_lines(row: Sequence[str], part: Part, at_bottom: bool = False) -> list[list[str]]:
    """The lines that a row takes in a part, each a text for every column; headings stand at the bottom of theirs."""
    wrappings = [wrapped(row[i], width) for i, width in zip(part.columns, part.widths, strict=True)]
    height = max(map(len, wrappings))
    filled = [
        [""] * (height - len(one)) + one if at_bottom else one + [""] * (height - len(one))
        for one in wrappings
    ]
    return [list(line) for line in zip(*filled, strict=True)]


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)
