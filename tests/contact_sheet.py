"""Every family's graph on one sheet, to look at after a change to how graphs are drawn.

    python -m tests.contact_sheet sheet.html --level 1 --family unet --family detr

Level 0, the default, is folded. With `--presets` each preset has its picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from html import escape
from pathlib import Path

from studio import zoo
from studio.analysis.cost.profiler import profile, training_trace
from studio.analysis.graph.layer_graph import build_graph, stage_titles
from studio.drawing.graph import Node
from studio.drawing.layout.layered import layout
from studio.drawing.render.svg import svg
from studio.family import Design

SHEET = """<!doctype html><meta charset="utf-8"><title>Contact sheet</title>
<style>body{{display:flex;flex-wrap:wrap;gap:32px;margin:16px;font:14px sans-serif}}</style>{}"""


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    read.add_argument("out", type=Path)
    read.add_argument("--level", type=int, default=0, help="how many levels of blocks are open")
    read.add_argument("--family", action="append", help="which families; all if none is named")
    read.add_argument("--presets", action="store_true", help="every preset, not the first alone")
    given = read.parse_args()
    pictures = "".join(
        f"<figure>{escape(design.title)}<br>{drawn(design, given.level)}</figure>"
        for key in given.family or zoo.families()
        for design in designs(key, given.presets)
    )
    given.out.write_text(SHEET.format(pictures), encoding="utf-8")


def designs(key: str, every: bool) -> Iterator[Design]:
    family = zoo.family(key)
    for preset in family.presets if every else family.presets[:1]:
        yield family.design(preset.name)


def drawn(design: Design, level: int) -> str:
    found = build_graph(
        profile(design).root, stage_titles(design.config), training_trace(design, 1)
    )
    return svg(layout(found, frozenset(opened(found.root, level))), theme="paper")


def opened(block: Node, levels: int) -> Iterator[str]:
    """The blocks that are open at a level."""
    for node in block.children:
        if node.children and levels:
            yield node.id
            yield from opened(node, levels - 1)


if __name__ == "__main__":
    main()
