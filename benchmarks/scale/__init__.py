"""How training grows with the number of processes: ``python -m benchmarks scale``.

Measured on this machine are sums of different sizes and steps of training in one process and in two, by each library and each carrier
of bytes (`measure`). From the steps of one process follows what a step costs apart from communication, and with the latency and the
bandwidth of a link what it costs on up to 512 processes (`model`). That this is the cost of what `mm.fit` really does is checked by
a communicator that takes as long as such a link would (`delayed`).
"""
