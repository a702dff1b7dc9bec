"""A picture in pixels: PNG, from the SVG for a paper."""

from __future__ import annotations

import math
import re
import struct
import zlib

import resvg_py

SCALE = 2.0  # pixels of the file for one of the picture: sharp on paper and on today's screens
MAX_PIXELS = 32_000_000  # drawn in a few seconds, in 128 MB, and opened by every viewer
SIZE = re.compile(r' (?:width|height)="([\d.]+)"')
INCH_M = 0.0254
HEADER = 8 + 25  # bytes of a PNG's signature and of its first chunk, after which others follow


def png(svg: str, scale: float = SCALE) -> bytes:
    """An SVG element whose root has `width` and `height` as PNG, `scale` pixels for one of its own.

    The file says how large it is in print, so that a document sets it as large as the SVG. A very
    large picture is drawn at the scale at which it has `MOST_PIXELS`.
    """
    wide, high = map(float, SIZE.findall(svg, 0, 500)[:2])
    k = min(scale, math.sqrt(MAX_PIXELS / (wide * high)))
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg, width=round(wide * k), skip_system_fonts=True, background="white"
    )
    per_metre = round(96 * k / INCH_M)
    size = _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1))
    return drawn[:HEADER] + size + drawn[HEADER:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file: its length, kind, content and checksum (PNG specification, 5.3)."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
