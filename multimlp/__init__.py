"""Multilayer perceptrons, gradients and proof of parity on many array libraries, from one portable definition."""

__version__ = "0.1.0"
