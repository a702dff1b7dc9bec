"""Section 4 of the report: compute, memory and latency, and what determines them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from studio.analysis import units
from studio.analysis.cost.op_costs import OpCost, op_cost, operations, total_cost
from studio.analysis.cost.peak_memory import largest_batch
from studio.analysis.cost.profiler import Profile
from studio.analysis.cost.starved_norm import batch_too_small, training_memory_text
from studio.analysis.cost.training_step import PeakMemory
from studio.analysis.trace.tree import ATTENTION, RECURRENT
from studio.bench.idle_latency import idle_latency
from studio.bench.results import Measurement
from studio.family import BATCH
from studio.reporting import latency_text
from studio.reporting.document import Block, Paragraph, Section, Table, Text, percent

ACCELERATOR_BYTES = (8e9, 16e9, 24e9, 80e9)  # bytes, of the usual accelerators
MOST_KINDS = 7
SMALL = 0.01  # share of compute and traffic, below which kinds are merged into one row
MEANING = {
    "conv": "convolutions. A dense convolution costs pixels × input channels × output channels per"
    " kernel position, a depthwise one pixels × channels, so reducing resolution or width saves"
    " more than reducing depth",
    "linear": "matrix products with weights. They cost tokens (or examples) × width², so reducing"
    " width saves more than reducing depth",
    ATTENTION: "attention itself. Its cost grows with the square of the sequence length, so a"
    " shorter input saves most",
    "recurrent": "recurrent layers. Their time grows with the sequence length, since the steps"
    " cannot run in parallel",
}


def cost_section(found: Profile, measured: Measurement | None) -> Section:
    """The section on the cost of a design."""
    blocks = (*_arithmetic(found), *_memory(found), *_latency(measured))
    return Section("4. Optimisation", blocks)


def _arithmetic(found: Profile) -> Iterator[Block]:
    each = found.macs / found.batch
    per_example = f" ({units.macs(each)} per example)" if found.batch > 1 else ""
    yield Paragraph(
        f"A forward pass at batch {found.batch} takes {found.macs:,} multiply-accumulates (MACs)"
        f"{per_example}, or {found.flops:,} FLOPs (2 × MACs). They are counted in the convolutions"
        " and matrix products of the real model."
    )
    macs, moved = Counter[str](), Counter[str]()
    runs: defaultdict[str, int] = defaultdict(int)
    for trace, times in operations(found.root):
        macs[trace.kind] += times * trace.macs
        moved[trace.kind] += times * op_cost(trace).moved_bytes
        runs[trace.kind] += times
    whole = total_cost(found.root)
    yield Table(
        f"Compute and memory traffic by kind of layer, at batch {found.batch}",
        ("Kind", "Runs", "MACs", "Share", "Bytes moved", "Share"),
        (*_kinds(macs, moved, runs, whole), _all_kinds(found, whole)),
        total=True,
    )
    if found.macs:
        yield Paragraph(f"{_dominant(macs)} {_intensity(whole)}")


def _kinds(
    macs: Counter[str], moved: Counter[str], runs: dict[str, int], whole: OpCost
) -> Iterator[tuple[Text, ...]]:
    """The rows of the kinds with a noticeable cost, and one row for all others."""
    all_macs = max(whole.flops // 2, 1)
    large = [
        kind
        for kind in sorted(runs, key=lambda kind: (-macs[kind], -moved[kind]))
        if macs[kind] > SMALL * all_macs or moved[kind] > SMALL * whole.moved_bytes
    ][:MOST_KINDS]
    rest = [kind for kind in runs if kind not in large]
    for name, kinds in [*((kind, [kind]) for kind in large), ("all others", rest)]:
        if kinds:
            yield _kind(name, kinds, macs, moved, runs, whole)


def _kind(
    name: str,
    kinds: list[str],
    macs: Counter[str],
    moved: Counter[str],
    runs: dict[str, int],
    whole: OpCost,
) -> tuple[Text, ...]:
    macs_here, moved_here = sum(macs[k] for k in kinds), sum(moved[k] for k in kinds)
    return (
        name.replace("_", " "),
        f"{sum(runs[k] for k in kinds):,}",
        units.macs(macs_here) if macs_here else "",
        percent(macs_here, whole.flops // 2),
        units.size(moved_here),
        percent(moved_here, whole.moved_bytes),
    )


def _all_kinds(found: Profile, whole: OpCost) -> tuple[Text, ...]:
    moved = units.size(whole.moved_bytes)
    return "total", f"{whole.operations:,}", units.macs(found.macs), "100 %", moved, "100 %"


def _dominant(macs: Counter[str]) -> str:
    """The kind of layer with most MACs, and what reduces them."""
    groups = Counter[str]()
    for kind, number in macs.items():
        groups[_group(kind)] += number
    (group, most), total = groups.most_common(1)[0], macs.total()
    attention = groups[ATTENTION]
    beside = (
        f" Attention between tokens takes {percent(attention, total)}; that part grows with the"
        " square of the sequence length."
        if attention and group != ATTENTION
        else ""
    )
    return f"{_of(most, total)} the MACs are in {MEANING.get(group, group)}.{beside}"


def _of(part: int, whole: int) -> str:
    return "All" if part == whole else f"{percent(part, whole)} of"


def _group(kind: str) -> str:
    low = kind.lower()
    if "conv" in low:
        return "recurrent" if any(kind.lower() in low for kind in RECURRENT) else "conv"
    if low.startswith(tuple(map(str.lower, RECURRENT))):
        return "recurrent"
    return "linear" if low in ("linear", "matmul", "bmm", "addmm", "einsum") else kind


def _intensity(whole: OpCost) -> str:
    ratio = whole.flops / max(whole.moved_bytes, 1)
    weights = percent(whole.weight_bytes, whole.moved_bytes)
    return (
        f"Arithmetic intensity is {ratio:.3g} FLOPs per byte: on a device whose ratio of compute to"
        f" bandwidth is higher, the network is memory-bound. Weights are {weights} of the traffic;"
        " a larger batch amortises them over more examples."
    )


def _memory(found: Profile) -> Iterator[Block]:
    inference = found.memory("inference")
    if why := batch_too_small(found.design, found.batch):
        yield Table(
            f"Peak memory at batch {found.batch} in float32",
            ("Part", "Inference"),
            tuple(row[:2] for row in _parts(inference, inference)),
            total=True,
        )
        yield Paragraph(f"The design {training_memory_text(found)}: {why}.")
        return
    training = found.memory("training")
    yield Table(
        f"Peak memory at batch {found.batch} in float32, simulated allocation by allocation",
        ("Part", "Inference", "Training with Adam"),
        tuple(_parts(inference, training)),
        total=True,
    )
    yield Paragraph(
        f"{_largest_part(training, found.batch)} The parts are those at the moment of the peak:"
        " gradients are allocated while saved activations are freed. Kernel workspace and PyTorch"
        " itself come on top."
    )
    if found.training_bytes() <= max(ACCELERATOR_BYTES):
        yield _batches(found)


def _parts(inference: PeakMemory, training: PeakMemory) -> Iterator[tuple[Text, ...]]:
    for name in ("parameters", "buffers", "gradients", "states", "activations", "total"):
        pair = getattr(inference, name), getattr(training, name)
        if any(pair):
            words = {"states": "optimizer states", "total": "total"}.get(name, name)
            yield words, *(units.size(size) if size else "" for size in pair)


def _largest_part(training: PeakMemory, batch: int) -> str:
    """The largest part of the training memory, and what reduces it."""
    fixed = training.parameters + training.gradients + training.states
    part = percent(max(fixed, training.activations), training.total)
    if training.activations > fixed:
        return (
            f"Activations are {part} of the peak of a training step at batch {batch}: a smaller"
            " batch, activation checkpointing or a smaller input saves most."
        )
    return (
        f"Parameters, gradients and optimizer states are {part} of the peak of a training step at"
        f" batch {batch}: fewer parameters, or an optimizer with less state, save most. Their size"
        " does not depend on the batch."
    )


def _batches(found: Profile) -> Block:
    head = ("Memory", *map(units.size, ACCELERATOR_BYTES))
    row = ("largest batch", *(_batch(found, memory_bytes) for memory_bytes in ACCELERATOR_BYTES))
    return Table("Largest batch of a training step with Adam that fits", head, (row,))


def _batch(found: Profile, memory_bytes: float) -> str:
    largest = largest_batch(found.design, memory_bytes, "training")
    if not largest:
        return "none"
    return f"{largest:,}" + " or more" * (largest == BATCH.le)


def _latency(measured: Measurement | None) -> Iterator[Block]:
    if measured is None:
        yield Paragraph("Latency was not measured. MACs rank designs, but do not predict latency.")
        return
    what = "training step" if measured.mode == "training" else "forward pass"
    when = f", at {measured.measured_at}" if measured.measured_at else ""
    yield Paragraph(
        f"A {what} at batch {measured.batch} took {units.seconds(measured.median_s)}, the median of"
        f" {measured.runs:,} runs (IQR {units.seconds(measured.q25_s)} to"
        f" {units.seconds(measured.q75_s)}){_rate(measured)}"
    )
    yield Paragraph(
        f"Conditions: {', '.join(latency_text.condition_texts(measured))}; on {measured.device};"
        f" PyTorch {measured.torch_version}{when}."
    )


def _rate(measured: Measurement) -> str:
    """The throughput. On a busy machine it comes from CPU time, and the first call is omitted."""
    if expected := idle_latency(measured):
        value, band, _ = latency_text.format_latency(measured)
        rate = measured.batch / expected.seconds
        return (
            f" under load. On an idle machine a run is expected to take {value} ({band}), its CPU"
            f" time: {rate:,.1f} examples per second."
        )
    alone = (
        "None of these runs was interrupted."
        if measured.clean
        else "This device does not report whether other work interfered."
    )
    return (
        f": {measured.throughput:,.1f} examples per second. {alone} The first call took"
        f" {units.seconds(measured.first_call_s)}."
    )
