"""The zoo: one family of architectures a file. A new file is a new family, without a registry."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from studio.family import Design, DesignError, Family
from studio.quoting import quoted


@cache
def families() -> Mapping[str, Family]:
    """Every family of the zoo by its key, sorted. A file without FAMILY raises AttributeError."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return MappingProxyType(
        {name: importlib.import_module(f"{__name__}.{name}").FAMILY for name in names}
    )


def family(key: str) -> Family:
    """The family of that key. Raises DesignError that lists the families there are."""
    known = tuple(families())
    if key not in known:
        raise DesignError(
            f"there is no family {quoted(key)}; the families are {', '.join(known)}",
            knob="family",
            value=key,
            nearest=known,
        )
    return families()[key]


def as_stages(design: Design) -> Design:
    """The same network as a hybrid, stage by stage: with its weights it gives what it gives.

    What works in training alone is left out (dropout, drop path), and weights begin as the hybrid's
    do. Raises DesignError where the family is not made of stages, or a stage lacks a setting.
    """
    if design.family.stages is None:
        known = tuple(key for key, family in families().items() if family.stages)
        raise DesignError(
            f"{design.family.key} cannot be opened as stages; {', '.join(known)} can",
            knob="family",
            value=design.family.key,
            nearest=known,
        )
    return family("hybrid").design(**design.family.stages(design.config))


def design_from_query(query: Mapping[str, str]) -> Design:
    """The design that a link's parameters name. Raises DesignError."""
    settings = dict(query)
    chosen = family(settings.pop("family", next(iter(families()))))
    return chosen.design(settings.pop("preset", None), **settings)


def design_from_json(text: str) -> Design:
    """The design written by `Design.to_json`. Raises DesignError for any other text."""
    try:
        data: Any = json.loads(text)
        key, preset = str(data["family"]), data.get("preset")
        settings = dict(data["config"].items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DesignError(
            'this is not a design: the studio reads {"family": ..., "config": {...}}'
        ) from None
    start = family(key).design(str(preset) if preset else None)
    return start.replace(**settings)
