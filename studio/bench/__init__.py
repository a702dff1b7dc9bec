"""Measure the latency of an exported script in a process of its own.

It does not know designs: it takes the text of a script and the names of the classes in it.
Read `results` (conditions and measurements), then `sweep`, which measures designs round by round,
`timing` (what runs in the worker process: `prepared_model`, `timing_loop`), and `store`, which
keeps measurements on disk. `shared_jobs` lets sessions share a sweep; `studio.process` runs the
calls.
"""
