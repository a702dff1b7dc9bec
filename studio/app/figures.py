"""What the views read, computed once for each design and batch.

Everything here is a pure function of immutable values, so all sessions share the results, and
nothing is copied (`st.cache_data` would pickle a whole layer tree at every run).
"""

from __future__ import annotations

from functools import lru_cache

import torchinfo

from studio.analysis import graph as drawn
from studio.analysis.blueprint import blueprint, sample
from studio.analysis.body import Body
from studio.analysis.profile import Profile, profile, training_trace
from studio.app.state import Case
from studio.drawing.graph import Graph
from studio.export.script import Script
from studio.forms import standalone


@lru_cache(maxsize=1024)
def profiled(case: Case) -> Profile:
    """The profile, its training trace included."""
    found = profile(case.design, case.batch)
    training_trace(case.design, case.batch)
    return found


@lru_cache(maxsize=128)
def graph(case: Case) -> Graph:
    return drawn.graph(profiled(case).root)


def trained(case: Case) -> Body:
    """The tree of layers in training mode, which knows what each saves for the backward pass."""
    profiled(case)
    return training_trace(case.design, case.batch)


@lru_cache(maxsize=128)
def summary(case: Case) -> str:
    """What torchinfo says of the same model, on meta as well."""
    inputs = sample(case.design, case.batch)
    statistics = torchinfo.summary(
        blueprint(case.design),
        input_data=inputs,
        device="meta",
        verbose=0,
        depth=4,
        col_names=("output_size", "num_params", "mult_adds"),
    )
    return str(statistics)


@lru_cache(maxsize=256)
def exported(case: Case, link: str = "") -> Script:
    """The standalone script; its promises are for batch 1."""
    return standalone(case.design, link)
