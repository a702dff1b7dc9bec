"""The inputs of a recommendation: tasks, strategies, settings and limits. Does not import torch.

Single source of these names for the command line, the form, the link and the report.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from studio.analysis.quantities import MACS, MEMORY, PARAMETERS, Quantity

Strategy = Literal["recommended", "proportions", "width", "depth", "resolution", "compound"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class Setting(NamedTuple):
    """A knob that the data determine: its label in a form, and its help text."""

    label: str
    help: str


class Limit(NamedTuple):
    """A cost that can be limited: its field in `Limits`, its label in a form, its name in a
    sentence, and the quantity that parses amounts."""

    field: str
    label: str
    name: str
    quantity: Quantity


SETTINGS = {
    "image_size": Setting("Image size", "input height and width in pixels"),
    "in_channels": Setting("Channels", "input channels"),
    "num_classes": Setting("Classes", "number of classes"),
    "seq_len": Setting("Sequence length", "sequence length"),
    "max_seq_len": Setting("Longest sequence", "longest sequence with learned positions"),
    "vocab_size": Setting("Vocabulary", "vocabulary size"),
    "input_size": Setting("Variables at each step", "variables at each time step"),
}
LIMITS = {
    "params": Limit("params", "Parameters", "parameters", PARAMETERS),
    "macs": Limit("macs", "MACs of one example", "MACs of one example", MACS),
    "memory": Limit("inference_bytes", "Memory, inference", "memory of a forward pass", MEMORY),
    "training-memory": Limit(
        "training_bytes",
        "Memory, training with Adam",
        "memory of a training step with Adam",
        MEMORY,
    ),
}
