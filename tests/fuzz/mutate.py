"""Structural mutations: of trees, of their text, and of bytes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

Path_ = tuple[Any, ...]
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 10**9, -(10**18), 10**30, 1e308, 1e-320, "", " ", "a", "physics", "s1",
    "s2", "s1 -> s2", "0/opcod/r1",
    "é", "a\nb", "a\r\nb\tc", "\x1b[31mred", "\u202eabc", "\u2028", "\x00", "\x85", "\ufeff",
    "x" * 5000, "9" * 5000, "-1", "1e999", "nan", "../x", "/etc/passwd", "=1+1", "<b>", "{x}", "%s", "[/]", "\\",
    "'", '"',
    [], {}, [[]], [1, 2], ["a", "a"], {"a": 1}, [None], {"": ""}, {"a": {"b": {"c": []}}},
)  # fmt: skip
_DEEP = 150


def mutated(tree: Any, random: Random) -> Any:
    """A copy with one to three changes."""
    whole = [copy.deepcopy(tree)]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(whole, ()))
        place = random.choice(places)
        random.choice(_CHANGES)(whole, place, random)
        if not whole:
            whole = [None]
    return whole[0]


def _places(node: Any, here: Path_) -> Any:
    """Paths of all values in a list that holds the tree, itself left out."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*here, key)
        yield from _places(value, (*here, key))


def _holder(whole: Any, place: Path_) -> Any:
    for key in place[:-1]:
        whole = whole[key]
    return whole


def _odd(whole: Any, place: Path_, random: Random) -> None:
    _holder(whole, place)[place[-1]] = copy.deepcopy(random.choice(ODD))


def _gone(whole: Any, place: Path_, random: Random) -> None:
    del _holder(whole, place)[place[-1]]


def _near(whole: Any, place: Path_, random: Random) -> None:
    """Another value of the same kind."""
    holder, value = _holder(whole, place), _holder(whole, place)[place[-1]]
    if isinstance(value, bool):
        holder[place[-1]] = not value
    elif isinstance(value, int | float):
        holder[place[-1]] = random.choice((value + 1, -value, value * 2, value / 3, value + 0.5, value - 1))
    elif isinstance(value, str):
        k = random.randrange(len(value) + 1)
        holder[place[-1]] = (
            value[:k] + random.choice(("", "x", " ", "\n", "\u200b", "0")) + value[k + random.randrange(2) :]
        )
    elif isinstance(value, list) and value:
        random.shuffle(value)
    else:
        _odd(whole, place, random)


def _renamed(whole: Any, place: Path_, random: Random) -> None:
    holder, key = _holder(whole, place), place[-1]
    if isinstance(holder, dict):
        holder[random.choice((f"{key}x", key.upper(), "", "\x1b[1m", "a.b", "no\nline"))] = holder.pop(key)
    else:
        _again(whole, place, random)


def _again(whole: Any, place: Path_, random: Random) -> None:
    holder, key = _holder(whole, place), place[-1]
    if isinstance(holder, list) and holder is not whole:
        holder.insert(random.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
    else:
        _odd(whole, place, random)


def _wrapped(whole: Any, place: Path_, random: Random) -> None:
    holder, value = _holder(whole, place), _holder(whole, place)[place[-1]]
    for _ in range(random.choice((1, 1, 1, _DEEP))):
        value = [value] if random.random() < 0.5 else {"a": value}
    holder[place[-1]] = value


def _swapped(whole: Any, place: Path_, random: Random) -> None:
    """A copy of what stands elsewhere."""
    other = random.choice(list(_places(whole, ())))
    _holder(whole, place)[place[-1]] = copy.deepcopy(_holder(whole, other)[other[-1]])


_CHANGES: tuple[Callable[[Any, Path_, Random], None], ...] = (
    _odd, _odd, _odd, _gone, _gone, _near, _near, _near, _renamed, _again, _wrapped, _swapped,
)  # fmt: skip


# -- text and bytes ------------------------------------------------------------------------------------


def text_mutated(text: str, random: Random) -> bytes:
    """The text with a change that no tree could have."""
    numbers = list(re.finditer(r"-?\d+(\.\d+)?", text))
    kind = random.randrange(10)
    k = random.randrange(len(text) + 1)
    if kind == 0 and numbers:
        found = random.choice(numbers)
        odd = random.choice(
            ("9" * 5000, "1e999", "-1e999", "NaN", "Infinity", "0x1F", "01", "1_0", "1." + "0" * 400, "١", "--1")
        )
        return (text[: found.start()] + odd + text[found.end() :]).encode()
    if kind == 1:
        return (text[:k] + random.choice("[{") * random.choice((120, 100_000)) + text[k:]).encode()
    if kind == 2:
        return text[:k].encode()
    if kind == 3:
        return bytes_mutated(text.encode(), random)
    if kind == 4:
        return random.choice((b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16"), text.encode("utf-16-be"), b""))
    if kind == 5:
        lines = text.splitlines(keepends=True) or [""]
        line = random.randrange(len(lines))
        return "".join([*lines[:line], *[lines[line]] * random.choice((0, 2, 2, 50)), *lines[line + 1 :]]).encode()
    if kind == 6:
        return (
            text[:k]
            + random.choice(("\x00", "\x1b]0;x\x07", "\u202e", "\\ud800", "\u2028", "\r", ",", '"', ":", "=", "."))
            + text[k:]
        ).encode()
    if kind == 7:
        end = min(len(text), k + random.randrange(40))
        return (text[:k] + text[end:]).encode()
    if kind == 8:
        end = min(len(text), k + random.randrange(200))
        return (text[:end] + text[k:end] + text[end:]).encode()
    return text.replace("\n", random.choice(("\r\n", "\r", "\n\n"))).encode()


def bytes_mutated(data: bytes, random: Random) -> bytes:
    """Bits, bytes and lengths."""
    if not data:
        return b"\x00"
    changed = bytearray(data)
    kind = random.randrange(5)
    for _ in range(random.choice((1, 1, 4, 32))):
        k = random.randrange(len(changed))
        if kind == 0:
            changed[k] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[k] = random.randrange(256)
        elif kind == 2:
            changed[k : k + 1] = b""
        elif kind == 3:
            changed[k:k] = bytes([random.randrange(256)])
        else:
            return bytes(changed[:k])
        if not changed:
            return b""
    return bytes(changed)


# -- writing -------------------------------------------------------------------------------------------


def json_of(tree: Any) -> str:
    """Also of what JSON has no word for."""
    return json.dumps(tree, default=str)


def toml_of(tree: Any) -> str:
    """A tree as TOML; what is None has no key, and a tree that is no table is the value of ``a``."""
    table = tree if isinstance(tree, dict) else {"a": tree}
    return "".join(f"{_key(k)} = {_value(v)}\n" for k, v in table.items() if v is not None)


def _key(key: Any) -> str:
    return json.dumps(str(key))


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value if v is not None) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)
