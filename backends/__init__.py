"""The adapters, one a backend. Installed as ``multimlp.backends``; nothing is imported until it is asked for."""

if __name__ != "multimlp.backends":
    raise ImportError(
        f"this package is 'multimlp.backends' but was imported as {__name__!r}, which would make every adapter class exist twice. "
        "Write: import multimlp.backends"
    )
