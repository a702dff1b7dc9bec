"""Costs read off a trace: `profiler` (parameters, MACs, memory), `peak_memory` and
`training_step`, then the models of latency (`op_costs`, `roofline`, `latency_model`) and of
scaling."""
