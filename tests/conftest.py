"""One thread a test process: two workers with two threads each would fight over two cores."""

import torch

torch.set_num_threads(1)
