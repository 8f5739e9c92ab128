"""The pictures of docs/gallery.md are made by the code on the page: this runs it in docs/.

python docs/gallery_pictures.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "gallery.md"
COMMAND = "python docs/gallery_pictures.py"


def code() -> str:
    """All of the page's code, one block below the other."""
    return "\n".join(
        re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )


if __name__ == "__main__":
    os.chdir(DOCS)
    exec(code(), {"__name__": "gallery"})
