"""How fast multimlp is, against loops written by hand, other libraries, and the matrix products alone.

Run from the root of the repository::

    python -m benchmarks              # everything, in pieces; writes benchmarks/results/<machine>.json and plots
    python -m benchmarks --quick      # a few minutes
    python -m benchmarks --markdown   # the section of docs/benchmarks.md from a results file

Each implementation runs in a process of its own (`worker`). The processes of one library take turns, round by
round (`runner`), so that a disturbance hits all of them alike. Before a time counts, the result is checked: a
training run must reach the loss that `mm.fit` reaches from the same parameters and batches, a call must return
the values of a float64 reference.
"""
