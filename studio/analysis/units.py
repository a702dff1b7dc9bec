"""Numbers for people: three significant digits and a unit."""

from __future__ import annotations

COUNTS = ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k"), (1.0, " "))
PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
MACS = tuple((scale, f" {prefix}MACs") for scale, prefix in PREFIXES)
BYTES = tuple((scale, f" {prefix}B") for scale, prefix in PREFIXES)
SECONDS = ((1.0, " s"), (1e-3, " ms"), (1e-6, " µs"))


def count(number: float) -> str:
    """Parameters, with B for billions as is usual in the field: 174604259328 -> "175 B"."""
    return _scaled(number, COUNTS).rstrip()


def round_count(number: float) -> str:
    """A round count: 1000000 -> "1 M"."""
    figure, _, unit = count(number).partition(" ")
    return f"{float(figure):g} {unit}".rstrip()


def macs(number: float) -> str:
    """Multiply-accumulates: 17563828224 -> "17.6 GMACs"."""
    return _scaled(number, MACS)


def size(number: float) -> str:
    """Bytes, in powers of ten: 346270624 -> "346 MB"."""
    return _scaled(number, BYTES)


def seconds(number: float) -> str:
    """0.00812 -> "8.12 ms"."""
    return _scaled(number, SECONDS)


def shape(dimensions: tuple[int, ...]) -> str:
    """(1, 197, 768) -> "1 × 197 × 768"."""
    return " × ".join(map(str, dimensions))


def _scaled(number: float, units: tuple[tuple[float, str], ...]) -> str:
    scale, unit = next(((s, u) for s, u in units if abs(number) >= 0.9995 * s), units[-1])
    value = number / scale
    exact = scale == 1.0 and value == int(value)
    digits = 0 if exact or abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{digits}f}{unit}"
