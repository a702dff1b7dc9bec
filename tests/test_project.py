"""The rules of the project, kept by its own tools."""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
from fnmatch import fnmatch
from pathlib import Path, PurePath

import pytest

import studio

PROJECT = Path(__file__).parents[1]
STUDIO = PROJECT / "studio"
SOURCES = sorted([*STUDIO.rglob("*.py"), *(PROJECT / "tests").rglob("*.py")])
TOP = {
    *("README.md", "LICENSE", "pyproject.toml", "studio", "tests", "assets"),
    *(".gitignore", ".editorconfig", ".pre-commit-config.yaml", ".streamlit", ".ci", ".github"),
}
MODULES = {
    path.relative_to(STUDIO).with_suffix("").as_posix()
    for path in STUDIO.rglob("*.py")
    if not path.name.startswith("__")
}
# Imports every module, and lists those that are not what the attribute of their name is.
BY_ATTRIBUTE = """
import importlib, operator, pkgutil, sys
import studio
found = [m.name for m in pkgutil.walk_packages(studio.__path__, "studio.")]
found.remove("studio.__main__")
for name in found:
    importlib.import_module(name)
attribute = {name: operator.attrgetter(name.partition(".")[2])(studio) for name in found}
print(*(name for name in found if attribute[name] is not sys.modules[name]))
"""
CHECKS = {
    "lint": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy", "--strict", "studio"),
    "layers": ("lint-imports",),
}
# The tests of modules that have none of their own name.
TESTED_IN = {
    "app/preview/test_value_table.py": (
        "analysis/cost/summary",
        "app/preview/assets",
        "app/preview/cards",
    ),
    "app/header/test_headline.py": ("workbench/page/figures",),
    "advice/sizing/test_proportional.py": ("advice/sizing/proportions",),
    "advice/test_recommend.py": (
        "advice/infeasible",
        "advice/modality",
        "advice/ranking",
        "advice/sizing/strategy",
    ),
    "advice/test_scenarios.py": (
        "advice/budget",
        "advice/requirements",
    ),
    "advice/test_choice_text.py": (
        "advice/evidence",
        "advice/task_inputs",
    ),
    "analysis/cost/test_peak_memory.py": (
        "analysis/cost/training_step",
        "analysis/trace/allocations",
        "analysis/trace/backward_pass",
        "analysis/trace/training_trace",
    ),
    "analysis/graph/test_cost_heatmap.py": ("analysis/cost/saves_per_call",),
    "analysis/graph/test_layer_graph.py": (
        "analysis/graph/node_text",
        "drawing/graph",
    ),
    "analysis/inspect/test_formulas.py": (
        "analysis/inspect/formulas/formula",
        "analysis/inspect/formulas/layer_cost",
        "analysis/inspect/formulas/node_cost",
        "analysis/inspect/node_details",
    ),
    "analysis/inspect/test_receptive_field.py": ("analysis/trace/kernel_window",),
    "analysis/trace/test_rules.py": (
        "analysis/trace/rules/kernels",
        "analysis/trace/rules/pointwise",
        "analysis/trace/rules/recurrent",
        "analysis/trace/rules/result",
    ),
    "analysis/trace/test_tracer.py": (
        "analysis/torch_private",
        "analysis/trace/counter_mode",
        "analysis/trace/memo",
        "analysis/trace/module_index",
        "analysis/trace/pytree",
        "analysis/trace/tree",
    ),
    "app/browser/test_downloads.py": (
        "app/diagram/downloads",
        "app/diagram/graph_table",
    ),
    "app/browser/test_page.py": (
        "app/controls/page_keys",
        "app/main",
    ),
    "app/controls/test_history.py": ("workbench/page/history",),
    "app/diagram/test_colouring.py": (
        "app/diagram/layer_diff",
        "workbench/page/colour_mode",
    ),
    "app/header/test_latency_card.py": ("workbench/jobs/auto_benchmark",),
    "app/views/test_architect.py": (
        "advice/published",
        "app/charts/pareto",
        "app/charts/tradeoff",
        "workbench/jobs/architect_jobs",
        "workbench/jobs/recommendations",
        "workbench/page/requirements_form",
    ),
    "app/views/test_compare.py": (
        "app/charts/compare_table",
        "reporting/latency_text",
    ),
    "app/knob_panel/test_contents.py": (
        "app/compose/stage_knobs",
        "app/knob_panel/rows",
        "workbench/page/turn",
    ),
    "app/views/test_compose.py": (
        "app/compose/editor",
        "app/compose/stage_picker",
    ),
    "app/tabs/test_layers.py": (
        "analysis/cost/layer_table",
        "app/diagram/layer_timing",
        "workbench/jobs/layer_times",
    ),
    "app/tabs/test_memory.py": (
        "workbench/jobs/memory_plan",
        "workbench/page/memory_options",
    ),
    "app/tabs/test_scaling.py": (
        "app/charts/axis_labels",
        "app/charts/predicted_curves",
        "app/charts/scaling_chart",
        "app/charts/scaling_text",
        "workbench/jobs/benchmarkable",
        "workbench/jobs/measurements",
    ),
    "app/test_devices.py": (
        "bench/idle_latency",
        "workbench/devices",
        "workbench/jobs/predicted_latency",
    ),
    "app/test_link.py": (
        "app/links",
        "app/session",
        "workbench/link",
        "workbench/page/link_parts",
    ),
    "app/test_page.py": (
        "app/controls/navigation",
        "app/controls/sidebar",
        "app/views/explore",
        "app/views/page_frame",
        "workbench/page/state",
        "workbench/results",
        "workbench/workload",
    ),
    "app/test_rendered.py": (
        "app/tabs/code",
        "app/tabs/lesson",
    ),
    "bench/test_results.py": ("bench/conditions",),
    "bench/test_sweep.py": ("bench/timing/reference_model",),
    "bench/timing/test_timing_loop.py": ("bench/timing/float16_guard",),
    "cli/test_commands.py": (
        "cli/inputs",
        "cli/output",
        "cli/tables",
    ),
    "cli/parameters/test_options.py": (
        "advice/questions",
        "cli/parameters/param_types",
        "cli/recommendation",
        "cli/parameters/sweep_axes",
    ),
    "codegen/test_slice.py": ("codegen/members",),
    "drawing/layout/test_layered.py": (
        "drawing/layout/block_layout",
        "drawing/layout/box_text",
        "drawing/layout/geometry",
        "drawing/layout/u_shape",
    ),
    "drawing/layout/test_ranking.py": ("drawing/layout/block_graph",),
    "drawing/render/test_print_svg.py": (
        "drawing/render/glyphs",
        "drawing/render/png",
        "drawing/text_metrics",
    ),
    "drawing/render/test_svg.py": (
        "drawing/figure",
        "drawing/render/dot",
    ),
    "drawing/test_levels.py": ("drawing/visible",),
    "process/test_dask_backend.py": ("process/backend", "process/platform"),
    "process/test_fair_queue.py": ("bench/shared_jobs",),
    "process/test_worker.py": (
        "process/device",
        "process/errors",
        "process/release",
        "process/worker_main",
    ),
    "reporting/test_sections.py": (
        "drawing/render/chart",
        "reporting/cost",
        "reporting/document",
        "reporting/expectations",
        "reporting/html",
        "reporting/markdown",
        "reporting/structure",
    ),
    "test_face.py": (
        "measurable",
        "bench/timing/time_bound",
        "drawing/render/formats",
        "exports",
    ),
    "test_family.py": ("alternatives/nearest",),
    "test_records.py": ("serialization/notation",),
    "workbench/test_fixes.py": (
        "workbench/compose/composition",
        "workbench/compose/fixes",
    ),
    "workbench/test_priority.py": ("workbench/page_runs",),
    "workbench/test_workbench.py": (
        "workbench/jobs/running_sweep",
        "workbench/pending",
    ),
    "zoo/test_contract.py": (
        "blocks/*",
        "guide",
        "tasks",
        "zoo/*",
    ),
    "zoo/test_hybrid.py": (
        "alternatives/ratios",
        "stages/*",
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_tools_agree(check: str) -> None:
    tool, *arguments = CHECKS[check]
    done = subprocess.run(
        [str(Path(sysconfig.get_path("scripts")) / tool), *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_else_lies_at_the_top() -> None:
    done = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    assert {line.partition("/")[0] for line in done.stdout.splitlines()} <= TOP


def test_no_file_is_longer_than_a_reader_likes() -> None:
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_files_are_named_after_what_they_hold() -> None:
    vague = {"utils", "helpers", "base", "common", "misc"}
    names = {path: path.relative_to(PROJECT).with_suffix("").parts for path in SOURCES}
    assert [path for path, parts in names.items() if vague & {*parts}] == []


def test_every_module_is_an_attribute_of_its_room() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BY_ATTRIBUTE],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


def test_no_module_has_the_name_of_a_public_function() -> None:
    names = {part for module in MODULES for part in module.split("/")}
    assert names & {*studio.__all__} == set()


def test_every_module_has_a_test_of_its_name_or_a_stated_one() -> None:
    stated = [pattern for modules in TESTED_IN.values() for pattern in modules]
    mirrored = {module for module in MODULES if (PROJECT / "tests" / _test_of(module)).exists()}
    tested = mirrored | {m for m in MODULES if any(fnmatch(m, pattern) for pattern in stated)}
    assert MODULES - tested == set()


def test_the_tests_of_modules_without_one_of_their_name_are_stated_as_they_are() -> None:
    assert [path for path in TESTED_IN if not (PROJECT / "tests" / path).exists()] == []
    for modules in TESTED_IN.values():
        for pattern in modules:
            found = [module for module in MODULES if fnmatch(module, pattern)]
            assert found, f"there is no {pattern}"
            assert "*" in pattern or not (PROJECT / "tests" / _test_of(pattern)).exists(), pattern


def _test_of(module: str) -> str:
    path = PurePath(module)
    return str(path.with_name(f"test_{path.name}.py"))


def test_only_the_app_knows_streamlit() -> None:
    outside = (path for path in STUDIO.rglob("*.py") if STUDIO / "app" not in path.parents)
    assert [path for path in outside if "streamlit" in imported(path)] == []
    assert "streamlit" in imported(STUDIO / "app" / "main.py")


def imported(path: Path) -> set[str]:
    """The packages that a file imports."""
    tree = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = (name.name for node in tree if isinstance(node, ast.Import) for name in node.names)
    members = (node.module or "" for node in tree if isinstance(node, ast.ImportFrom))
    return {name.partition(".")[0] for name in (*plain, *members)}
