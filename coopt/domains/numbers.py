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

_DECIMAL_COMMA = re.compile(
    r"(?<![\w.,(\[{])(?P<whole>0(?=,\d)|\d{1,3}(?:\.\d{3})+|\d+(?=,(?!\d{3}(?!\d)))),(?P<part>\d+)(?![\d.,)\]}])"
)
_MIXED = re.compile(
    r"(?<![\w.,/])(?P<whole>\d{1,6})\s*(?:\\[dt]?frac\s*\{\s*(?P<above>\d{1,6})\s*\}\s*\{\s*(?P<below>[1-9]\d{0,5})\s*\})"
)
_LIST = re.compile(r"[(\[{][^()\[\]{}]*\d\s*,\s*[-+−]?\d[^()\[\]{}]*[)\]}]|\d,\d{1,2}(?!\d)|\d,\d{4,}")


def last_number(text: str) -> float | None:
    """The last number of a text, whatever unit stands behind it; None if there is none."""
    values = [_value(m) for m in _NUMBER.finditer(_plain(text[-_LONGEST:]))]
    return next((v for v in reversed(values) if v is not None), None)


def only_number(text: str) -> float | None:
    """The number that is all of a text (with a currency or %); None if there is more, or none."""
    match = _NUMBER.fullmatch(_plain(text[:_LONGEST]).strip().rstrip("%$. ").strip())
    return _value(match) if match else None


def single_number(text: str) -> float | None:
    """The one number of a text, whatever words and unit stand around it; None if there is none or if there are several
    different ones. What stands behind the last equals sign counts.

    A comma before one, two, or more than three digits is a decimal one (3,5 is 3.5; 1.234,56 is 1234.56; 0,125 too),
    one before three digits divides thousands (1,234). With white space behind it, or in brackets, it makes a list.
    """
    text = re.split(r"=|≈|\\approx|\\simeq", text[-_LONGEST:])[-1]
    plain = _plain(_MIXED.sub(_sum, _DECIMAL_COMMA.sub(_with_point, text.replace("{,}", ",")))).replace("$", " $")
    if _LIST.search(plain) or "\\" in plain:
        return None
    values = {_value(m) for m in _NUMBER.finditer(plain)}
    return values.pop() if len(values) == 1 else None


def _with_point(match: re.Match[str]) -> str:
    return f"{match['whole'].replace('.', '')}.{match['part']}"


def _sum(match: re.Match[str]) -> str:
    whole, above, below = match["whole"], match["above"], match["below"]
    return f"{int(whole) * int(below) + int(above)}/{below}"


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
