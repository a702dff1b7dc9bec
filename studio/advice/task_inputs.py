"""The default input sizes of each task.

Networks are compared at the same input size. If a brief leaves it open, the size of the usual
benchmark applies to all: ImageNet, COCO, Pascal VOC, ETT.
"""

from __future__ import annotations

from collections.abc import Mapping

from studio.tasks import Task

Settings = Mapping[str, int]
IMAGES: Settings = {"image_size": 224, "in_channels": 3}

# The default kind of data of each task, then the alternatives. A brief selects one by naming one of
# its settings.
DEFAULTS: Mapping[Task, tuple[Settings, ...]] = {
    "classification": ({**IMAGES, "num_classes": 1000}, {"seq_len": 128, "vocab_size": 30_522}),
    "detection": ({"image_size": 640, "in_channels": 3},),
    "segmentation": ({"image_size": 512, "in_channels": 3, "num_classes": 21},),
    "instance-segmentation": ({"image_size": 800, "in_channels": 3},),
    "language": ({"seq_len": 512},),
    "time-series": ({"seq_len": 96, "input_size": 7, "num_classes": 7},),
    "generation": ({"image_size": 64, "in_channels": 3}, {"seq_len": 512, "vocab_size": 50_257}),
    "multi-modal": ({**IMAGES, "seq_len": 32},),
}
# Settings that tell the kind of data.
KIND_SETTINGS = (
    "vocab_size",
    "image_size",
    "in_channels",
    "seq_len",
    "max_seq_len",
)


def default_settings(task: Task, given: Mapping[str, object]) -> Settings:
    """The defaults of the settings that are not in `given`, for the kind of data it implies."""
    known = DEFAULTS[task]
    named = [name for name in KIND_SETTINGS if name in given]
    for settings in known:
        if named and not (set(named) & settings.keys()):
            continue
        return {name: value for name, value in settings.items() if name not in given}
    return {}


# The settings of each kind of data, in the order of DEFAULTS.
FIELDS: Mapping[Task, tuple[tuple[str, ...], ...]] = {
    "classification": (
        ("image_size", "in_channels", "num_classes"),
        ("seq_len", "vocab_size", "num_classes"),
    ),
    "detection": (("image_size", "in_channels", "num_classes"),),
    "segmentation": (("image_size", "in_channels", "num_classes"),),
    "instance-segmentation": (("image_size", "in_channels", "num_classes"),),
    "language": (("seq_len", "max_seq_len", "vocab_size"),),
    "time-series": (("seq_len", "input_size", "num_classes"),),
    "generation": (("image_size", "in_channels"), ("seq_len", "vocab_size")),
    "multi-modal": (("image_size", "in_channels", "seq_len", "vocab_size", "num_classes"),),
}
BENCHMARKS: Mapping[Task, tuple[str, ...]] = {  # whose sizes are the defaults
    "classification": ("ImageNet-1k", "BERT's vocabulary, short texts"),
    "detection": ("COCO",),
    "segmentation": ("Pascal VOC",),
    "instance-segmentation": ("COCO",),
    "language": ("a short context",),
    "time-series": ("ETT: 96 steps of 7 variables, each forecast",),
    "generation": ("64 x 64 images in colour", "GPT-2's vocabulary, a short context"),
    "multi-modal": ("images as in ImageNet-1k, short captions",),
}


def default_text(task: Task, name: str, kind: int = 0) -> str:
    """The placeholder of an empty field: the default of a setting for this kind of data."""
    default = DEFAULTS[task][kind].get(name)
    return "default of each family" if default is None else f"default ({default:,})"


def default_source(task: Task, name: str, kind: int = 0) -> str:
    """The help text of a field: the default of a setting, and where it comes from."""
    default = DEFAULTS[task][kind].get(name)
    if default is None:
        return "Left empty, each network keeps the value of its preset."
    return f"Left empty, it is {default:,}, as usual for the task ({BENCHMARKS[task][kind]})."
