"""Numbers as readers want them."""

from __future__ import annotations

from seqcfg.plan.memory import in_units


def in_words(value: float | None, unit: str) -> str:
    """A quantity with its unit: counts with commas, bytes as MiB, seconds as a duration; none where there is none."""
    if value is None:
        return "none"
    if unit == "bytes":
        return in_units(value)
    if unit == "seconds":
        return duration(value)
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:.3g}"


def duration(seconds: float) -> str:
    """`0.0123` as 12.3 ms, 75 as 1 min 15 s, 7500 as 2 h 05 min."""
    if seconds < 0.995:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes = round(seconds) // 60
    return f"{minutes} min {round(seconds) % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def number(value: float) -> str:
    """A metric's value in four digits, or two places where it is large; a power of ten where it is out of all bounds."""
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4g}"
