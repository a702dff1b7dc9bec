"""Published results that support a design, and the text of results and sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from studio.advice.modality import SIZES, knob_paths
from studio.analysis.cost.profiler import profile
from studio.family import Design, Preset, Result
from studio.tasks import Task

# The metrics of each task. Results in other metrics, such as a loss on a synthetic task, are not
# evidence for it.
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
# The one metric of a task by which different families can be compared.
HEADLINE: Mapping[Task, str] = {
    "classification": "ImageNet-1k top-1",
    "detection": "COCO val box AP",
    "instance-segmentation": "COCO val mask AP",
}
GITHUB = re.compile(r"https?://(?:www\.)?github\.com/([\w.-]+/[\w.-]+)[^\s,;)]*")
ARXIV = re.compile(r"https?://arxiv\.org/abs/([\w.]+\w)")
SCHEME = re.compile(r"https?://(?:www\.)?")
BRACKETS = re.compile(r"\s*\(([^()]*)\)")


def results_for(results: tuple[Result, ...], task: Task) -> list[Result]:
    """The results in the metrics of a task."""
    measure = MEASURES.get(task)
    return [result for result in results if measure and measure.search(result.metric)]


def format_result(result: Result) -> str:
    """`ImageNet-1k top-1: 81.6 % (Dai et al. 2021, Table 4)`"""
    value = f"{result.value:g} {result.unit}".strip()
    return f"{result.metric}: {value} ({short_source(result.source)})"


def short_source(source: str) -> str:
    """A source in a short form for use in brackets: `owner/repository` for a GitHub URL,
    `arXiv:1905.11946` for an arXiv URL, inner brackets replaced by commas."""
    text = ARXIV.sub(r"arXiv:\1", GITHUB.sub(r"\1", source))
    return BRACKETS.sub(r", \1", SCHEME.sub("", text))


def input_changes(design: Design, preset: Preset) -> list[str] | None:
    """The input sizes of a preset that a design changes, as `name=value`; None if the design
    differs in anything else, or in its number of parameters."""
    there = Design(design.family, preset.config)
    changes = design.changes(preset)
    sizes = [place for name in SIZES for place in knob_paths(design, name)]
    if not changes.keys() <= set(sizes) or profile(design).params != profile(there).params:
        return None
    return [f"{name}={there.value(name)}" for name in changes]


def citations(design: Design, preset: Preset, task: Task) -> Iterator[str]:
    """The published results of a design's preset, and whether they hold for the design itself."""
    changes = input_changes(design, preset)
    for result in results_for(design.family.guide.results, task):
        if result.preset != preset.name:
            continue
        if changes is None:
            yield f"{preset.name}, {format_result(result)}; this variant has no published result"
        elif changes:
            yield f"{format_result(result)}, same weights at {', '.join(changes)}"
        else:
            yield f"published: {format_result(result)}"
