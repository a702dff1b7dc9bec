"""Text widths without a browser.

Uses the advance widths of DejaVu Sans, the widest of the common sans-serif fonts: a text that fits
here fits in the others.
"""

from __future__ import annotations

from functools import lru_cache

WIDTHS = {
    0.30: "'ijlIJ",
    0.35: ",. ·/:;\\|f-",
    0.41: "t()[]!²rᵀ",
    0.52: '"*_`sz?c',
    0.60: "LkFvxyPaoTYe",
    0.64: "bdghnpquESσ0123456789${}√",
    0.70: "KAVBRXZC",
    0.76: "UHNDG&OQ",
    0.84: "w#+<=>^~×",
    1.00: "mM%W@…∈",
}
WIDTH = {char: width for width, chars in WIDTHS.items() for char in chars}
OTHER_WIDTH = 0.8


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """An upper estimate of the width of `text` in pixels at font size `size` (pixels)."""
    return size * sum(WIDTH.get(char, OTHER_WIDTH if char < "\u2e80" else 1.0) for char in text)


@lru_cache(maxsize=4096)
def truncate(text: str, size: float, limit: float) -> str:
    """Cut `text` and add an ellipsis if it is wider than `limit` pixels."""
    if text_width(text, size) <= limit:
        return text
    keep = len(text)
    while keep and text_width(text[:keep] + "…", size) > limit:
        keep -= 1
    return text[:keep].rstrip() + "…"
