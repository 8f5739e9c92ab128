"""The name that was meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """`` Did you mean 'torch'?``, or nothing where no name known is close, or none was given.

    Examples
    --------
    >>> from multimlp.errors.close import did_you_mean
    >>> did_you_mean("torhc", ["numpy", "torch"]), did_you_mean("x", ["numpy"])
    ("; did you mean 'torch'?", '')
    """
    if not isinstance(given, str):
        return ""
    import difflib  # by the few who misspell, not by everybody who imports

    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.strip().lower(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""
