"""The zoo: one family of architectures per file. A new file is a new family, without a registry."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from types import MappingProxyType

from studio.family import Design, DesignError, Family
from studio.quoting import echoed, quoted
from studio.records import RecordKnob
from studio.refusals import read_settings
from studio.renames import VERSION, updated_settings
from studio.serialization.strict_json import parse
from studio.spelling import closest, closest_first, offered

DESIGN = 'a design file holds {"family": ..., "config": {...}}'
KEYS = ("family", "preset", "config", "version", "studio")  # of a design file
FOREIGN = {"model_type", "architectures", "transformers_version", "_class_name"}
TIMM = {"architecture", "pretrained_cfg"}  # keys of a config.json that timm writes
ALIKE = {  # the model types of transformers and the classes of diffusers that go by another name
    **dict.fromkeys(("gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "gpt_bigcode"), "gpt"),
    **dict.fromkeys(("mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3", "smollm3"), "llama"),
    **dict.fromkeys(("roberta", "distilbert", "electra", "xlm-roberta", "camembert"), "bert"),
    **dict.fromkeys(("mt5", "longt5", "umt5"), "t5"),
    **dict.fromkeys(("bart", "mbart", "marian", "m2m_100", "pegasus"), "transformer"),
    **dict.fromkeys(("deit", "beit", "vit_mae"), "vit"),
    **dict.fromkeys(("convnextv2",), "convnext"),
    **dict.fromkeys(("mobilenet_v1", "mobilenet_v2"), "mobilenet"),
    **dict.fromkeys(("conditional_detr", "table-transformer", "deformable_detr"), "detr"),
    **dict.fromkeys(("unet2dmodel", "unet2dconditionmodel"), "diffusion"),
    "dittransformer2dmodel": "dit",
    "autoencoderkl": "vae",
    "yolos": "detr",
}


@cache
def families() -> Mapping[str, Family]:
    """Every family of the zoo by its key, sorted. A file without FAMILY raises AttributeError."""
    return MappingProxyType({key: _imported(key) for key in keys()})


@cache
def keys() -> tuple[str, ...]:
    """The keys of all families, sorted: the names of their files."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def _imported(key: str) -> Family:
    family: Family = importlib.import_module(f"{__name__}.{key}").FAMILY
    return family


def family(key: str) -> Family:
    """The family with this key. Raises DesignError, which names the closest keys."""
    if key not in keys():
        raise DesignError(
            f"there is no family {quoted(key)}; {offered(key, keys(), 'families')}",
            knob="family",
            value=key,
            nearest=closest_first(key, keys()),
        )
    return _imported(key)  # alone: importing all takes a fifth of a second


def as_stages(design: Design) -> Design:
    """The same network as a composition of stages. With the same weights it has the same outputs.

    Dropout and drop path, which act only in training, are left out, and the weights are initialised
    as those of a composition. Raises DesignError if the family is not made of stages, or if a stage
    lacks a setting.
    """
    if design.family.stages is None:
        known = tuple(key for key, family in families().items() if family.stages)
        raise DesignError(
            f"{design.family.key} cannot be opened as stages; {', '.join(known)} can",
            knob="family",
            value=design.family.key,
            nearest=known,
        )
    composed = next(family for family in families().values() if family.is_composed)
    return composed.design(**design.family.stages(design.config))


def design_from_query(query: Mapping[str, str]) -> Design:
    """The design that a link's parameters name. Raises DesignError."""
    settings = dict(query)
    chosen = family(settings.pop("family", keys()[0]))
    start = chosen.design(settings.pop("preset", None))
    return start.replace(**updated_settings(chosen.key, start.config, settings))


@dataclass(frozen=True)
class AdaptedDesign:
    """A design, and a note on the stages that were inserted to make it valid; empty if none were.
    `inserted` are their places."""

    design: Design
    note: str = ""
    inserted: tuple[str, ...] = ()


