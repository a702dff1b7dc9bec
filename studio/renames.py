"""Knobs that were renamed: how older design files and older links are read.

`RENAMED` maps, for a family (by key) or a kind of stage (by class name), the old names of knobs to
the new ones. A design file states the `VERSION` of its names; without one it is version 1. A link
has no version: a name that no knob has any more is read as the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from studio.knobs import DesignError, Knob
from studio.records import RecordKnob, knobs_of
from studio.serialization.notation import KIND, parse_records

VERSION = 2  # of the names in a design file

_ATTENTION = {"heads": "num_heads", "expansion": "mlp_ratio"}
_MLP = {"expansion": "mlp_ratio"}
_EXPANDED = {"expansion": "expand_ratio"}
_TOKENS = {"width": "embed_dim"}
RENAMED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("Transformer", "RelativeTransformer", "WindowTransformer"), _ATTENTION),
        **dict.fromkeys(("CrossAttention", "AttentionPoolHead"), _ATTENTION),
        **dict.fromkeys(("MLPMixer", "ConvNeXtBlocks"), _MLP),
        **dict.fromkeys(("MBConv", "PreNormMBConv"), _EXPANDED),
        **dict.fromkeys(("TokenStem", "Project"), _TOKENS),
        "Recurrent": {"width": "hidden_size"},
        "HiddenLayerHead": {"hidden_size": "hidden_dim"},
        "Upsample": {"scale": "scale_factor"},
        "yolo": {"depth": "depth_mult", "width": "width_mult"},
        "inception": {"branch_kernel": "branch_kernel_size", "pool_kernel": "pool_kernel_size"},
        "vgg": {"third_kernel": "third_kernel_size"},
    }
)


def updated_settings(family: str, config: Any, settings: Mapping[str, object]) -> dict[str, object]:
    """The settings with the present names of the knobs of the family and of its records. Names that
    are not old ones are unchanged."""
    known = knobs_of(config)
    values = {
        path: updated_records(value)
        if isinstance(known.get(path.partition(".")[0]), RecordKnob)
        else value
        for path, value in settings.items()
    }
    kinds = {family: family, **_kinds_by_place(known, {**vars(config), **values})}
    found: dict[str, object] = {}
    for path, value in values.items():
        place, dot, name = path.rpartition(".")
        names = RENAMED.get(kinds.get(place or family, ""), {})
        new = f"{place}{dot}{names.get(name, name)}"
        found[path if new in settings else new] = value
    return found


def updated_path(family: str, config: Any, path: str) -> str:
    """The present path of a knob of a config."""
    return next(iter(updated_settings(family, config, {path: ""})))


def updated_records(value: object) -> object:
    """A record or records, as JSON or as text, with the present names of their knobs."""
    if isinstance(value, str):
        return _updated_text(value)
    if isinstance(value, list):
        return [updated_records(one) for one in value]
    return _updated_record(value) if isinstance(value, Mapping) else value


def _updated_text(text: str) -> str:
    try:
        written = parse_records(text, str)
    except DesignError:  # reported when the text is read
        return text
    new = [_updated_record(record) for record in written]
    return text if new == written else " ".join(map(_text, new))


def _text(record: Mapping[str, object]) -> str:
    inside = ", ".join(f"{name}={value}" for name, value in record.items() if name != KIND)
    return f"{record[KIND]}({inside})"


def _updated_record(record: Mapping[str, Any]) -> dict[str, Any]:
    names = RENAMED.get(str(record.get(KIND)), {})
    return {
        new if (new := names.get(name, name)) not in record else name: value
        for name, value in record.items()
    }


def _kinds_by_place(known: Mapping[str, Knob], settings: Mapping[str, object]) -> dict[str, str]:
    """The kind of each record, by its path: `head`, `stages.2`. An entry that is set as a whole
    goes before the list that it is in."""
    found: dict[str, str] = {}
    for path in sorted(settings, key=lambda path: path.count(".")):
        knob = known.get(path.partition(".")[0])
        if isinstance(knob, RecordKnob):
            several = path == knob.name and isinstance(knob.default, tuple)
            kinds = enumerate(_kinds(settings[path]))
            found |= {f"{path}.{i}" if several else path: kind for i, kind in kinds}
    return found


def _kinds(value: object) -> list[str]:
    """The kinds of a record or of several, as a config, JSON or a text has them."""
    if isinstance(value, str):
        try:
            return [record[KIND] for record in parse_records(value, str)]
        except DesignError:
            return []
    several: Iterable[object] = value if isinstance(value, (list, tuple)) else (value,)
    return [
        str(one[KIND]) if isinstance(one, Mapping) and KIND in one else type(one).__name__
        for one in several
    ]
