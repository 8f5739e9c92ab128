"""In-place training primitives of libraries that have more to offer than NumPy's functions with ``out=``."""
