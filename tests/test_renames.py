"""Design files and links of version 1, with the names that their knobs had, are read as ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

import studio
from studio import zoo
from studio.family import Design, DesignError
from studio.renames import RENAMED, VERSION, updated_path, updated_records
from studio.workbench.compose import composition
from studio.workbench.link import Link
from studio.workbench.page import link_parts

# Written by the last commit before the knobs were renamed.
OLD: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("designs_of_version_1.json").read_text("utf-8")
)
NOW: dict[str, Design] = {
    "ResNet and ViT": studio.design("hybrid", preset="R50+ViT-B/16"),
    "CoAtNet": studio.design("hybrid", preset="CoAtNet-0"),
    "CRNN": studio.design("hybrid", preset="CRNN"),
    "tokens": studio.design(
        "hybrid",
        stem="TokenStem(seq_len=32, embed_dim=96)",
        stages="Transformer(depth=1, num_heads=6, mlp_ratio=2.0) MLPMixer(depth=1, mlp_ratio=1.5)"
        " CrossAttention(depth=1, num_heads=3, mlp_ratio=0.5) Recurrent(hidden_size=48)"
        " Project(embed_dim=64)",
        head="AttentionPoolHead(num_heads=2, mlp_ratio=1.0)",
    ),
    "maps": studio.design(
        "hybrid",
        stem="ConvStem(image_size=64)",
        stages="MBConv(depth=1, expand_ratio=3) PreNormMBConv(depth=1, expand_ratio=2)"
        " ConvNeXtBlocks(depth=1, mlp_ratio=3.0) Upsample(scale_factor=3)"
        " RelativeTransformer(depth=1, num_heads=8, mlp_ratio=2.0)"
        " WindowTransformer(depth=1, num_heads=4, window_size=3, mlp_ratio=2.0)",
        head="HiddenLayerHead(hidden_dim=512)",
    ),
    "YOLO": studio.design("yolo", preset="YOLOv8m", depth_mult=0.5, width_mult=0.5),
    "GoogLeNet": studio.design("inception", branch_kernel_size=5, pool_kernel_size=3),
    "VGG": studio.design("vgg", third_kernel_size=1, depths="1,1,3,3,3"),
}


def query_of(name: str) -> dict[str, str]:
    return dict(parse_qsl(OLD[name]["link"]))


@pytest.mark.parametrize("name", NOW)
def test_an_old_file_is_the_same_design(name: str) -> None:
    document = json.dumps({key: value for key, value in OLD[name].items() if key != "link"})
    assert "version" not in document
    made = zoo.read_design(document)
    assert made == zoo.AdaptedDesign(NOW[name])
    assert made.design.title == NOW[name].title
    written = json.loads(made.design.to_json())
    assert (written["version"], written["studio"]) == (VERSION, studio.__version__)


@pytest.mark.parametrize("name", NOW)
def test_an_old_link_is_the_same_design(name: str) -> None:
    assert zoo.design_from_query(query_of(name)) == NOW[name]
    link = Link(query_of(name) | {"view": "explore"})
    assert link.design("vit")[0] == NOW[name]
    assert not link.refusal
    assert link.left == {"view": "explore"}


def test_every_renamed_knob_is_there_and_the_old_one_is_not() -> None:
    kinds = {
        kind.__name__: kind for knob in zoo.family("hybrid").knobs.values() for kind in knob.options
    }
    for owner, names in RENAMED.items():
        known = (
            zoo.families()[owner].knobs
            if owner in zoo.families()
            else studio.knobs.knobs(kinds[owner])
        )
        assert known.keys() >= set(names.values())
        assert known.keys().isdisjoint(names.keys() - names.values())


def test_paths_of_knobs_in_an_old_link() -> None:
    for name, kind, path, value in (
        ("tokens", "Transformer", "stages.0.heads", "8"),
        ("tokens", "Project", "stages.4.width", "128"),
        ("maps", "MBConv", "stages.0.expansion", "4"),
        ("maps", "ConvNeXtBlocks", "stages.2.expansion", "2"),
        ("maps", "HiddenLayerHead", "head.hidden_size", "64"),
    ):
        place, _, old = path.rpartition(".")
        new = f"{place}.{RENAMED[kind][old]}"
        made = zoo.design_from_query(query_of(name) | {path: value})
        assert made == NOW[name].replace(**{new: value})
        link = Link(query_of(name) | {path: value, "axis": path})
        assert link.design("vit")[0] == made
        assert not link.refusal
        assert link.left == {"axis": new}
        assert updated_path("hybrid", made.config, path) == new


def test_an_entry_that_is_set_as_a_whole_says_its_kind() -> None:
    start = query_of("tokens")
    made = zoo.design_from_query(
        start | {"stages.0": "MLPMixer(expansion=2)", "stages.0.depth": "3"}
    )
    assert made == NOW["tokens"].replace(**{"stages.0": "MLPMixer(mlp_ratio=2, depth=3)"})
    made = zoo.design_from_query(start | {"stages.3": "MLPMixer()", "stages.3.expansion": "2"})
    assert made == NOW["tokens"].replace(**{"stages.3": "MLPMixer(mlp_ratio=2)"})


def test_an_axis_of_its_own_name_is_no_old_knob() -> None:
    link = Link({"family": "yolo", "depth": "0.5", "axis": "depth"})
    assert link.design("vit")[0] == studio.design("yolo", depth_mult=0.5)
    assert link.left == {"axis": "depth"}


def test_an_old_draft_and_an_old_pin() -> None:
    rows = "TokenStem(width=96) Conv() Transformer(heads=6) AttentionPoolHead(expansion=2.0)"
    pin = urlencode(query_of("YOLO"))
    link = Link({"family": "hybrid", "draft": rows, "pin": quote(pin, safe="=&%/")})
    design, _ = link.design("vit")
    found = link_parts.invalid_stages(link, design)
    new = "TokenStem(embed_dim=96) Conv() Transformer(num_heads=6) AttentionPoolHead(mlp_ratio=2.0)"
    assert found == composition.read(design.family, new)
    assert [pinned.design for pinned in link_parts.pins(link, "vit")] == [NOW["YOLO"]]
    assert not link.refusal


def test_texts_that_are_no_records_and_new_names_stay() -> None:
    for text in ("", "Transformer(heads=", "(((", "Conv(width=8) Transformer(num_heads=2)", "8,4"):
        assert updated_records(text) == text
    both = {"kind": "Transformer", "heads": 4, "num_heads": 8}
    assert updated_records(both) == both  # so that the old name is refused


def test_a_file_of_this_version_has_no_old_names() -> None:
    config = {"depth": 0.5}
    with pytest.raises(DesignError, match="yolo has no knob depth; did you mean depth_mult"):
        zoo.read_design(json.dumps({"version": VERSION, "family": "yolo", "config": config}))


@pytest.mark.parametrize("version", [0, VERSION + 1, "2", True, 1.0, None, [1], "x" * 100])
def test_a_version_that_cannot_be_read(version: object) -> None:
    document = json.dumps({"version": version, "family": "vit", "config": {}})
    with pytest.raises(DesignError, match=r"^this design file has version ") as refused:
        zoo.read_design(document)
    assert len(str(refused.value)) < 160
