"""What is echoed of a text from outside: little, on one line, and nothing that cannot be seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio import zoo
from studio.analysis import quantities
from studio.analysis.cost.roofline import DeviceLimits
from studio.analysis.quantities import PARAMETERS
from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.process.errors import MeasureError
from studio.quoting import LONGEST, echoed, one_line, quoted
from studio.records import RecordKnob
from studio.workbench.compose import composition
from studio.workbench.devices import find_device
from studio.workbench.page.requirements_form import RequirementsForm

HYBRID = zoo.family("hybrid")
HOSTILE = (
    "A" * 3000,
    "A\nB\r\n\tC\x00\x1b[31mD\u202eE\u2028F" * 200,
    "([{" * 1000,
    "Conv(" + "A" * 3000,
    "A" * 3000 + "()",
    "Conv(" + "A" * 3000 + "=1)",
    "Conv(depth=" + "9" * 3000 + ")",
    "Conv(a=" + "A" * 3000 + " b=2)",
    "\x1b()",
)


def knob_doors() -> Iterator[tuple[str, Callable[[str], object]]]:
    """Each kind of knob once, on the design's way and on the slider's."""
    for family in (zoo.family("vit"), zoo.family("resnet"), zoo.family("unet"), HYBRID):
        for name in family.knobs:
            yield f"{family.key}.{name}", lambda text, f=family, n=name: f.design(**{n: text})
            yield (
                f"turned {family.key}.{name}",
                lambda text, f=family, n=name: f.snap(f.design().config, n, text),
            )


DOORS: dict[str, Callable[[str], object]] = {
    **dict(knob_doors()),
    "family": zoo.family,
    "preset": HYBRID.preset,
    "knob": lambda text: HYBRID.design(**{text: 1}),
    "knob within": lambda text: HYBRID.design(**{f"stages.0.{text}": 1}),
    "value within": lambda text: HYBRID.design(**{"stages.0.depth": text}),
    "device": lambda text: find_device(text, ("cpu", "cuda:0")),
    "draft": lambda text: composition.read(HYBRID, text),
    "parameters": PARAMETERS.read,
    "size": quantities.whole,
    "duration": quantities.duration,
    "budget": lambda text: RequirementsForm(typed=(("max-params", text),)).brief,
    "latency": lambda text: RequirementsForm(typed=(("max-latency", text),)).latency_s,
    "data sheet": lambda text: DeviceLimits.read(text, text, text),
    "condition": lambda text: Conditions(dtype=text).checked(),
    "JSON": zoo.design_from_json,
    "JSON family": lambda text: zoo.design_from_json(json.dumps({"family": text, "config": {}})),
    "JSON knob": lambda text: zoo.design_from_json(
        json.dumps({"family": "vit", "config": {text: text}})
    ),
    "JSON kind": lambda text: zoo.design_from_json(
        json.dumps({"family": "hybrid", "config": {"stages": [{"kind": text, text: text}]}})
    ),
    "JSON record's knob": lambda text: zoo.design_from_json(
        json.dumps({"family": "hybrid", "config": {"stages": [{"kind": "Conv", text: text}]}})
    ),
    "failed measurement": lambda text: (_ for _ in ()).throw(MeasureError(text[:LONGEST])),
    "read measurement": Measurement.from_json,
}


def said(door: str, text: str) -> str:
    """The sentence in which a text is refused; empty where it is not."""
    try:
        DOORS[door](text)
    except (ValueError, MeasureError) as refusal:
        return str(refusal)
    return ""


def in_full(text: str, sentence: str) -> bool:
    """Whether a sentence has more of a text in a row than is echoed (`depth=` may be of both)."""
    most = LONGEST + 10
    return any(text[i : i + most] in sentence for i in range(0, max(0, len(text) - most), 5))


@pytest.mark.parametrize("door", DOORS)
def test_no_refusal_echoes_more_than_is_read_at_a_glance(door: str) -> None:
    sentences = {text: said(door, text) for text in HOSTILE}
    assert all(sentences.values())
    for text, sentence in sentences.items():
        assert sentence.isprintable()
        assert not in_full(text, sentence), sentence


@settings(max_examples=50)
@given(st.text())
def test_a_quoted_text_is_short_and_seen(text: str) -> None:
    for shown in (quoted(text), echoed(text)):
        assert shown.isprintable()
        assert len(shown) <= LONGEST + 2
    assert one_line(text).isprintable()


def test_what_is_short_and_seen_is_echoed_as_it_is() -> None:
    assert quoted("it's a [link](x)") == '"it\'s a [link](x)"'
    assert echoed("a b") == "a b"
    assert quoted((1, 2)) == echoed((1, 2)) == "(1, 2)"
    assert quoted(10**6000) == "this int"
    assert quoted(RecordKnob) == "RecordKnob"
