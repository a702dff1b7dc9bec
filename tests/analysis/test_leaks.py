"""Whatever looks at a model lets go of it: else a server grows with every design."""

from __future__ import annotations

import gc
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper

import pytest
from torch import nn

import studio
from studio.analysis.cost import peak_memory
from studio.analysis.cost.profiler import clear_caches, profile, training_trace
from studio.family import Design
from studio.workbench import results
from tests.designs import small

LOOKS: dict[str, Callable[[Design], object]] = {
    "profile": profile,
    "training trace": lambda design: training_trace(design, 1),
    "inference simulated": lambda design: peak_memory.peak_memory(design, 1, "inference"),
    "training simulated": lambda design: peak_memory.peak_memory(design, 2, "training"),
    "torchinfo": lambda design: results.torchinfo_summary(design, 1),
}


def alive() -> int:
    clear_caches()
    gc.collect()
    return sum(issubclass(type(one), nn.Module) for one in gc.get_objects())


@pytest.mark.parametrize("look", LOOKS)
def test_no_model_outlives_what_was_asked_of_it(look: str) -> None:
    families = studio.families()
    LOOKS[look](small(families["vit"]))  # what torch itself keeps, once
    before = alive()
    for key in ("resnet", "gpt", "recurrent", "unet"):
        LOOKS[look](small(families[key]))
    assert alive() == before


# Of these there is one for each class, module, device or part of the studio itself.
FEW = {
    *("studio.knobs.knobs", "studio.zoo.families", "studio.app.views.compare.presets"),
    *("studio.codegen.source.load", "studio.codegen.source.read", "studio.codegen.slice._modules"),
    *(
        "studio.drawing.viewer.viewer_file",
        "studio.drawing.render.glyphs._font",
        "studio.drawing.render.glyphs._pen",
    ),
    *("studio.process.worker._worker", "studio.bench.store.store"),
    "studio.analysis.trace.building.meta_model._install_reset_hook",
    *("studio.analysis.trace.building.meta_model._install_copies", "studio.zoo.keys"),  # families
    *("studio.app.diagram.component._component", "studio.app.controls.page_keys._component"),
    "studio.app.knob_panel.panel._component",
    "studio.app.preview.cards._component",
    "studio.app.preview.value_table._component",
    *("studio.app.streamlit_fixes.apply", "studio.app.express.apply"),
    "studio.process.dask_backend._cluster_device",
}


def caches() -> Iterator[tuple[str, int | None]]:
    for info in pkgutil.walk_packages(studio.__path__, "studio."):
        if info.name.endswith("__main__"):
            continue
        for name, one in vars(importlib.import_module(info.name)).items():
            if isinstance(one, _lru_cache_wrapper) and one.__module__ == info.name:
                yield f"{info.name}.{name}", one.cache_parameters()["maxsize"]


def test_every_cache_of_the_server_has_a_bound() -> None:
    found = dict(caches())
    assert len(found) > 30
    assert {name for name, most in found.items() if most is None} <= FEW
    assert max(most for most in found.values() if most) <= 4096
