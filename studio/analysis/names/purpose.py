"""What a layer, an operation or a stage is for, in one sentence.

For a class of the studio, the first sentence of its docstring; for PyTorch's layers and operations
a sentence below, since their docstrings explain how to call them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from torch import nn

from studio.analysis.trace.tree import Trace

OWN = "studio."
SHAPES = re.compile(r":?\s+\([BM]\b[^()]*\)( and [^()]*\([^()]*\))? (->|to) .*$")
SENTENCE = re.compile(
    r"(?<!\bal)(?<!\beq)(?<!\bcf)\.(?:\s+(?=[A-Z(`0-9])|$)"
)  # the end of a sentence

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "AdaptiveAvgPool2d": "Averages the map over all its pixels, or over a fixed grid",
        "AvgPool2d": "Shrinks the map to the mean of each window",
        "BatchNorm1d": "Normalises each channel over the batch and all steps",
        "BatchNorm2d": "Normalises each channel over the batch and all pixels",
        "Conv1d": "Finds local patterns in a sequence with learned filters",
        "Conv2d": "Finds local patterns in a map with learned filters, one for each output channel",
        "ConvTranspose2d": "Enlarges a map: each pixel spreads a learned pattern",
        "Dropout": "Zeroes features at random in training; does nothing in inference",
        "Embedding": "Looks up a learned vector for each index",
        "Flatten": "Flattens several dimensions into one",
        "GELU": "Weights each value by how likely a normal variable is to be below it",
        "GroupNorm": "Normalises groups of channels of one example over all pixels",
        "GRU": "Reads a sequence step by step; two gates decide what its state keeps",
        "Hardsigmoid": "Approximates the sigmoid by three straight lines",
        "Hardswish": "Approximates SiLU by straight lines and a parabola",
        "Identity": "Passes its input through unchanged",
        "LayerNorm": "Normalises the features of each token or pixel by itself",
        "LeakyReLU": "Lets positive values through and scales negative ones down",
        "Linear": "Mixes the features of each position by a learned matrix",
        "LSTM": "Reads a sequence step by step; gates decide what its cell keeps and forgets",
        "MaxPool2d": "Shrinks the map to the maximum of each window",
        "Mish": "Weights each value by the tanh of its softplus",
        "ModuleList": "Holds layers that the block around it calls",
        "ReLU": "Lets positive values through and sets negative ones to zero",
        "ReLU6": "Lets values from 0 to 6 through and clips the others",
        "RNN": "Reads a sequence step by step into one state",
        "Sequential": "Runs its layers one after another",
        "Sigmoid": "Squashes each value to between 0 and 1",
        "SiLU": "Multiplies each value by its own sigmoid",
        "Softmax": "Turns scores into weights that sum to 1",
        "Tanh": "Squashes each value to between -1 and 1",
        "Unflatten": "Splits one dimension into several",
        "Upsample": "Enlarges a map by repeating or interpolating its pixels",
        "UpsamplingBilinear2d": "Enlarges a map by interpolating between its pixels",
        "UpsamplingNearest2d": "Enlarges a map by repeating its pixels",
        "ZeroPad2d": "Pads a map with zeros",
        "ZeroPad3d": "Pads a tensor with zeros, such as the channels that a shortcut lacks",
    }
)
COMPARISONS = dict.fromkeys(("eq", "ge", "gt", "le", "lt", "ne"), "Compares element by element")
LOGIC = dict.fromkeys(
    ("and", "or", "xor", "not", "invert"), "Combines conditions, element by element"
)
OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        **COMPARISONS,
        **LOGIC,
        **dict.fromkeys(("add", "radd"), "Adds element by element, as a residual connection does"),
        **dict.fromkeys(("sub", "rsub"), "Subtracts element by element"),
        **dict.fromkeys(("mul", "rmul"), "Multiplies element by element: a scale or a gate"),
        **dict.fromkeys(("div", "rdiv", "truediv"), "Divides element by element"),
        **dict.fromkeys(("floordiv", "floor_divide"), "Divides and rounds down"),
        **dict.fromkeys(("mod", "remainder", "fmod"), "Takes the remainder of a division"),
        **dict.fromkeys(("pow", "rpow"), "Raises to a power, element by element"),
        **dict.fromkeys(("max", "amax"), "Takes the maximum along a dimension"),
        **dict.fromkeys(("min", "amin"), "Takes the minimum along a dimension"),
        **dict.fromkeys(("cat", "concat"), "Concatenates tensors along a dimension"),
        **dict.fromkeys(("matmul", "bmm", "einsum"), "Multiplies matrices"),
        **dict.fromkeys(("zeros_like", "ones_like", "full_like"), "Creates a constant tensor"),
        **dict.fromkeys(("long", "float", "to"), "Converts to another dtype"),
        "abs": "Takes absolute values",
        "batch_norm": "Normalises each channel over the batch",
        "clamp": "Clips values to a range",
        "conv1d": "Finds local patterns in a sequence with filters",
        "conv2d": "Finds local patterns in a map with filters",
        "cos": "Takes the cosine of each element",
        "cumsum": "Computes the running sum along a dimension",
        "embedding": "Looks up a vector for each index",
        "embedding_bag": "Looks up vectors by their indices and sums them with weights",
        "exp": "Takes the exponential of each element",
        "flatten": "Flattens several dimensions into one",
        "floor": "Rounds down",
        "gather": "Picks elements by their indices",
        "gelu": LAYERS["GELU"],
        "getitem": "Picks a part of a tensor",
        "interpolate": "Resizes a map by repeating or interpolating its pixels",
        "layer_norm": LAYERS["LayerNorm"],
        "linalg_vector_norm": "Computes the norm of each vector",
        "linear": LAYERS["Linear"],
        "log": "Takes the logarithm of each element",
        "log2": "Takes the logarithm to base 2 of each element",
        "max_pool2d": LAYERS["MaxPool2d"],
        "maximum": "Takes the larger of two elements",
        "mean": "Averages along a dimension",
        "minimum": "Takes the smaller of two elements",
        "neg": "Negates each element",
        "normalize": "Scales each vector to length 1",
        "pad": "Pads a tensor at its borders",
        "prod": "Multiplies along a dimension",
        "relu": LAYERS["ReLU"],
        "rsqrt": "Takes one over the square root of each element",
        "scaled_dot_product_attention": "Averages values by how well each key fits the query",
        "sigmoid": LAYERS["Sigmoid"],
        "silu": LAYERS["SiLU"],
        "sin": "Takes the sine of each element",
        "softmax": LAYERS["Softmax"],
        "softplus": "Approximates ReLU smoothly",
        "sort": "Sorts along a dimension",
        "sqrt": "Takes the square root of each element",
        "square": "Squares each element",
        "stack": "Stacks tensors along a new dimension",
        "sum": "Sums along a dimension",
        "tanh": LAYERS["Tanh"],
        "topk": "Picks the largest elements along a dimension",
        "triu": "Keeps the part above the diagonal, as a causal mask does",
        "var_mean": "Takes the variance and the mean along dimensions",
        "where": "Picks from two tensors by a condition",
    }
)


def purpose(kind: type) -> str:
    """The purpose of a class: as listed above for PyTorch's, from the docstring for others; empty
    if unknown."""
    for cls in kind.__mro__:
        if not cls.__module__.startswith(OWN):
            text = LAYERS.get(cls.__name__, "") if issubclass(cls, nn.Module) else ""
        else:
            text = first_sentence(cls.__dict__.get("__doc__") or "")
        if text:
            return f"{text}."
    return ""


def purpose_of(trace: Trace) -> str:
    """The purpose of a module or an operation; empty if unknown."""
    if trace.cls:
        return purpose(trace.cls)
    text = OPERATIONS.get(trace.kind, "")
    return f"{text}." if text else ""


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line, without its full stop and trailing shapes."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return SHAPES.sub("", SENTENCE.split(paragraph, maxsplit=1)[0])