def design_from_json(text: str | bytes) -> Design:
    """The design written by `Design.to_json`. Raises DesignError for any other text."""
    return read_design(text).design


def read_design(text: str | bytes) -> AdaptedDesign:
    """Like `design_from_json`, with a note on what was inserted into an invalid composition."""
    data = parse(text)
    if not isinstance(data, dict):
        raise DesignError(f"{DESIGN}, not {_kind(data)}")
    if foreign := _foreign(data):
        raise DesignError(foreign)
    if unknown := next((key for key in data if key not in KEYS), ""):
        near = closest(unknown, KEYS, 1) or KEYS
        question = (
            f"did you mean {near[0]}?" if len(near) == 1 else f"its keys are {', '.join(KEYS)}"
        )
        raise DesignError(f"a design file has no key {quoted(unknown)}; {question}")
    if missing := [key for key in ("family", "config") if key not in data]:
        raise DesignError(f"{DESIGN}; {' and '.join(missing)} missing")
    if not isinstance(data["config"], dict):
        raise DesignError(f"{DESIGN}; config is {_kind(data['config'])}")
    preset, settings = data.get("preset"), data["config"]
    start = family(str(data["family"])).design(str(preset) if preset else None)
    if _version(data) < VERSION:
        settings = updated_settings(start.family.key, start.config, settings)
    return with_settings(start, settings)


def _version(data: Mapping[str, object]) -> int:
    """The version of the knob names in a design file; 1 if it states none."""
    version = data.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        raise DesignError(
            f"this design file has version {echoed(version)}; the versions that can be read are 1"
            f" to {VERSION}"
        )
    return version


def with_settings(start: Design, settings: Mapping[str, object]) -> AdaptedDesign:
    """A design with some knobs set, and what was inserted to make it fit. Raises DesignError."""
    design = start.replace(**settings)
    new = {name: dict(found) for name, found in _insertions(start, settings, design) if found}
    notes = (
        f"{name} did not fit as given; inserted"
        f" {', '.join(f'{record} as {place}' for place, record in records.items())}"
        for name, records in new.items()
    )
    return AdaptedDesign(design, "; ".join(notes), tuple(chain.from_iterable(new.values())))


def _insertions(
    start: Design, settings: Mapping[str, object], made: Design
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The inserted records of each list of records, as pairs of place and text."""
    given_values = read_settings(made.family, start.config, settings)
    for name, knob in made.family.knobs.items():
        if not (isinstance(knob, RecordKnob) and isinstance(knob.default, tuple)):
            continue
        given = given_values.get(name, getattr(start.config, name))
        kinds, records = list(map(type, given)), getattr(made.config, name)
        new = []
        for i, record in enumerate(records):
            if kinds[:1] == [type(record)]:
                kinds.pop(0)
            else:
                new.append((f"{name}.{i}", knob.text((record,))))
        yield name, new


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a string", type(None): "null"}.get(
        type(value), "a number" if not isinstance(value, bool) else "true or false"
    )


def _foreign(data: Mapping[str, object]) -> str:
    """The error message for a configuration of another library; empty if it is not one."""
    if "family" in data or not (FOREIGN | TIMM) & data.keys():
        return ""
    library = "a Hugging Face" if FOREIGN & data.keys() else "a timm"
    named = (data.get(key) for key in ("model_type", "_class_name", "architecture"))
    model = next((name for name in named if isinstance(name, str)), "")
    alike = [ALIKE.get(name, name) for name in (model.lower(), model.lower().partition("_")[0])]
    begun = sorted((key for key in keys() if model.lower().startswith(key)), key=len)
    known = next((key for key in (*alike, *begun[::-1]) if key in keys()), None)
    of = f" of {quoted(model)}" if model else ""
    nearest = f"the family {known}" if known else "the family that is nearest to it"
    return (
        f"this is {library} config.json{of}, not a design file; start from {nearest} and set"
        " its knobs"
    )
