"""What ``coopt check`` says."""

from __future__ import annotations

from collections.abc import Iterator

from coopt.core.text import visible
from coopt.driver.damage import Checked

_SHOWN, _FEW = 40, 5  # files, and tasks of which the count says enough


def one_line(found: Checked) -> str:
    """A run in one line."""
    return f"{visible(str(found.directory), kept='')}: {', '.join(_words(found))}"


def lines_of(found: Checked) -> list[str]:
    """All there is to say of one run."""
    return [one_line(found), *(visible(line, kept="") for line in _details(found))]


def next_command(found: Checked) -> str:
    """What to do about it, in a line to be copied; empty if there is nothing to do."""
    if found.whole or found.running:
        return ""
    command = visible(found.command, kept="") or "the same coopt bench command as before"
    what = "remakes it, and what depends on it" if found.damage else "resumes it"
    return f"Next ({what}): {command}"


def _words(found: Checked) -> Iterator[str]:
    if found.whole:
        read = f", {found.files:,} files, {found.size / 1e6:,.1f} MB read" if found.files else ""
        yield f"whole: {found.tasks:,} tasks{read}"
    if found.damage:
        yield f"damaged: {_count(len(found.damage), 'file')}"
    if found.running:
        yield "a bench is working on it"
    if found.left:
        yield f"not finished: {_count(len(found.left), 'task')} of {found.tasks:,} left"
    elif not found.ended:
        yield "not finished: it did not reach its end when it was last started"
    if found.unsealed:
        yield f"{_count(found.unsealed, 'output')} not sealed (an earlier coopt's)"
    if found.removed:
        yield f"{_count(len(found.removed), 'file')} removed that nothing needs"


def _details(found: Checked) -> Iterator[str]:
    for damage in [*found.damage[:_SHOWN], *found.left[: 0 if found.running else _FEW]]:
        yield f"  {damage.file}"
        yield f"    {damage.why}" + (f"; {damage.task}" if damage.task else "")
    if len(found.damage) > _SHOWN:
        yield f"  and {len(found.damage) - _SHOWN:,} more that are damaged"
    for name in found.removed[: 0 if found.damage else _SHOWN]:
        yield f"  removed: {name}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
