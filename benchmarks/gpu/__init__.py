"""The benchmarks on a GPU, in pieces of a few minutes that can be interrupted and gone on with: ``make bench-gpu``.

Each library is first asked for what the machine can do at all (`benchmarks.gpu.probes`); then the same tasks as on the CPU run
(`benchmarks.tasks`), with TF32 off and on, and ensembles of growing size. Everything that is finished is in one file of results
(`benchmarks.ledger`), so that the next call goes on where the last one ended.
"""
