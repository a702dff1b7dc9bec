"""PNG, rendered from the print SVG."""

from __future__ import annotations

import math
import re
import struct
import zlib

import resvg_py

SCALE = 2.0  # pixels per CSS pixel: sharp in print and on high-density screens
MAX_PIXELS = 32_000_000  # takes a few seconds and 128 MB
SIZE = re.compile(r' (?:width|height)="([\d.]+)"')
INCH_M = 0.0254
HEADER = 8 + 25  # bytes of the PNG signature and the IHDR chunk


def png(svg: str, scale: float = SCALE) -> bytes:
    """Render an SVG text, whose root has `width` and `height`, at `scale` pixels per CSS pixel.

    The file states its resolution, so that documents show it at the size of the SVG. The scale is
    reduced for pictures of more than MAX_PIXELS.
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
    """A PNG chunk: length, type, data and CRC (PNG specification, section 5.3)."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
