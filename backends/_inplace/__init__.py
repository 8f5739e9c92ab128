"""In-place training primitives, one module a library: ``kernels(backend, dtype, device)`` makes its
`multimlp.engine.flat_kernels.Kernels`."""
