"""The Code tab: the exported script, with the lines that the last change rewrote."""

from __future__ import annotations

import streamlit as st

from studio.app.links import file_stem, page_link
from studio.app.markup import html, plain
from studio.codegen.diff import changed_lines
from studio.workbench import results
from studio.workbench.page.state import State

LISTING = ".st-key-listing code"
# Every line as high as the unit `lh` of the whole listing says, so that stripes fall on lines.
LINES = f"""{LISTING} {{ display: block; width: max-content; min-width: 100%; }}
{LISTING}, {LISTING} span {{ line-height: 1.3rem !important; vertical-align: top; }}"""
# Of the parts of a line, by what Streamlit's highlighter calls them: its own colours are too faint.
COLOURS = {
    "string": ("#14603a", "#6fd19c"),
    "keyword": ("#1f4e8c", "#8ab8f5"),
    "function": ("#1f4e8c", "#8ab8f5"),
    "class-name": ("#1f4e8c", "#8ab8f5"),
    "number": ("#0f5f56", "#6fcdb4"),
    "boolean": ("#0f5f56", "#6fcdb4"),
    "operator": ("#8f3a06", "#ffa877"),
    "decorator": ("#8f3a06", "#ffa877"),
    "punctuation": ("#565f6e", "#a3abb9"),
    "comment": ("#565f6e", "#a3abb9"),
}
TOKENS = "".join(
    f"{LISTING} .{part} {{ color: light-dark({light}, {dark}) !important; }}"
    for part, (light, dark) in COLOURS.items()
)
MARK = "color-mix(in srgb, #e8590c 20%, transparent)"
STRIPE = f"linear-gradient({MARK}, {MARK})"


def listing(now: State) -> None:
    link = page_link(now)
    text = results.script_of(now.workload, link).text
    before = text
    if now.previous and is_comparable(now):
        before = results.script_of(now.previous, link).text
    changed = changed_lines(before, text)
    words, button = st.columns([3, 2], vertical_alignment="center")
    words.caption(plain(summary_text(changed, len(text.splitlines()))))
    button.download_button(
        "Download script",
        text,
        file_name=f"{file_stem(now.title)}.py",
        mime="text/x-python",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
        width="stretch",
    )
    with st.container(key="listing"):
        html(highlight_style(changed))
        st.code(text, language="python", line_numbers=True, height=520)


def is_comparable(now: State) -> bool:
    return now.previous is not None and now.previous.design.family is now.design.family


def summary_text(changed: tuple[int, ...], length: int) -> str:
    if not changed:
        return f"{length} lines, torch only. Running it verifies its own parameter count and MACs."
    return f"The last change rewrote {len(changed)} of {length} lines: {line_ranges(changed)}."


def line_ranges(numbers: tuple[int, ...], shown: int = 6) -> str:
    """Line numbers as ranges: (1, 2, 3, 7) -> "1-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    text = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    return ", ".join(text[:shown]) + (" …" if len(text) > shown else "")


def highlight_style(changed: tuple[int, ...]) -> str:
    """CSS that highlights lines of the listing; the text can still be copied."""
    stripes = ", ".join(f"{STRIPE} no-repeat 0 {n - 1}lh / 100% 1lh" for n in changed)
    return f"<style>{LINES} {TOKENS} {LISTING} {{ background: {stripes or 'none'}; }}</style>"
