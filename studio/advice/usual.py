"""The usual data of a task: what a size that is not given is taken to be.

Networks are only compared at the same input, so where a task leaves its size open, the one that its
benchmarks use holds for all: ImageNet, COCO, Pascal VOC, ETT.
"""

from __future__ import annotations

from collections.abc import Mapping

from studio.family import Task

Settings = Mapping[str, int]
IMAGES: Settings = {"image_size": 224, "in_channels": 3}

# Of each task the data that it is understood to have, and others that it may have: each is known by
# the settings that name it.
USUAL: Mapping[Task, tuple[Settings, ...]] = {
    "classification": ({**IMAGES, "num_classes": 1000}, {"seq_len": 128, "vocab_size": 30_522}),
    "detection": ({"image_size": 640, "in_channels": 3},),
    "segmentation": ({"image_size": 512, "in_channels": 3, "num_classes": 21},),
    "instance-segmentation": ({"image_size": 800, "in_channels": 3},),
    "language": ({"seq_len": 512},),
    "time-series": ({"seq_len": 96, "input_size": 7, "num_classes": 7},),
    "generation": ({"image_size": 64, "in_channels": 3}, {"seq_len": 512, "vocab_size": 50_257}),
    "multi-modal": ({**IMAGES, "seq_len": 32},),
}
MARKS = ("vocab_size", "image_size", "in_channels", "seq_len", "max_seq_len")  # of a kind of data


def usual(task: Task, given: Mapping[str, object]) -> Settings:
    """The settings that hold where none is given, for the kind of data that is."""
    known = USUAL[task]
    named = [name for name in MARKS if name in given]
    for settings in known:
        if named and not (set(named) & settings.keys()):
            continue
        return {name: value for name, value in settings.items() if name not in given}
    return {}


FIELDS: Mapping[Task, tuple[str, ...]] = {
    "classification": ("image_size", "in_channels", "num_classes", "seq_len", "vocab_size"),
    "detection": ("image_size", "in_channels", "num_classes"),
    "segmentation": ("image_size", "in_channels", "num_classes"),
    "instance-segmentation": ("image_size", "in_channels", "num_classes"),
    "language": ("seq_len", "max_seq_len", "vocab_size"),
    "time-series": ("seq_len", "input_size", "num_classes"),
    "generation": ("image_size", "in_channels", "seq_len", "vocab_size"),
    "multi-modal": ("image_size", "in_channels", "seq_len", "vocab_size", "num_classes"),
}
OF_TEXT = ("seq_len", "vocab_size")


def default_in_words(task: Task, name: str) -> str:
    """What holds where a setting of a task is not given."""
    first, *others = USUAL[task]
    if name in first:
        return f"default ({first[name]:,})"
    return "for text, not images" if others and name in OF_TEXT else "default of each family"
