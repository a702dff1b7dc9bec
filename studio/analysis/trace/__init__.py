"""Run a model once on the meta device and record what happens as a tree.

Read `tree` (the result), then `tracer` with `module_index` and `counter_mode`; `training_trace`
and `backward_pass` add the backward pass, with `allocations` as its memory timeline.
"""
