"""Data: what a network reads and answers, told from its tensors, and whether that is the task's.

Whether a network reads images, tokens or measured series is no label on it: its inputs say so, and
what it answers with is in the shape of its output. So a family whose members do different things
(a masked language model and a classifier, a forecast and a tagger) is told apart member by member.
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
from studio.analysis.trace.meta_model import example_on_meta
from studio.analysis.trace.tree import ATTENTION
from studio.family import Design, Family, Preset, Task
from studio.knobs import DesignError

Kind = Literal["images", "tokens", "series", "video"]

# What is given says what the data are. A length may be one of tokens or of a series.
KIND_OF_SETTING: Mapping[str, Kind] = {
    "image_size": "images",
    "in_channels": "images",
    "vocab_size": "tokens",
    "input_size": "series",
}
SEQUENCES: frozenset[Kind] = frozenset({"tokens", "series"})
LENGTHS = frozenset({"seq_len", "max_seq_len"})
IMAGE_SETTINGS = {  # where it stands in the size of an image, and what is said of another
    "in_channels": (0, "its images have {} channels"),
    "image_size": (1, "its images are {} pixels a side"),
}
SIZES = ("image_size", "seq_len")  # of an input: what a network was tried at
OPTIONAL = frozenset({"max_seq_len"})  # without it there is no bound
FAR_OCTAVES = 1.0  # octaves from the sizes that were published: an untried network
STEEP_SHARE = 1 / 3  # of the arithmetic: attention is then what a longer input is paid for with


@dataclass(frozen=True)
class AdaptedPreset:
    """A preset of a family once it is set to the task. `notes` tell what is not as it was asked
    for; `misfits` those of the settings that its inputs cannot have at all; `stretch` is how many
    octaves the size of the input is from that of the preset."""

    preset: Preset
    design: Design
    notes: tuple[str, ...]
    misfits: tuple[str, ...]
    stretch: float


@lru_cache(maxsize=4096)
def input_kinds(design: Design) -> frozenset[Kind]:
    """What a network reads; nothing where it is given noise to begin with."""
    return frozenset(filter(None, map(_kind, _inputs(design))))


def _inputs(design: Design) -> Iterator[tuple[bool, tuple[int, ...]]]:
    for tensor in example_on_meta(design, 1):
        yield tensor.is_floating_point(), tuple(tensor.shape)


def _kind(tensor: tuple[bool, tuple[int, ...]]) -> Kind | None:
    match tensor:
        case True, (_, _, height, width) if height * width > 1:
            return "images"
        case True, (_, _, _):  # values at each step
            return "series"
        case True, (_, _, _, _, _):
            return "video"
        case False, (_, _):
            return "tokens"
    return None


def knob_paths(design: Design, name: str) -> list[str]:
    """The knobs of this name: the design's own, or those of its records. The length of a video is
    its number of frames."""
    names = (name, "frames") if name == "seq_len" else (name,)
    return [knob for knob in design.knobs if knob.rpartition(".")[2] in names]


def performs(design: Design, task: Task) -> bool:
    """Whether this member of a family for the task is one that does it."""
    match task:
        case "classification":
            return len(_answer(design)) == 2 and _has_classes(design)
        case "segmentation":
            return len(_answer(design)) == 4 and _has_classes(design)
        case "time-series":
            return input_kinds(design) == {"series"} and _has_classes(design)
        case "language":
            return input_kinds(design) == {"tokens"}
        case "multi-modal":
            return len(input_kinds(design)) > 1
        case "generation":  # a network that only judges what another has made makes nothing
            return input_kinds(design) != {"images"} or len(_answer(design)) == 4
    return True


def _answer(design: Design) -> tuple[int, ...]:
    return profile(design).output_shapes[0]


def _has_classes(design: Design) -> bool:
    """There is a value in the answer for each class, or for each variable that is forecast."""
    asked = [design.value(name) for name in knob_paths(design, "num_classes")]
    return not asked or any(count in _answer(design)[1:] for count in asked)


def adapt_preset(family: Family, preset: Preset, brief: Brief) -> AdaptedPreset | None:
    """A preset set to the task of a brief; None where it does another, or cannot be had so. What
    the brief leaves open is as usual for the task."""
    left_open = default_settings(brief.task, brief.settings)
    made = apply_settings(Design(family, preset.config), brief.settings, left_open)
    if made is None:
        return None
    found, notes, misfits = made
    if not _suits(found, brief.task, {**brief.settings, **left_open}) or not performs(
        found, brief.task
    ):
        return None
    return AdaptedPreset(preset, found, notes, misfits, _stretch(found, preset))


def _suits(design: Design, task: Task, settings: Mapping[str, object]) -> bool:
    """It reads what the data are said to be, and nothing else; of several kinds at once perhaps not
    all were named. A video is images, of which there is a number."""
    told = frozenset(KIND_OF_SETTING[name] for name in settings if name in KIND_OF_SETTING)
    orders = SEQUENCES if LENGTHS & settings.keys() else frozenset()
    data = input_kinds(design) or ({"images"} if _images(design) else frozenset())
    if not (told or orders) or not data:
        return True
    if task != "multi-modal" and told == {"images"} and orders:
        return data == {"video"}
    named = told <= data and (not orders or bool(orders & data))
    return named and (task == "multi-modal" or data <= told | orders)


def apply_settings(
    design: Design, settings: Mapping[str, object], left_open: Mapping[str, object]
) -> tuple[Design, tuple[str, ...], tuple[str, ...]] | None:
    """The design with the task's settings, as near to them as its rules allow, a note for each that
    is not as asked, and those that its inputs cannot have; None where one cannot be had at all, or
    says nothing to it."""
    notes: list[str] = []
    asked = {**settings, **left_open}
    try:
        for name, value in _in_turn(design, asked):
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
        name: _instead(images, name, asked[name]) for name in without if name in IMAGE_SETTINGS
    }
    notes += filter(None, misfits.values())
    return design, tuple(notes), tuple(name for name, note in misfits.items() if note)


def _in_turn(design: Design, settings: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The knobs to turn, each after those that would be in its way."""
    length = settings.get("seq_len")
    for place in knob_paths(design, "max_seq_len"):
        if isinstance(length, int) and length > design.value(place):
            yield place, length
    for name, value in settings.items():
        yield from ((place, value) for place in knob_paths(design, name))


