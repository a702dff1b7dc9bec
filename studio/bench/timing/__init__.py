"""Runs in the worker process: `prepared_model` builds a subject, `timing_loop` times several
interleaved; `layer_times` profiles one."""
