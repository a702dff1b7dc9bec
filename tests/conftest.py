"""One thread a test process, and the same random cases on every machine."""

import os

import torch
from hypothesis import settings

torch.set_num_threads(1)  # two workers with two threads each would fight over two cores

# A run that fails can be repeated anywhere. Other cases: HYPOTHESIS_PROFILE=default.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
