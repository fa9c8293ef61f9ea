"""Numbers in what people and models write: 1,234.5, $3, 40 %, 1/2, \\frac{1}{2}, 2.5 x 10^3, 9.8 m/s^2."""

from __future__ import annotations

import math
import re

_LONGEST = 4000  # characters that are looked at, from the end
_TENS = re.compile(r"\s*(?:×|\\times|\\cdot|\*|·|x)\s*10\s*\^\s*\{?\s*([-+−]?\d{1,4})\s*\}?")
_POWER = re.compile(r"\^\s*\{?\s*[-+−]?\d+\s*\}?|[⁰¹²³⁴-⁹⁻]+")  # of a unit: m/s^2
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(-?[\d.]+)\s*\}\s*\{\s*([\d.]+)\s*\}")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.|\.(?=\d))?\d*(?<=[\d.])(?:[eE][-+]?\d{1,4})?"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<sign>[-+]?)\s?[$€£]?(?=\.?\d)(?P<digits>{_DIGITS})(?:\s?/\s?(?P<below>\d+)(?![\w.]))?"
)


def last_number(text: str) -> float | None:
    """The last number of a text, whatever unit stands behind it; None if there is none."""
    values = [_value(m) for m in _NUMBER.finditer(_plain(text[-_LONGEST:]))]
    return next((v for v in reversed(values) if v is not None), None)


def only_number(text: str) -> float | None:
    """The number that is all of a text (with a currency or %); None if there is more, or none."""
    match = _NUMBER.fullmatch(_plain(text[:_LONGEST]).strip().rstrip("%$. ").strip())
    return _value(match) if match else None


def _plain(text: str) -> str:
    text = (
        " ".join(text.split())
        .replace("−", "-")
        .replace("\\$", "$")
        .replace("\\%", "%")
        .replace("\\,", "")
        .replace("{,}", ",")
    )
    text = _FRACTION.sub(r" \1/\2 ", text)
    return _POWER.sub("", _TENS.sub(r"e\1", text))


def _value(match: re.Match[str]) -> float | None:
    digits = match["digits"].replace(",", "")
    try:
        value = float(digits) / float(match["below"] or 1)
    except (ValueError, ZeroDivisionError):
        return None
    value = -value if match["sign"] == "-" else value
    return value if math.isfinite(value) else None


def are_equal(given: float, right: float, tolerance: float) -> bool:
    """Off by at most ``tolerance`` of the right one (and by what a computer's numbers are off)."""
    return abs(given - right) <= max(tolerance * abs(right), 1e-9 * abs(right), 1e-12)
