"""Which positions of the inputs of a composition its output depends on, found by gradient.

`python -m tests.zoo.reach` goes through every composition of a stem, two stages and a head: those
that fit, and those that are offered in place of one that does not. A row that steps over positions
(a stride above its kernel, a pool that leaves a border) is the one way to lose any.
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from studio.knobs import knobs
from studio.stages.clip import ConvLSTM, FrameTokens
from studio.stages.mixing import MLPMixer
from studio.stages.resolution import Upsample
from studio.stages.sequence import Recurrent, TemporalConv
from studio.stages.stage import Map, Tokens
from studio.stages.token_head import LastTokenHead
from studio.stages.tokens import ToMap, Transformer
from studio.workbench.compose import composition, fixes
from studio.workbench.compose.composition import InvalidComposition, Stages
from studio.zoo.hybrid import FAMILY

TINY: dict[str, Any] = {"image_size": 16, "image_height": 8, "image_width": 16, "frames": 3}
TINY |= {"seq_len": 12, "vocab_size": 20, "memory_len": 5, "memory_dim": 8, "num_classes": 3}
TINY |= {"width": 32, "embed_dim": 32, "hidden_size": 32, "depth": 1, "num_heads": 2}
TINY |= {"window_size": 2, "hidden_dim": 8, "token_dim": 8}
SMOOTH = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid)  # flat where a gradient is zero
SEE_ALL = {Recurrent, Transformer, MLPMixer}
MOST = 8  # mends one after another, before a composition fits


def tiny(kind: type) -> Any:
    """A row of this kind that is quick to run."""
    return kind(**{name: value for name, value in TINY.items() if name in knobs(kind)})


def shrunk(rows: Stages) -> Stages:
    """The rows as small as those of `tiny`, where their knobs are the defaults."""
    return tuple(tiny(type(row)) if row == type(row)() else row for row in rows)


def fitted(rows: Stages) -> Any:
    """The config of rows; where they do not fit, the one to which the first mends lead."""
    for _ in range(MOST):
        found = composition.fit(FAMILY, rows)
        if not isinstance(found, InvalidComposition):
            return found
        offered = fixes.fixes(FAMILY, found)
        assert offered, f"{[type(row).__name__ for row in found.stages]}: {found.fault}: no mend"
        assert len({mend.label for mend in offered}) == len(offered), offered
        rows = shrunk(offered[0].stages)
    raise AssertionError(f"after {MOST} mends {rows} does not fit")


def reached(config: Any) -> list[Tensor]:
    """Of each input the positions that the output depends on: true at (H, W), (T, H, W) or (N,)."""
    torch.manual_seed(0)
    model = smooth(FAMILY.model(config)).double().eval()
    inputs = [x.double() if x.is_floating_point() else x for x in FAMILY.example(config, 1)]
    if not inputs[0].is_floating_point():  # words: what their vectors reach
        inputs[0] = vectors(model, inputs[0])
    for x in inputs:
        x.requires_grad_()
    output = model(*inputs)
    found = torch.autograd.grad((output * torch.randn_like(output)).sum(), inputs)
    second = [config.memory] if config.memory else []
    return [
        positions(x, kind) for x, kind in zip(found, (config.stem.flow(), *second), strict=True)
    ]


def smooth(model: nn.Module) -> nn.Module:
    """With a mean in the place of each maximum, activations that are flat nowhere, and LSTMs that
    do not forget: of any one input, and in so many digits, they hide what another would show."""
    for name, layer in [*model.named_modules()]:
        parent = model.get_submodule(name.rpartition(".")[0])
        last = name.rpartition(".")[2]
        if isinstance(layer, SMOOTH):
            setattr(parent, last, nn.Softplus())
        elif isinstance(layer, nn.MaxPool2d):
            setattr(parent, last, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
        elif isinstance(layer, nn.LSTM):
            for bias in (p for n, p in layer.named_parameters() if n.startswith("bias")):
                nn.init.constant_(bias[layer.hidden_size : 2 * layer.hidden_size], 3.0)
    return model


def vectors(model: Any, words: Tensor) -> Tensor:
    """The vectors of words, for a model that takes these from now on."""
    found: Tensor = model.stem[0](words).detach()
    model.stem[0] = nn.Identity()
    return found


def positions(gradient: Tensor, start: Map | Tokens) -> Tensor:
    """Where a gradient (1, ..., C, ...) is not zero, over all channels."""
    return gradient[0].abs().sum(-1 if isinstance(start, Tokens) else -3) > 0


def steps_over(config: Any) -> bool:
    """Whether a row steps over positions of its map."""
    flows = config.flows()
    for i, row in enumerate((config.stem, *config.stages), -1):
        stride = getattr(row, "stride", 1)
        if stride > getattr(row, "kernel_size", 3):
            return True
        before = flows.get(i - 1)
        if isinstance(before, Map) and i >= 0 and leaves_border(row, before):
            return True
    return False


def leaves_border(row: Any, x: Map) -> bool:
    """Whether windows without an overlap leave pixels at the end of a map."""
    name = type(row).__name__
    if name == "Pool":
        return bool(x.height % row.stride_height or x.width % row.stride_width)
    return name == "ConvNeXtBlocks" and bool(x.height % row.stride or x.width % row.stride)


def sight(config: Any) -> int | None:
    """How many steps the last one sees at least, where the head reads it alone; None where it sees
    all of them."""
    kinds = {type(row) for row in config.stages}
    frames = ConvLSTM in kinds and FrameTokens in kinds
    if not isinstance(config.head, LastTokenHead) or kinds & SEE_ALL or frames:
        return None
    if Upsample in kinds:  # many steps are one position
        return 2
    blocks = [row for row in config.stages if isinstance(row, TemporalConv)]
    return 1 + sum(2 * (row.kernel_size - 1) * (2**row.depth - 1) for row in blocks)


def lost(config: Any) -> str:
    """What the output does not depend on and should; empty where there is nothing."""
    seen = sight(config)
    for i, found in enumerate(reached(config)):
        wanted = torch.ones_like(found)
        if seen is not None and i == 0:
            wanted = torch.zeros_like(found)
            wanted.flatten()[-seen:] = True
            if found.ndim > 1:  # a step is a pixel of some map, or a column
                found, wanted = found.flatten().sort().values, wanted.flatten()
        elif steps_over(config) and {FrameTokens, ToMap} <= {type(r) for r in config.stages}:
            found, wanted = found.any(), wanted.any()  # of the frames, a border is left
        elif steps_over(config) and found.ndim > 1:  # of each frame some pixels
            found, wanted = found.flatten(-2).any(-1), wanted.flatten(-2).any(-1)
        if not found[wanted].all():
            return f"input {i}: {int(found.sum())} of {int(wanted.sum())} positions"
    return ""


def all_rows(stages: int) -> Iterator[Stages]:
    kinds = [composition.kinds(FAMILY, name).values() for name in ("stem", "stages", "head")]
    for kind in product(kinds[0], *([kinds[1]] * stages), kinds[2]):
        yield tuple(map(tiny, kind))


def check(stages: int) -> tuple[Counter[str], list[str]]:
    """Every composition of so many stages: how many there are of each sort, and which lose
    positions. Those that lead to the same config are run once."""
    counted: Counter[str] = Counter()
    known: dict[Any, str] = {}
    bad: list[str] = []
    for rows in all_rows(stages):
        config = fitted(copy.copy(rows))
        kept = composition.stages_of(config)
        counted["fit" if set(map(type, rows)) <= set(map(type, kept)) else "mended"] += 1
        if config not in known:
            known[config] = lost(config)
            counted["run"] += 1
            if known[config]:
                bad.append(f"{FAMILY.knobs['stages'].text(kept)}: {known[config]}")
    return counted, bad


if __name__ == "__main__":
    found, faults = check(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    print(*faults, sep="\n")
    print(dict(found), f"{len(faults)} lose positions")
    sys.exit(bool(faults))
