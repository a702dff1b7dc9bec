"""Random designs and compositions through everything that is made of a design.

`python -m tests.pipeline` tries 10,000 designs and 3,000 compositions (about an hour on one core)
and prints the counts; `python -m tests.pipeline 500 100 7` tries fewer, from another seed. Every
choice of settings either makes a design, whose profile, graph, script, JSON and link are made and
read back, or is refused in one sentence with suggestions, each of which makes a design.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import studio
from studio import zoo
from studio.analysis.graph.layer_graph import build_graph
from studio.exports import standalone_script
from studio.family import Design, DesignError, Family
from studio.knobs import Knob
from studio.records import RecordKnob, knobs_of
from studio.workbench.page.state import FIRST
from studio.workbench.workload import Workload

MOST_TURNED = 4  # knobs of a design
MOST_STAGES = 5
EACH = 500  # tries, after which the program says how far it is
LONGEST = 700  # characters of a sentence that refuses
WRONG = ("", "many", "-1", "1e9", "0.3", "NaN", "1,2", "True")


def random_value(knob: Knob, chance: random.Random) -> Any:
    """Mostly a value that the knob takes, sometimes one between its steps, beyond its ends or of
    another kind."""
    if chance.random() < 0.03:
        return chance.choice(WRONG)
    if isinstance(knob.default, bool):
        return chance.random() < 0.5
    if knob.options:
        return chance.choice(knob.options)
    if isinstance(knob.default, tuple):
        length = chance.choice(knob.lengths or (len(knob.default),))
        return tuple(_number(knob, chance) for _ in range(length))
    return _number(knob, chance)


def _number(knob: Knob, chance: random.Random) -> float:
    """Low values are likelier than high ones, as designs of people are, and are quicker."""
    low = 0 if knob.ge is None else knob.ge
    high = 2 * low + 64 if knob.le is None else knob.le
    value = low + (high - low) * chance.random() ** 4 * 1.02
    stepped = value if chance.random() < 0.05 else knob.clamp(value)
    return stepped if isinstance(knob.default, float) or knob.kind is float else int(stepped)


def random_settings(family: Family, chance: random.Random) -> tuple[str, dict[str, Any]]:
    """A preset's name, and knobs to turn on it, those of its records among them."""
    preset = chance.choice(family.presets)
    knobs = [k for k in Design(family, preset.config).knobs.values() if not many(k)]
    turned = chance.sample(knobs, min(chance.randint(1, MOST_TURNED), len(knobs)))
    return preset.name, {knob.name: random_value(knob, chance) for knob in turned}


def many(knob: Knob) -> bool:
    return isinstance(knob, RecordKnob)


def random_record(kinds: tuple[type, ...], chance: random.Random) -> Any:
    """A record of some kind with a few knobs turned; as it is by default where those do not go."""
    kind = chance.choice(kinds)
    knobs = [k for k in knobs_of(kind()).values() if not isinstance(k.default, tuple)]
    turned = chance.sample(knobs, min(chance.randint(0, 2), len(knobs)))
    try:
        return kind(**{k.name: k.read(random_value(k, chance)) for k in turned})
    except ValueError:
        return kind()


def random_composition(chance: random.Random) -> dict[str, Any]:
    """A stem, some stages and a head, whether or not they fit together."""
    family = zoo.families()["hybrid"]
    stem, stages, head = (family.knobs[name] for name in ("stem", "stages", "head"))
    count = chance.randint(1, MOST_STAGES)
    return {
        "stem": random_record(stem.options, chance),
        "stages": tuple(random_record(stages.options, chance) for _ in range(count)),
        "head": random_record(head.options, chance),
    }


def follow_link(design: Design) -> None:
    """All that is made of a design, and what is read back is that design."""
    found = studio.profile(design)
    assert found.params >= 0
    assert found.macs >= 0
    assert found.output_shapes
    assert found.inference_bytes > 0
    assert build_graph(found.root).root.children
    script = standalone_script(design)
    compile(script.text, "script.py", "exec")
    assert studio.design_from_json(design.to_json()) == design
    assert zoo.design_from_query(design.to_query()) == design
    page = replace(FIRST, workload=Workload(design), preset=design.base)
    restored = FIRST.follow_link(page.link)
    assert not restored.refusal, restored.refusal
    assert restored.design == design


def refused(
    error: DesignError, family: Family, preset: str | None, settings: Mapping[str, Any]
) -> int:
    """A refusal is one sentence, and each of its suggestions makes a design. Their number."""
    text = str(error)
    assert text
    assert "\n" not in text
    assert len(text) <= LONGEST, text
    assert error.suggestions, text
    for suggestion in error.suggestions:
        try:
            family.design(preset, **{**settings, **suggestion})
        except DesignError as again:
            raise AssertionError(f"{text}\n{dict(suggestion)} is refused: {again}") from again
    return len(error.suggestions)


def tried(
    family: Family, preset: str | None, settings: Mapping[str, Any], counts: Counter[str]
) -> None:
    """Settings go through everything, or are refused with suggestions that work."""
    try:
        design = family.design(preset, **settings)
    except DesignError as error:
        counts["refused"] += 1
        counts["suggestions applied"] += refused(error, family, preset, settings)
        return
    counts["made"] += 1
    follow_link(design)
    counts["links restored"] += 1


def run(
    designs: int, compositions: int, seed: str, told: Callable[[str], None] = lambda line: None
) -> tuple[Counter[str], list[str]]:
    """So many of each; what was counted, and what failed. `told` hears of both on the way."""
    counts: Counter[str] = Counter()
    failures: list[str] = []
    families = sorted(zoo.families().items())
    for i in range(designs + compositions):
        chance = random.Random(f"{seed} {i}")
        if i < designs:
            family = families[i % len(families)][1]
            preset, settings = random_settings(family, chance)
        else:
            family, preset, settings = zoo.families()["hybrid"], None, random_composition(chance)
        try:
            tried(family, preset, settings, counts)
        except Exception as error:
            what = f"{family.key} {preset} {settings}"
            failures.append(f"{i}: {what}: {type(error).__name__}: {error}")
            told(failures[-1])
        if (i + 1) % EACH == 0:
            told(f"{i + 1:,} tried: {listed(counts)}; {len(failures)} failures")
    return counts, failures


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def main() -> int:
    designs, compositions, seed = (*sys.argv[1:], *("10000", "3000", "0")[len(sys.argv) - 1 :])
    start = time.perf_counter()
    counts, failures = run(
        int(designs), int(compositions), seed, lambda line: print(line, flush=True)
    )
    spent = time.perf_counter() - start
    print(f"{listed(counts)}; {len(failures)} failures; {spent:,.0f} s")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
