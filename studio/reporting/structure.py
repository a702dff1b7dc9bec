"""Section 3 of the report: the picture, the layers, the connections, and structural choices."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from torch.nn.modules import activation

from studio.analysis import units
from studio.analysis.cost.connectivity import (
    AttentionShape,
    Connection,
    count_attention,
    count_connections,
)
from studio.analysis.cost.layer_table import OWN, LayerRow, layer_rows
from studio.analysis.cost.op_costs import distinct_traces
from studio.analysis.cost.profiler import Profile
from studio.analysis.graph.layer_graph import build_graph
from studio.analysis.trace.tree import RECURRENT, Trace
from studio.drawing.graph import Node
from studio.drawing.layout.layered import layout
from studio.drawing.render.svg import svg
from studio.family import Design
from studio.records import RecordKnob
from studio.reporting.document import Block, Code, Drawing, Paragraph, Section, Table, Text, percent

MOST_ROWS = 32  # rows of the layer table: one printed page
MOST_BOXES = 8  # listed in a caption
FEW = 4  # attention configurations listed in a sentence
NORM = re.compile(r"(?<!Pre)(?<!Post)Norm(\d+d?)?$|^(batch|layer|group)_norm$")
ACTIVATIONS = tuple(n.lower() for n in activation.__all__ if n != "MultiheadAttention")
MEETINGS: Mapping[Connection, tuple[str, str]] = {
    "residual": ("residual addition", "the input of a block is added to its output"),
    "skip": ("skip by concatenation", "earlier features are concatenated with later ones"),
    "branches": ("concatenation of branches", "parallel paths are concatenated"),
    "gate": ("gate", "one path scales another"),
}
WITHOUT = "There are no skip connections: the data flows straight from layer to layer. "


def structure_section(found: Profile) -> Section:
    """The section on the structure of a network."""
    blocks = (_picture(found), *_layers(found), *_composition(found.design))
    return Section("3. Model structure", (*blocks, *_connections(found.root), *_choices(found)))


def _picture(found: Profile) -> Drawing:
    drawn = build_graph(found.root)
    picture = layout(drawn)
    has_bypass = any(arrow.skip for arrow in picture.arrows)
    words = (
        f"The network at batch {found.batch}, blocks collapsed:"
        f" {_boxes(drawn.root)}. Edges show tensor shapes"
        f"{'; blue edges bypass other boxes' if has_bypass else ''}."
    )
    return Drawing(svg(picture, theme="paper"), words)


def _boxes(root: Node) -> str:
    """The boxes of a picture in words, consecutive equal ones merged."""
    labels = [node.label for node in root.children if node.kind not in ("input", "output")]
    times = [node.repeat for node in root.children if node.kind not in ("input", "output")]
    texts = []
    for label, group in groupby(zip(labels, times, strict=True), key=lambda box: box[0]):
        many = sum(repeat for _, repeat in group)
        texts.append(f"{label} × {many}" if many > 1 else label)
    if len(texts) > MOST_BOXES:
        return f"{len(labels)} boxes, from {texts[0]} to {texts[-1]}"
    return ", ".join(texts)


def _layers(found: Profile) -> Iterator[Block]:
    """The table of layers, as deep as MOST_ROWS allows."""
    rows = [row for row in layer_rows(found.root) if not row.trace.is_passthrough and _costs(row)]
    deepest = max(row.level for row in rows)
    depths = range(deepest, 0, -1)
    depth = next((d for d in depths if sum(r.level <= d for r in rows) <= MOST_ROWS), 1)
    shown = [row for row in rows if row.level <= depth]
    last = ("total", "", "", f"{found.params:,}", units.macs(found.macs), "100 %")
    yield Paragraph(
        "Layers are listed in the order of their first call. Identical consecutive layers share a"
        " row, marked ×n, with their total cost. An indented row is part of the row it is indented"
        " under, which includes its cost."
    )
    yield Table(
        f"Layers, with the MACs of one forward pass at batch {found.batch}",
        ("Layer", "Kind", "Output", "Parameters", "MACs", "Share"),
        (*_cells(shown, found.macs), last),
        words=frozenset({1, 2}),
        levels=(*(row.level - 1 for row in shown), 0),
        total=True,
    )


def _costs(row: LayerRow) -> bool:
    """True for rows to list: modules, and operations with a cost."""
    return (row.trace.is_module and bool(row.output)) or bool(row.params or row.macs)


def _cells(rows: Sequence[LayerRow], macs: int) -> Iterator[tuple[Text, ...]]:
    """The cells of the rows, with names relative to the parent row."""
    around: list[str] = []
    for row in rows:
        around = around[: row.level - 1]
        name = row.path.removeprefix("".join(around))
        yield (
            *_names(row, name),
            row.output,
            f"{row.params:,}".replace("-", "−") if row.params else "",
            units.macs(row.macs) if row.macs else "",
            percent(row.macs, macs),
        )
        around.append(f"{name.partition(' ')[0]}.")


def _names(row: LayerRow, name: str) -> tuple[Text, Text]:
    """The name and the kind of a row."""
    if name == OWN:
        return ("shared weights, counted once" if row.params < 0 else "outside these layers"), ""
    path, _, times = name.partition(" ")
    if not row.trace.is_module:
        return f"{row.kind.replace('_', ' ')} {times}".rstrip(), "operation"
    return (Code(path), f" {times}" if times else ""), row.kind


def _composition(design: Design) -> Iterator[Block]:
    """The stages of a composition."""
    knobs = [knob for knob in design.family.knobs.values() if isinstance(knob, RecordKnob)]
    rows = [
        ((Code(place),), knob.text((row,)))
        for knob in knobs
        for place, row in knob.entries(design.value(knob.name))
    ]
    if rows:
        yield Table(
            "The stages of the composition", ("Position", "Stage"), tuple(rows), frozenset({1})
        )


def _connections(root: Trace) -> Iterator[Block]:
    """A paragraph on skips, branches and gates, attention and recurrence."""
    met, attended = count_connections(root), count_attention(root)
    sentences = [
        _meeting(meeting, met) for meeting in MEETINGS if any(m == meeting for m, _ in met)
    ]
    if not any(meeting in ("residual", "skip") for meeting, _ in met):
        branched = any(meeting == "branches" for meeting, _ in met)
        sentences.insert(0, "There are no skip connections." if branched else WITHOUT.strip())
    sentences.append(_attention(attended))
    kinds = Counter(
        {trace.kind: runs for trace, runs in distinct_traces(root) if trace.kind in RECURRENT}
    )
    sentences += [
        f"A recurrent layer ({kind}) carries a state along the sequence." for kind in kinds
    ]
    yield Paragraph(" ".join(filter(None, sentences)))


def _meeting(meeting: Connection, met: Mapping[tuple[Connection, str], int]) -> str:
    """`16 residual additions (in ResidualUnit): the input of a block joins ...`"""
    where = {block: runs for (kind, block), runs in met.items() if kind == meeting}
    name, meaning = MEETINGS[meeting]
    total = sum(where.values())
    several = name.replace(" ", "s ", 1) if name[:5] in ("skip ", "conca") else f"{name}s"
    places = [f"{runs} in {block}" if len(where) > 1 else block for block, runs in where.items()]
    inside = "" if len(where) > 1 else "in "
    count = count_text(total, name, several)
    return f"The network has {count} ({inside}{', '.join(places)}): {meaning}."


def _attention(attended: Mapping[AttentionShape, int]) -> str:
    if not attended:
        return "There is no attention."
    forms = [
        f"{count_text(runs, 'time', 'times')} with {count_text(form.heads, 'head', 'heads')} of"
        f" dimension {form.head_dim}, {form.queries:,} queries and {form.keys:,} keys"
        for form, runs in attended.items()
    ]
    more = f"; and in {len(forms) - FEW} other configurations" if len(forms) > FEW else ""
    return f"Attention runs {'; '.join(forms[:FEW])}{more}."


def _choices(found: Profile) -> Iterator[Block]:
    """The normalisation and activation layers, and the structural choices."""
    modules = Counter[str]()
    for trace, runs in distinct_traces(found.root):
        modules[trace.kind] += runs
        # A norm module calls the functional norm: count it once.
        for call in trace.calls if NORM.search(trace.kind) else ():
            if NORM.search(call.trace.kind):
                modules[call.trace.kind] -= runs
    norms = {kind: runs for kind, runs in modules.items() if runs > 0 and NORM.search(kind)}
    active = {kind: n for kind, n in modules.items() if kind.lower().endswith(ACTIVATIONS)}
    yield Paragraph(
        f"{_counts_text('Normalisation', norms)} {_counts_text('Activations', active)}"
        " Counts are per forward pass."
    )
    design = found.design
    rows = tuple(
        ((Code(knob.name),), here.__name__, _alternatives(knob.options, here), knob.help)
        for knob in design.family.knobs.values()
        if isinstance(here := design.value(knob.name), type)
    )
    if rows:
        head = ("Choice", "This design", "Alternatives", "Meaning")
        yield Table("Structural choices of this design", head, rows, frozenset({1, 2, 3}))


def _alternatives(options: tuple[type, ...], here: type) -> str:
    return ", ".join(option.__name__ for option in options if option is not here)


def _counts_text(what: str, kinds: Mapping[str, int]) -> str:
    ranked = sorted(kinds.items(), key=lambda item: -item[1])
    named = ", ".join(f"{kind} × {runs:,}" for kind, runs in ranked)
    return f"{what}: {named or 'none'}."


def count_text(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
