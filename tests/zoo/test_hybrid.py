"""Compositions at random: each is refused with a sentence that says where, or it is what it says.

`COMPOSED=5000` composes as many.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from torch import nn

import studio
from studio.analysis.graph.layer_graph import build_graph
from studio.codegen.script import script
from studio.family import Design
from studio.knobs import DesignError, Knob, knobs
from studio.zoo.hybrid import FAMILY, HybridConfig
from tests.designs import tensors
from tests.zoo.shape_comments import checked
from tests.zoo.test_shape_comments import ROOMS

COMPOSED = int(os.environ.get("COMPOSED", "300"))
KINDS = {name: FAMILY.knobs[name].options for name in ("stem", "stages", "head")}
PLACE = re.compile(r"(stem|stages|head)\b")
TINY = {"image_size": 16, "image_height": 16, "image_width": 24, "seq_len": 12, "frames": 3}
TINY |= {"vocab_size": 50, "num_classes": 5, "memory_len": 6, "memory_dim": 24}


def values(knob: Knob, wild: bool) -> st.SearchStrategy[Any]:
    """What a knob may be set to, and where it is wild, now and then what it may not."""
    if knob.options:
        return st.sampled_from(knob.options)
    if isinstance(knob.default, bool):
        return st.booleans()
    low, high = math.ceil(knob.ge or 0), int(knob.le or 8)
    if isinstance(knob.default, tuple):
        return st.lists(st.integers(low, 5), min_size=1, max_size=3).map(tuple)
    if isinstance(knob.default, float):
        return st.floats(low, high)
    if knob.name == "source":
        return st.integers(-1, 4)
    step = int(knob.step or 1)
    legal = st.integers(0, min(12, (high - low) // step)).map(lambda n: knob.clamp(low + n * step))
    near = st.sampled_from((knob.default, knob.clamp(64), knob.clamp(16)))
    return near | legal | st.integers(low - 1, high + 1) if wild else near | legal


def record(kind: type, fixed: dict[str, Any], wild: bool) -> st.SearchStrategy[dict[str, Any]]:
    """A record of a kind with some knobs set, as JSON has it."""
    free = {name: values(knob, wild) for name, knob in knobs(kind).items() if name not in fixed}
    known = {name: st.just(fixed[name]) for name in knobs(kind) if name in fixed}
    drawn = st.fixed_dictionaries(known, optional=free)
    return drawn.map(lambda found: {"kind": kind.__name__, **found})


def row(name: str, fixed: dict[str, Any], wild: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of([record(kind, fixed, wild) for kind in KINDS[name]])


def anything() -> st.SearchStrategy[dict[str, Any]]:
    """Rows in any order; few of them fit together."""
    stages = st.lists(row("stages", {}, wild=True), min_size=1, max_size=6)
    stem, head = row("stem", {}, wild=True), row("head", {}, wild=True)
    return st.fixed_dictionaries({"stem": stem, "stages": stages, "head": head})


@st.composite
def sensible(draw: st.DrawFn, fixed: dict[str, Any]) -> dict[str, Any]:
    """Rows of which each fits where it comes to stand, if the head does."""
    stem, stages = draw(row("stem", fixed)), []
    for stage in draw(st.lists(row("stages", fixed), min_size=1, max_size=8)):
        if composed({"stem": stem, "stages": [*stages, stage], "head": {"kind": "EachTokenHead"}}):
            stages.append(stage)
    assume(stages)
    return {"stem": stem, "stages": stages, "head": draw(row("head", fixed))}


def composed(asked: dict[str, Any]) -> Design | None:
    """The composition, or None where it is refused, as a person would want it to be."""
    try:
        return FAMILY.design(**asked)
    except DesignError as refused:
        said = str(refused)
        assert PLACE.match(said), said
        rows = {row["kind"] for row in (asked["stem"], *asked["stages"], asked["head"])}
        kinds = rows | {"ToTokens", "ToMap", "FrameTokens"}  # put in by rule
        assert re.search(r"\w+=", said) or any(kind in said for kind in kinds), said
        return None


@settings(max_examples=COMPOSED, deadline=None)
@given(sensible({}) | anything())
def test_a_composition_is_refused_with_its_place_or_builds_traces_draws_and_exports(
    asked: dict[str, Any],
) -> None:
    design = composed(asked)
    event("refused" if design is None else "built")
    if design is None:
        return
    found = studio.profile(design)
    assert found.params == sum(p.numel() for p in studio.build(design, device="meta").parameters())
    ends = {end for edge in build_graph(found.root).edges for end in (edge.source, edge.target)}
    assert {"input", "output"} <= ends | {end.partition(".")[0] for end in ends}
    text = studio.export(design)
    assert not re.search(r"knob\(|records\(|^(from|import) studio", text, re.MULTILINE)
    compile(text, "exported.py", "exec")
    again = studio.design_from_json(json.dumps(design.to_dict()))
    assert again == design
    query = design.to_query()
    family, preset = query.pop("family"), query.pop("preset")
    assert studio.design(family, preset, **query) == design


@settings(max_examples=COMPOSED // 8, deadline=None)
@given(sensible(TINY))
def test_the_exported_composition_is_the_one_that_was_profiled(asked: dict[str, Any]) -> None:
    design = composed(asked)
    assume(design is not None)
    assert design is not None
    found = studio.profile(design)
    with checked(*ROOMS):
        model, outputs = run(FAMILY.model, FAMILY.example, design.config)
    assert found.params == sum(p.numel() for p in model.parameters())
    assert found.output_shapes == tuple(tuple(t.shape) for t in outputs)
    made = script(design, params=found.params, macs=1, output_shapes=found.output_shapes)
    module = sys.modules["exported"] = ModuleType("exported")  # a dataclass looks its module up
    exec(compile(made.text, "exported.py", "exec"), module.__dict__)
    exported, theirs = run(
        *(getattr(module, name) for name in (made.model, made.example)),
        getattr(module, made.config)(),
    )
    assert [*exported.state_dict()] == [*model.state_dict()]
    for ours, other in zip(outputs, theirs, strict=True):  # kernels may differ in the last bits
        torch.testing.assert_close(other, ours, rtol=1e-5, atol=1e-6, equal_nan=True)


def run(model: Any, example: Any, config: Any) -> tuple[nn.Module, list[torch.Tensor]]:
    torch.manual_seed(0)
    made = model(config).eval()
    with torch.inference_mode():
        return made, tensors(made(*example(config, 1)))


def refused(**asked: object) -> DesignError:
    with pytest.raises(DesignError) as caught:
        FAMILY.design(**asked)
    return caught.value


def test_crnn_is_the_sum_of_its_table() -> None:
    """Table 1 of Shi et al. 2015, from the image up; each line is (weights + biases or norms)."""
    convolutions = (
        9 * 1 * 64 + 64,
        9 * 64 * 128 + 128,
        9 * 128 * 256 + 256,
        9 * 256 * 256 + 256,
        9 * 256 * 512 + 2 * 512,  # a batch norm has a gain and a bias
        9 * 512 * 512 + 2 * 512,
        4 * 512 * 512 + 512,
    )
    first, second = (2 * 4 * 256 * (size + 256 + 2) for size in (512, 256))  # two biases a gate
    joining, classes = 512 * 256 + 256, 512 * 37 + 37
    design = FAMILY.design("CRNN")
    found = studio.profile(design)
    assert found.params == sum(convolutions) + first + joining + second + classes == 8_329_765
    assert found.output_shapes == ((1, 24, 37),)


def test_a_row_between_kinds_is_put_in_and_joins_follow_their_stages() -> None:
    design = FAMILY.design(
        stages="Conv(stride=4) Transformer(num_heads=4) MLPMixer(depth=1) Add(source=1)"
    )
    kinds = [type(row).__name__ for row in design.config.stages]
    assert kinds == ["Conv", "ToTokens", "Transformer", "MLPMixer", "Add"]
    assert design.value("stages.4.source") == 2


def test_a_clip_is_put_into_tokens_by_its_frames() -> None:
    design = FAMILY.design(stem="ClipStem()", stages="Conv() Transformer()", head="MeanTokenHead()")
    assert "FrameTokens" in {type(row).__name__ for row in design.config.stages}


MAP, TOKENS = "PooledHead()", "MeanTokenHead()"
SHRINKING = "Pool(stride_width=8) Pool(stride_width=8)"


@pytest.mark.parametrize(
    ("stages", "head", "said", "nearest"),
    [
        (
            "Conv(width=32) Conv() Add(source=0)",
            MAP,
            r"stages.2: source=0 is a map \(32, ",
            (-1, 1),
        ),
        ("Conv() Add(source=4)", MAP, "stages.1: source=4 is not an earlier stage", (0, -1)),
        ("Conv(width=8) Pool() Concatenate()", MAP, "stages.2: source=-1 is a map", (1,)),
        (
            "Conv(stride=4) Transformer(num_heads=7)",
            TOKENS,
            "stages.1: num_heads=7 must divide",
            (8, 4),
        ),
        (f"{SHRINKING} Pool()", MAP, "stages.2: stride_width=2 exceeds", (1,)),
        ("Conv() LastFrame()", MAP, r"stages.1: LastFrame needs a clip", None),
        (
            "Columns() Conv()",
            MAP,
            r"stages.1: Conv needs an image .* 112 st",
            None,
        ),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands_with_what_would(
    stages: str, head: str, said: str, nearest: tuple[int, ...] | None
) -> None:
    error = refused(stages=stages, head=head)
    assert re.match(said, str(error)), error
    assert error.suggestions
    assert nearest is None or error.nearest == nearest


def test_rows_read_one_second_input_and_move_together() -> None:
    error = refused(stages="CrossAttention() CrossAttention(memory_dim=64)", head=TOKENS)
    for way in ("stages.1.memory_dim=256", "stages.0.memory_dim=64"):
        assert way in str(error).partition("; the nearest that works is ")[2].split(" or ")
    design = FAMILY.design(stages="CrossAttention() CrossAttention()", head=TOKENS)
    turn = FAMILY.snap(design.config, "stages.2.memory_dim", 512)
    assert turn.config.memory.width == 512
    assert "stages.1.memory_dim was set to 512" in turn.why


def test_a_head_joins_the_stages_it_names() -> None:
    start = FAMILY.design("U-Net with attention bottleneck")
    fewer = start.replace(**{"head.skips": (5, 3)})
    assert studio.profile(fewer).params < studio.profile(start).params
    assert studio.profile(fewer).output_shapes == studio.profile(start).output_shapes
    with pytest.raises(DesignError, match="head: skips=12 is not an earlier stage"):
        start.replace(**{"head.skips": (12, 3)})


def test_a_head_that_does_not_fit_is_refused_with_heads_that_do() -> None:
    error = refused(head="PixelHead()")
    assert error.knob == "head"
    assert FAMILY.design(head=error.nearest[0]).config.head == error.nearest[0]
    assert f"the nearest that works is head={type(error.nearest[0]).__name__}()" in str(error)


def test_a_skip_that_is_no_map_is_refused_by_the_row_that_gives_it() -> None:
    error = refused(stages="Conv() ToTokens() ToMap()", head="DecoderHead(skips=1)")
    said = "head: skips=1: stages.1 gives a sequence of 12,544 tokens × 64 features,"
    said += " and the decoder joins one map"
    assert str(error).startswith(f"{said}; the nearest that works is head.skips=0 or ")


def test_a_text_that_cannot_be_read_is_refused_where_it_goes_wrong() -> None:
    said = "stages.1: 'width=32 depth=2' lacks a comma before depth"
    assert str(refused(stages="Conv() Conv(width=32 depth=2)")) == said
    said = "stages.1='widht' is not a knob of Conv; the nearest is width"
    assert str(refused(stages="Conv() Conv(widht=32)", head=MAP)) == said


CHAIN = (
    "Conv(width=32) Residual(depth=2) ToTokens() Transformer(depth=2) ToMap()"
    " Conv(width=128, stride=2)"
)


def test_a_chain_is_exported_without_what_joins_rows() -> None:
    text = studio.export(FAMILY.design(stages=CHAIN, head="PooledHead()"))
    assert not re.search(r"\b(joins|MEMORY|initial_flows)\b", text)
    assert not re.search(r"^    (takes|def (given|memory|values|rows))\b", text, re.MULTILINE)


def test_a_second_input_is_in_the_file_of_a_composition_that_reads_one_alone() -> None:
    joined = "Conv() Add() ToTokens() Transformer()"
    one = studio.export(FAMILY.design(stages=joined, head="MeanTokenHead()"))
    two = studio.export(FAMILY.design(stages=f"{joined} CrossAttention()", head="MeanTokenHead()"))
    assert not re.search(r"memory|second input", one, re.IGNORECASE)
    assert "class TwoInputHybrid(JoinedHybrid)" in two


def test_the_file_begins_with_its_rows_and_what_flows_out_of_each() -> None:
    stages = "Conv(stride=2) Add(source=0) Pool()"
    text = studio.export(FAMILY.design(stages=stages, head="DecoderHead(skips=1,-1)"))
    rows = re.search(r"stage by stage.*?:\n(.*?)\n\n", text, re.DOTALL)
    assert rows
    assert [re.split(r"  +", line.strip()) for line in rows[1].splitlines()] == [
        ["stem", "ConvStem(image_size=224, width=64)", "(1, 64, 112, 112)"],
        ["stages.0", "Conv(depth=1, width=64, stride=2)", "(1, 64, 56, 56)"],
        ["stages.1", "Add(source=0)", "(1, 64, 56, 56)"],
        ["stages.2", "Pool()", "(1, 64, 28, 28)"],
        ["head", "DecoderHead(skips=(1, -1), depth=2)", "(1, 21, 224, 224)"],
    ]
    assert FAMILY.design(stages=stages, head="DecoderHead(skips=(1, -1), depth=2)")


def test_only_what_was_made_of_a_preset_is_said_to_be() -> None:
    anew = studio.export(FAMILY.design(stages=CHAIN, head="PooledHead()"))
    deeper = studio.export(FAMILY.design("R50+ViT-B/16", **{"stages.5.depth": 6}))
    assert anew.startswith('"""Hybrid of stages.\n')
    assert "Adapted from" not in anew
    assert "\nAdapted from R50+ViT-B/16: timm" in deeper


def test_a_map_too_large_to_hold_is_refused() -> None:
    assert "Upsample outputs a map" in str(
        refused(stages="Upsample(scale_factor=8) Upsample(scale_factor=8)")
    )


def test_the_default_is_a_config_by_itself() -> None:
    assert FAMILY.design().config == HybridConfig()
