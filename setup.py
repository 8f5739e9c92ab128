"""What pyproject.toml cannot say: the description on a package index, where paths of this repository lead nowhere."""

import re
from pathlib import Path

from setuptools import setup

_PICTURE = re.compile(r"!\[(.*?)\]\((?!https?:)[^)]*\)")
_LINK = re.compile(r"\[([^\[\]]*)\]\((?!https?:)[^)]*\)")


def for_an_index(readme: str) -> str:
    """The README with its pictures in words and without links to files, which stand in the source distribution."""
    words = _LINK.sub(r"\1", _PICTURE.sub(r"*\1.*", readme))
    return f"{words}\nThe pages and pictures that are named here lie in the source distribution, in the folder `docs`.\n"


if __name__ == "__main__":
    readme = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    setup(long_description=for_an_index(readme), long_description_content_type="text/markdown")
