"""Whether a value has the shape that its readers rely on. What the files of a run hold is in ``coopt.core.shapes``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from coopt.core.outside.files import UnreadableError

Shape = TypeAdapter[Any]
ANY: Shape = TypeAdapter(Any)
_LONGEST = 200  # characters of a fault
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


NAME: Shape = TypeAdapter(str)
COUNTS: Shape = TypeAdapter(dict[str, Count])


class Open(TypedDict):
    """A table that may hold more than is named."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]


def fits(value: Any, shape: Shape) -> Any:
    """The value, which has this shape. Raises ``UnreadableError`` with the first place that has not."""
    try:
        shape.validate_python(value, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(map(str, found["loc"]))
        raise UnreadableError(f"{place + ': ' if place else ''}{found['msg']}"[:_LONGEST]) from None
    return value


def lines_of(shape: Shape) -> Callable[[Iterable[Any]], list[Any]]:
    """``fits`` for each value of a file of lines."""

    def check(values: Iterable[Any]) -> list[Any]:
        found = []
        for number, value in enumerate(values, start=1):
            try:
                found.append(fits(value, shape))
            except UnreadableError as error:
                raise UnreadableError(f"line {number}: {error}") from None
        return found

    return check
