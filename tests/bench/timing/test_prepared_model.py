from __future__ import annotations

import ast

import pytest

import studio
from studio import measurable
from studio.bench.conditions import Conditions, Subject
from studio.bench.store import Platform, store_key
from studio.bench.sweep import measure
from studio.codegen.script import script
from studio.process.worker import Worker

FAMILIES = studio.families()
TWO_INPUTS = "CNN-text cross-attention"


@pytest.mark.parametrize("key", FAMILIES)
def test_what_is_measured_of_every_preset_names_what_its_text_defines(key: str):
    family = FAMILIES[key]
    for preset in family.presets:
        code = script(family.design(preset.name), params=0, macs=0, output_shapes=())
        subject = measurable.subject_of_script(code)
        defined = {
            node.name
            for node in ast.parse(subject.source).body
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
        }
        assert {subject.config, subject.model, subject.example} <= defined, preset.name


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_model_of_two_inputs_is_measured(lab: Worker, mode):
    conditions = Conditions(mode=mode)
    subject = measurable.subject(FAMILIES["hybrid"].design(TWO_INPUTS), conditions)
    assert measure(subject, conditions, budget_s=0.05, executor=lab).median_s > 0


def test_figures_from_before_the_example_had_a_name_are_still_found():
    place = Platform("Some CPU", "2.13")
    before = "e98ef48f19b52d31964e87653de91d5b25fe005816776f5ad53a59d9f952c183"
    assert store_key(Subject("text", "Config", "Model"), Conditions(), place) == before
    assert store_key(Subject("text", "Config", "Model", "other"), Conditions(), place) != before
