"""What pydantic found wrong first, in the words of an error line."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError


class Fault(NamedTuple):
    """``key``: dotted. ``kind``: pydantic's, such as extra_forbidden or missing. ``message``: without a full stop."""

    key: str
    kind: str
    value: Any
    message: str

    @property
    def line(self) -> str:
        value = repr(self.value)
        return f"{self.key} = {value if len(value) <= 300 else value[:300] + '...'}: {self.message}"


def first_fault(error: ValidationError) -> Fault:
    found = error.errors()[0]
    message = found["msg"][0].lower() + found["msg"][1:]
    return Fault(".".join(map(str, found["loc"])), found["type"], found["input"], message)
