"""What a tracker can do."""

from __future__ import annotations

from typing import Protocol

from coopt.driver.tracking.events import Event
from coopt.driver.tracking.streams import Stream, Told


class Tracked(Protocol):
    """One tracked run."""

    held: int
    """How many events of its stream it holds already, from earlier starts of the bench."""

    def log(self, number: int, event: Event) -> None:
        """Add event ``number`` (from 0) of the stream."""
        ...

    def flush(self) -> None:
        """Put what was logged where it outlives this process."""
        ...

    def close(self) -> None:
        """There is no more to log."""
        ...


class Tracker(Protocol):
    """Opens tracked runs, several at a time."""

    def open(self, stream: Stream, logged: int) -> Tracked:
        """``logged``: events that were given to it earlier, for trackers that cannot say themselves."""
        ...


def settings_of(told: Told, stream: Stream) -> dict[str, object]:
    """The configuration of a tracked run."""
    who = {"seed": stream.seed, "method": stream.method, "student": stream.student, "native": stream.native}
    return {"bench": told.bench, "tracked": who, "settings": told.settings}


def label(told: Told, stream: Stream) -> str:
    """The name of a tracked run: the same in every start of the bench, and of no other folder."""
    return f"{told.bench} {told.token} {stream.name}"