def _instead(images: set[tuple[int, int]], name: str, value: object) -> str:
    """What the images of a design have in the place of a setting that it has no knob for; empty if
    it is the same."""
    of, sentence = IMAGE_SETTINGS[name]
    here = {image[of] for image in images}
    told = " or ".join(map(str, sorted(here)))
    return "" if not here or value in here else f"{sentence.format(told)}, not {value}"


def _images(design: Design) -> set[tuple[int, int]]:
    """Channels and side of the images that a network reads, or that one part of it makes for
    another."""
    read = {shape for floats, shape in _inputs(design) if _kind((floats, shape)) == "images"}
    if read or input_kinds(design):
        return {(shape[1], shape[-1]) for shape in read}
    channels = {design.value(name) for name in knob_paths(design, "in_channels")}
    made = {shape for call in profile(design).root.calls for shape in call.trace.outputs}
    images = {shape for shape in made if len(shape) == 4 and shape[1] in channels}
    return {(shape[1], shape[-1]) for shape in images}


def same_image_shape(begin: Design) -> Callable[[Profile], float]:
    """A share of no budget at all: infinite for designs of a family that makes images of another
    size as it is scaled, since that is the task's."""
    if input_kinds(begin) or not (images := _images(begin)):
        return unlimited
    return lambda cost: 0.0 if _images(cost.design) == images else math.inf


def task_settings(design: Design, names: Iterable[str]) -> list[str]:
    """Those of these settings that the task decides of this network: no vocabulary of one that
    reads measured values, for which a family has a knob too."""
    data = input_kinds(design)
    return [
        name
        for name in names
        if name in design.settings
        and (name not in KIND_OF_SETTING or not data or KIND_OF_SETTING[name] in data)
    ]


def _stretch(design: Design, preset: Preset) -> float:
    """How many octaves the size of the input is from that of the preset; a shorter sequence is as
    good as the one that was published."""
    native = Design(design.family, preset.config)
    known = [place for name in SIZES for place in knob_paths(design, name) if place in native.knobs]
    octaves = {place: math.log2(design.value(place) / native.value(place)) for place in known}
    far = (abs(o) if place.endswith("image_size") else max(o, 0.0) for place, o in octaves.items())
    return max(far, default=0.0)


def _octaves(design: Design, place: str) -> float:
    here = design.value(place)
    return min(abs(math.log2(here / size)) for size in _tried(design, place))


def _tried(design: Design, place: str) -> list[int]:
    known = [Design(design.family, preset.config) for preset in design.family.presets]
    return sorted({one.value(place) for one in known if place in one.knobs})


def untested_sizes(design: Design) -> Iterator[str]:
    """What is against a network at an input that is far from those it was published with."""
    for place in (place for name in SIZES for place in knob_paths(design, name)):
        shorter = "seq_len" in place and design.value(place) <= _tried(design, place)[-1]
        if _octaves(design, place) >= FAR_OCTAVES and not shorter:
            first, *_, last = [*(tried := _tried(design, place)), tried[-1]]
            span = f"{first}" if first == last else f"{first} to {last}"
            yield f"its presets have {place}={span}; at {design.value(place)} it is untried"


def attention_share(found: Profile) -> float:
    """The share of the arithmetic that grows with the square of the input."""
    attention = sum(t * body.macs for body, t in operations(found.root) if body.kind == ATTENTION)
    return attention / max(found.macs, 1)


def quadratic_cost(found: Profile) -> Iterator[str]:
    """What is against attention at an input that is long."""
    if (part := attention_share(found)) >= STEEP_SHARE:
        yield (
            f"{part:.0%} of its arithmetic is attention between all parts of the input, and grows"
            " with the square of its size"
        )
