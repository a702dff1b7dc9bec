"""The kinds of data that a network reads and outputs, and whether they suit a task.

Both are inferred from the shapes and dtypes of its tensors, not from labels: members of one family
can perform different tasks (masked language model and classifier, forecast and tagging).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from studio.advice.requirements import Brief
from studio.advice.sizing.scaling_search import unlimited
from studio.advice.task_inputs import default_settings
from studio.analysis.cost.op_costs import operations
from studio.analysis.cost.profiler import Profile, profile
from studio.analysis.trace.building.meta_model import example_on_meta
from studio.analysis.trace.tree import ATTENTION
from studio.family import Design, Family, Preset
from studio.knobs import DesignError
from studio.tasks import Task

Kind = Literal["images", "tokens", "series", "video"]

# The kind of data that a setting implies. A sequence length can be one of tokens or of a series.
KIND_OF_SETTING: Mapping[str, Kind] = {
    "image_size": "images",
    "in_channels": "images",
    "vocab_size": "tokens",
    "input_size": "series",
}
SEQUENCES: frozenset[Kind] = frozenset({"tokens", "series"})
LENGTHS = frozenset({"seq_len", "max_seq_len"})
IMAGE_SETTINGS = {  # setting -> (index in (channels, side), note if the network has another value)
    "in_channels": (0, "its images have {} channels"),
    "image_size": (1, "its images are {} pixels a side"),
}
SIZES = ("image_size", "seq_len")  # of an input
OPTIONAL = frozenset({"max_seq_len"})  # a network without it has no limit
FAR_OCTAVES = 1.0  # from the published input sizes: further away, a network is untested
STEEP_SHARE = 1 / 3  # of the MACs: from here on attention dominates the cost of longer inputs


@dataclass(frozen=True)
class AdaptedPreset:
    """A preset with the settings of a task.

    `notes`: settings that differ from the brief. `misfits`: names of settings that its inputs
    cannot have at all. `stretch`: octaves between its input size and that of the preset.
    """

    preset: Preset
    design: Design
    notes: tuple[str, ...]
    misfits: tuple[str, ...]
    stretch: float


@lru_cache(maxsize=4096)
def input_kinds(design: Design) -> frozenset[Kind]:
    """The kinds of data that a network reads; empty if its input is noise."""
    return frozenset(filter(None, map(_kind, _inputs(design))))


def _inputs(design: Design) -> Iterator[tuple[bool, tuple[int, ...]]]:
    for tensor in example_on_meta(design, 1):
        yield tensor.is_floating_point(), tuple(tensor.shape)


def _kind(tensor: tuple[bool, tuple[int, ...]]) -> Kind | None:
    match tensor:
        case True, (_, _, height, width) if height * width > 1:
            return "images"
        case True, (_, _, _):  # (B, steps, variables)
            return "series"
        case True, (_, _, _, _, _):
            return "video"
        case False, (_, _):
            return "tokens"
    return None


def knob_paths(design: Design, name: str) -> list[str]:
    """The paths of the knobs with this name, of the design or of its stages. For a video, seq_len
    is the number of frames."""
    names = (name, "frames") if name == "seq_len" else (name,)
    return [knob for knob in design.knobs if knob.rpartition(".")[2] in names]


def performs(design: Design, task: Task) -> bool:
    """True if this member of a family for the task performs it."""
    match task:
        case "classification":
            return len(_output_shape(design)) == 2 and _has_classes(design)
        case "segmentation":
            return len(_output_shape(design)) == 4 and _has_classes(design)
        case "time-series":
            return input_kinds(design) == {"series"} and _has_classes(design)
        case "language":
            return input_kinds(design) == {"tokens"}
        case "multi-modal":
            return len(input_kinds(design)) > 1
        case "generation":  # a discriminator generates nothing
            return input_kinds(design) != {"images"} or len(_output_shape(design)) == 4
    return True


def _output_shape(design: Design) -> tuple[int, ...]:
    return profile(design).output_shapes[0]


def _has_classes(design: Design) -> bool:
    """True if the output has one value for each class, or for each forecast variable."""
    asked = [design.value(name) for name in knob_paths(design, "num_classes")]
    return not asked or any(count in _output_shape(design)[1:] for count in asked)


def adapt_preset(family: Family, preset: Preset, brief: Brief) -> AdaptedPreset | None:
    """A preset with the settings of a brief, and the task's defaults for those left open. None if
    it performs another task, or cannot have these settings."""
    left_open = default_settings(brief.task, brief.settings)
    made = apply_settings(Design(family, preset.config), brief.settings, left_open)
    if made is None:
        return None
    found, notes, misfits = made
    if not _reads_data(found, brief.task, {**brief.settings, **left_open}) or not performs(
        found, brief.task
    ):
        return None
    return AdaptedPreset(preset, found, notes, misfits, _stretch(found, preset))


def _reads_data(design: Design, task: Task, settings: Mapping[str, object]) -> bool:
    """True if a network reads the kind of data that the settings imply, and no other. For
    multi-modal tasks other kinds are allowed. Images with a sequence length are a video."""
    implied = frozenset(KIND_OF_SETTING[name] for name in settings if name in KIND_OF_SETTING)
    orders = SEQUENCES if LENGTHS & settings.keys() else frozenset()
    data = input_kinds(design) or ({"images"} if _images(design) else frozenset())
    if not (implied or orders) or not data:
        return True
    if task != "multi-modal" and implied == {"images"} and orders:
        return data == {"video"}
    named = implied <= data and (not orders or bool(orders & data))
    return named and (task == "multi-modal" or data <= implied | orders)


def apply_settings(
    design: Design, settings: Mapping[str, object], left_open: Mapping[str, object]
) -> tuple[Design, tuple[str, ...], tuple[str, ...]] | None:
    """Apply the settings of a task, at the nearest valid values.

    Returns the design, a note for each setting with another value, and the names of settings that
    its inputs cannot have. None if a setting has no valid value, or no meaning for the design.
    """
    notes: list[str] = []
    asked = {**settings, **left_open}
    try:
        for name, value in _in_valid_order(design, asked):
            turn = design.family.snap(design.config, name, value)
            design = Design(design.family, turn.config)
            notes += [turn.why] if turn.why else []
    except DesignError:
        return None
    images = _images(design)
    without = [name for name in asked if name not in OPTIONAL and not knob_paths(design, name)]
    if any(name in settings and not (name in IMAGE_SETTINGS and images) for name in without):
        return None
    misfits = {
        name: _value_note(images, name, asked[name]) for name in without if name in IMAGE_SETTINGS
    }
    notes += filter(None, misfits.values())
    return design, tuple(notes), tuple(name for name, note in misfits.items() if note)


def _in_valid_order(design: Design, settings: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The knobs to set, in an order in which each is valid: max_seq_len before seq_len."""
    length = settings.get("seq_len")
    for place in knob_paths(design, "max_seq_len"):
        if isinstance(length, int) and length > design.value(place):
            yield place, length
    for name, value in settings.items():
        yield from ((place, value) for place in knob_paths(design, name))


