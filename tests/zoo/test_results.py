"""Published results: where the source of a preset's count publishes one, the guide has it."""

from __future__ import annotations

import studio

# Who counts a preset publishes results of it too, unless the reason stands here.
PUBLISHERS = (
    "torchvision",
    "timm",
    "https://github.com/VainF/DeepLabV3Plus-Pytorch",
    "https://github.com/karpathy/llama2.c",
    "https://github.com/ultralytics/ultralytics",
    "https://github.com/facebookresearch",
    "Bai et al. 2018",
    "GPT-",
    "nanoGPT",
    "Xue et al.",
    "Raffel et al.",
    "Howard et al. 2017",
)
WITHOUT = {
    "Faster R-CNN R50-FPN, from scratch": "weights=None: nothing was trained",
    "Faster R-CNN R101-FPN": "torchvision has no weights of it",
    "Mask R-CNN R50-FPN, from scratch": "weights=None: nothing was trained",
    "Mask R-CNN R101-FPN": "torchvision has no weights of it",
    "ResNet-18 (10 classes)": "torchvision has no weights for 10 classes",
    "ResNet-50 (10 classes)": "torchvision has no weights for 10 classes",
    "DeepLabV3+ R50, output stride 8": "its README has output stride 16 alone",
    "DeepLabV3+ R101, output stride 8": "its README has output stride 16 alone",
    "ViT-g/14": "timm has no classifier of it",
    "R50+ViT-B/16": "timm has no classifier of it at 224",
}


def test_a_source_that_publishes_a_result_is_quoted_with_it() -> None:
    missing = []
    for family in studio.families().values():
        quoted = {result.preset for result in family.guide.results}
        for preset in family.presets:
            if preset.source.startswith(PUBLISHERS) and preset.name not in {*quoted, *WITHOUT}:
                missing.append(f"{family.key}: {preset.name} ({preset.source})")
    assert missing == []


def test_the_exceptions_are_presets_without_a_result() -> None:
    families = studio.families().values()
    quoted = {result.preset for family in families for result in family.guide.results}
    names = {preset.name for family in families for preset in family.presets}
    assert WITHOUT.keys() <= names - quoted


def test_torchvision_s_classifiers_have_the_accuracy_of_its_documentation() -> None:
    facts = {"ViT-B/16": 81.072, "ViT-H/14 @518": 88.552, "ResNet-50": 76.130, "VGG-16-BN": 73.360}
    results = [r for family in studio.families().values() for r in family.guide.results]
    found = {r.preset: r.value for r in results if r.metric == "ImageNet-1k top-1"}
    assert {preset: found[preset] for preset in facts} == facts
