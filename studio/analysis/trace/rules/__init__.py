"""Outputs, MACs and saved tensors of operations that need not be run. Read `result`, then
`kernels`."""