def _value_note(images: set[tuple[int, int]], name: str, value: object) -> str:
    """A note on the value that the images of a design have for a setting without a knob; empty if
    it is the one asked for."""
    of, sentence = IMAGE_SETTINGS[name]
    here = {image[of] for image in images}
    values = " or ".join(map(str, sorted(here)))
    return "" if not here or value in here else f"{sentence.format(values)}, not {value}"


def _images(design: Design) -> set[tuple[int, int]]:
    """(channels, side) of the images that a network reads, or else generates."""
    read = {shape for floats, shape in _inputs(design) if _kind((floats, shape)) == "images"}
    if read or input_kinds(design):
        return {(shape[1], shape[-1]) for shape in read}
    channels = {design.value(name) for name in knob_paths(design, "in_channels")}
    made = {shape for call in profile(design).root.calls for shape in call.trace.outputs}
    images = {shape for shape in made if len(shape) == 4 and shape[1] in channels}
    return {(shape[1], shape[-1]) for shape in images}


def same_image_shape(begin: Design) -> Callable[[Profile], float]:
    """A limit for generators: infinite for designs whose images differ in shape from those of
    `begin`, since the task determines the shape."""
    if input_kinds(begin) or not (images := _images(begin)):
        return unlimited
    return lambda cost: 0.0 if _images(cost.design) == images else math.inf


def task_settings(design: Design, names: Iterable[str]) -> list[str]:
    """The settings in `names` that the task determines for this network. For example no vocabulary
    for a network that reads a series, even if its family has that knob."""
    data = input_kinds(design)
    return [
        name
        for name in names
        if name in design.settings
        and (name not in KIND_OF_SETTING or not data or KIND_OF_SETTING[name] in data)
    ]


def _stretch(design: Design, preset: Preset) -> float:
    """Octaves between the input size and that of the preset; shorter sequences count as 0."""
    native = Design(design.family, preset.config)
    known = [place for name in SIZES for place in knob_paths(design, name) if place in native.knobs]
    octaves = {place: math.log2(design.value(place) / native.value(place)) for place in known}
    far = (abs(o) if place.endswith("image_size") else max(o, 0.0) for place, o in octaves.items())
    return max(far, default=0.0)


def _octaves_away(design: Design, place: str) -> float:
    here = design.value(place)
    return min(abs(math.log2(here / size)) for size in _published_sizes(design, place))


def _published_sizes(design: Design, place: str) -> list[int]:
    known = [Design(design.family, preset.config) for preset in design.family.presets]
    return sorted({one.value(place) for one in known if place in one.knobs})


def untested_sizes(design: Design) -> Iterator[str]:
    """Doubts about input sizes that are far from those of the presets."""
    for place in (place for name in SIZES for place in knob_paths(design, name)):
        shorter = "seq_len" in place and design.value(place) <= _published_sizes(design, place)[-1]
        if _octaves_away(design, place) >= FAR_OCTAVES and not shorter:
            first, *_, last = [*(tried := _published_sizes(design, place)), tried[-1]]
            span = f"{first}" if first == last else f"{first} to {last}"
            yield f"published with {place}={span}; untested at {design.value(place)}"


def attention_share(found: Profile) -> float:
    """The share of the MACs that is in attention and grows with the square of the input size."""
    attention = sum(t * body.macs for body, t in operations(found.root) if body.kind == ATTENTION)
    return attention / max(found.macs, 1)


def quadratic_cost(found: Profile) -> Iterator[str]:
    """The doubt about attention on a long input."""
    if (part := attention_share(found)) >= STEEP_SHARE:
        yield (
            f"{part:.0%} of its MACs are in attention, which grows with the square of the input"
            " size"
        )
