"""Whose fault an error is: a note on the exception, which stays what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_PREFIX = "at fault: "


@contextmanager
def blame(who: str) -> Iterator[None]:
    """Errors of the block are those of ``who``, unless an inner block has said better."""
    try:
        yield
    except Exception as error:
        if blamed(error) is None:
            error.add_note(_PREFIX + who)
        raise


def blamed(error: BaseException) -> str | None:
    """Who is at fault, where that was told."""
    notes = getattr(error, "__notes__", ())
    return next((note.removeprefix(_PREFIX) for note in notes if note.startswith(_PREFIX)), None)
