"""What is shown on the terminal: a progress bar on stderr, tables and sentences on stdout, as wide as there is room.

Nothing here is needed for a result: without a terminal a progress bar is silent, and a table is plain text
that other programs can read.
"""

from multimlp._terminal._printing import print_table, print_text
from multimlp._terminal._progress import Advance, progress
from multimlp._terminal._screen import Coloured, is_terminal, room
from multimlp._terminal._wrapping import wrapped

__all__ = ["Advance", "Coloured", "is_terminal", "print_table", "print_text", "progress", "room", "wrapped"]
