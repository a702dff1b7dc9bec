"""Evidence: which published results speak for a design, and how results and sources are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from studio.advice.modality import SIZES, places
from studio.analysis.cost.profiler import profile
from studio.family import Design, Preset, Result, Task

# The measures that a task is judged by. A result in another, such as a loss on a synthetic task,
# says nothing of it.
MEASURES: Mapping[Task, re.Pattern[str]] = {
    "classification": re.compile(r"\btop-[15]\b|CIFAR-10 error|GLUE|XNLI"),
    "detection": re.compile(r"\bbox AP\b"),
    "segmentation": re.compile(r"IoU\b|warping error"),
    "instance-segmentation": re.compile(r"\b(mask|box) AP\b"),
    "language": re.compile(
        r"perplexity|bits per character|validation loss|LAMBADA|HellaSwag|MMLU"
        r"|GLUE|XNLI|SQuAD|CoNLL|BLEU"
    ),
    "time-series": re.compile(r"Nottingham"),
    "generation": re.compile(r"\bFID\b|Inception score|validation loss|LAMBADA|HellaSwag|MMLU"),
}
# The one measure by which networks of different families can be compared.
HEADLINE: Mapping[Task, str] = {
    "classification": "ImageNet-1k top-1",
    "detection": "COCO val box AP",
    "instance-segmentation": "COCO val mask AP",
}
GITHUB = re.compile(r"https?://(?:www\.)?github\.com/([\w.-]+/[\w.-]+)[^\s,;)]*")
ARXIV = re.compile(r"https?://arxiv\.org/abs/([\w.]+\w)")
SCHEME = re.compile(r"https?://(?:www\.)?")
BRACKETS = re.compile(r"\s*\(([^()]*)\)")


def evidence(results: tuple[Result, ...], task: Task) -> list[Result]:
    """The results that are in the measures of a task."""
    measure = MEASURES.get(task)
    return [result for result in results if measure and measure.search(result.metric)]


def written(result: Result) -> str:
    """`ImageNet-1k top-1: 81.6 % (Dai et al. 2021, Table 4)`"""
    value = f"{result.value:g} {result.unit}".strip()
    return f"{result.metric}: {value} ({short(result.source)})"


def short(source: str) -> str:
    """A source in one short form, to be set in brackets: `owner/repository` in place of an address
    at GitHub, `arXiv:1905.11946` of one at arXiv, and no brackets within."""
    text = ARXIV.sub(r"arXiv:\1", GITHUB.sub(r"\1", source))
    return BRACKETS.sub(r", \1", SCHEME.sub("", text))


def input_changes(design: Design, preset: Preset) -> list[str] | None:
    """The sizes of the input that a preset was published at, where a design differs from it in
    those alone and has the same parameters; None where it differs in more."""
    there = Design(design.family, preset.config)
    changes = design.changes(preset)
    sizes = [place for name in SIZES for place in places(design, name)]
    if not changes.keys() <= set(sizes) or profile(design).params != profile(there).params:
        return None
    return [f"{name}={there.value(name)}" for name in changes]


def cited(design: Design, preset: Preset, task: Task) -> Iterator[str]:
    """What was published of the preset that a design was made from, and whether that holds of the
    design itself."""
    changes = input_changes(design, preset)
    for result in evidence(design.family.guide.results, task):
        if result.preset != preset.name:
            continue
        if changes is None:
            yield f"{preset.name}, {written(result)}; this variant has no published result"
        elif changes:
            yield f"{written(result)}, of the same weights: the preset has {', '.join(changes)}"
        else:
            yield f"published: {written(result)}"
