"""The implementations that are timed, one family a file.

An implementation of training is a function ``(job: Training, clock: Clock)``: it trains, calls
``clock(read)`` at the end of each epoch, where ``read()`` are the current parameters, and returns when the
clock says False; what it returns is a note about itself, or None. An implementation of a call is a function
``(job: Call)`` that returns ``(compute, to_host)``: ``compute()`` is what is timed, the device synchronised, and
``to_host(result)`` is the result as NumPy arrays.
"""
