"""Text that is to be parsed: what a parser would not survive, or would read as something else, is found."""

from __future__ import annotations

import ast
import json
import math
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from pydantic import BaseModel

from coopt.core.outside.files import TooMuchError, UnreadableError

Model = TypeVar("Model", bound=BaseModel)
MOST_NESTED = 100
"""Lists and tables inside one another; more is nobody's data."""

# A string that is not closed runs to the end of the text: nothing is looked at twice.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# TOML's strings and comments, in whose place a word or nothing is looked at. One that is not closed is as above.
_TOML_STRING = re.compile(
    r'""".*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:[^"\\\n]++|\\.)*+"?|\'[^\'\n]*+\'?|#[^\n]*+', re.DOTALL
)
# A key of many parts: each costs a parser as much as all before it.
_DOTTED = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MOST_NESTED},}}")
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_FLAT = 8  # levels of most texts
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_DIGITS = sys.int_info.default_max_str_digits
_LONG = f"a number of more than {_DIGITS:,} digits"


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ``TooMuchError``, or another ``UnreadableError`` where it is no TOML."""
    if _DOTTED.search(_TOML_STRING.sub("s", text)):
        raise TooMuchError(f"a key of more than {MOST_NESTED} parts")
    try:
        tree = tomllib.loads(text, parse_float=_number)
    except RecursionError:
        raise TooMuchError(f"tables inside one another, deeper than {MOST_NESTED}") from None
    except (tomllib.TOMLDecodeError, UnreadableError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"not TOML ({error})") from None
    except ValueError as error:
        raise (TooMuchError(_LONG) if "digits" in str(error) else UnreadableError(f"not TOML ({error})")) from None
    if _is_deep(tree):
        raise TooMuchError(f"tables inside one another, deeper than {MOST_NESTED}")
    return tree


def parse_json(text: str, *, what: str = "JSON") -> Any:
    """The value of a JSON text: a key twice, half a surrogate pair, and what is no number are refused. Raises
    ``TooMuchError``, or another ``UnreadableError`` where it is no JSON."""
    return _json(text, _STRICT, what)


def parse_model(kind: type[Model], text: str) -> Model:
    """As ``parse_json``, of a text that has exactly this schema. Raises also pydantic's ``ValidationError``."""
    parse_json(text)  # what that refuses, pydantic reads as something
    return kind.model_validate_json(text, strict=True)


def parse_row(text: str) -> Any:
    """As ``parse_json``, of a row of data: NaN is what tables write for nothing."""
    return _json(text, _OF_ROWS, "JSON")


def parse_literal(text: str) -> Any:
    """The value of a Python literal, which spreadsheets made of lists. Raises ``UnreadableError``."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"not a Python literal ({type(error).__name__})") from None


def parse_own(text: str) -> Any:
    """As ``parse_json``, of what coopt has written (or others, in its place): half a surrogate pair, which the name of
    a file may have, is a sign for it."""
    return _json(text, _STRICT, "JSON", lambda value: json.loads(_plain(value, "replace"), object_pairs_hook=_once))


def parse_lines(text: str) -> list[Any]:
    """The values of whole lines, as ``parse_own``; what comes after the last line end is left out. Raises
    ``UnreadableError`` with the line's number."""
    return list(_parsed_lines(text[: text.rfind("\n") + 1].split("\n"), parse_own))


def _parsed_lines(lines: Sequence[str], parse: Callable[[str], Any]) -> Iterator[Any]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield parse(line)
            except UnreadableError as error:
                raise UnreadableError(f"line {number}: {error}") from None


def parse_xml(text: str) -> Element:
    """The root of an XML text without a document type (and so without entities of its own). Raises
    ``UnreadableError``."""
    parser = XMLParser(target=_Shallow())
    try:
        parser.feed(text)
        root: Element = parser.close()
    except (ParseError, ValueError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"not XML ({error})") from None
    return root


class _Shallow(TreeBuilder):
    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise TooMuchError(f"elements inside one another, deeper than {MOST_NESTED}")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise UnreadableError("it has a document type, which is not read")


def _json(text: str, decoder: json.JSONDecoder, what: str, mend: Callable[[Any], Any] | None = None) -> Any:
    if text.count("[") + text.count("{") > MOST_NESTED and json_depth(text) > MOST_NESTED:
        raise TooMuchError(f"lists and objects inside one another, deeper than {MOST_NESTED}")
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if "\n" in text.strip() else f"column {error.colno}"
        raise UnreadableError(f"not {what} ({error.msg}, {place})") from None
    except UnreadableError:
        raise
    except ValueError:
        raise TooMuchError(f"{_LONG}. Write it as text") from None
    if _HALF.search(text):
        try:
            _plain(value)
        except UnicodeEncodeError:
            if mend is None:
                raise UnreadableError("the text holds half a surrogate pair: it is not valid Unicode") from None
            return mend(value)
    return value


def _plain(value: Any, errors: str = "strict") -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", errors)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise UnreadableError(f"key '{twice[:60]}' appears twice")
    return found


def _number(text: str) -> float:
    found = float(text)
    if math.isinf(found) and "inf" not in text.lower():
        raise TooMuchError(f"the number {text[:20]} is too large to compute with")
    return found


def _no_number(name: str) -> Any:
    raise UnreadableError(f"{name} is not a JSON number")


_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number, parse_constant=_no_number)
_OF_ROWS = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_NESTED + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = inner
        if not level:
            return False
    return True


def json_depth(text: str) -> int:
    """How many lists and objects stand inside one another in a JSON text. One pass, or a few."""
    # Without escapes every other part between quotes is a string: four times as fast, and most texts are so.
    outside = _STRING.sub("", text) if "\\" in text else "".join(text.split('"')[::2])
    brackets = left = outside.encode("utf-8", "replace").translate(_ONE_KIND, _NO_BRACKET)
    for removed in range(_FLAT):  # what is innermost
        if not left:
            return removed
        left = left.replace(b"[]", b"")
    deepest = depth = 0
    for bracket in brackets:
        depth += 1 if bracket == ord("[") else -1
        deepest = max(deepest, depth)
    return deepest
