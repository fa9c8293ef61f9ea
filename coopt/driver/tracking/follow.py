"""The process of one tracker: it follows a run's files until its driver ends, and nothing that becomes of it is felt by
the bench.

    python -m coopt.driver.tracking.follow

Standard input: one line, a ``Told`` as JSON; its end is the end of the driver. Standard output: lines for the user.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from coopt.core import store
from coopt.core.outside.parse import parse_model
from coopt.core.outside.shapes import COUNTS
from coopt.core.secrets import MASK, Secrets
from coopt.core.text import one_line
from coopt.driver.tracking.base import Tracked, Tracker
from coopt.driver.tracking.events import Decided, Event, events
from coopt.driver.tracking.streams import Stream, Told

_LOOK = 1.0  # seconds between two looks at the files
_PATIENCE = 60.0  # seconds for what is left to log when the driver has ended
_LONGEST = 200  # characters of an error


@dataclass
class _Following:
    """A stream, how many of its events were seen, and where they are logged."""

    stream: Stream
    coming: Iterable[Event | None]
    seen: int = 0
    tracked: Tracked | None = None
    over: bool = False


@dataclass
class Follower:
    """Tells a tracker what is new in a run's files."""

    told: Told
    tracker: Tracker
    following: list[_Following] = field(init=False)

    def __post_init__(self) -> None:
        self._decided = Decided(self.told.journal)
        self._place = self.told.folder / f"{self.told.tracker}.json"
        self._logged: dict[str, int] = store.read_json(self._place, COUNTS) if self._place.is_file() else {}
        self.following = [_Following(s, events(s, self._decided)) for s in self.told.streams]

    def look(self) -> None:
        """Log everything that came since the last look."""
        self._decided.read()
        before = dict(self._logged)
        for one in self.following:
            if not one.over:
                self._follow(one)
        if self._logged != before:
            store.write_json(self._place, self._logged)

    def close(self) -> None:
        for one in self.following:
            if one.tracked is not None:
                one.tracked.close()
                one.tracked = None

    def _follow(self, one: _Following) -> None:
        name = one.stream.name
        for event in one.coming:
            if event is None:
                break
            if one.tracked is None:
                one.tracked = self.tracker.open(one.stream, self._logged.get(name, 0))
            if one.seen >= one.tracked.held:
                one.tracked.log(one.seen, event)
            one.seen += 1
        else:
            one.over = True
        if one.tracked is not None:
            one.tracked.flush()
            self._logged[name] = max(one.seen, self._logged.get(name, 0))
            if one.over:
                one.tracked.close()
                one.tracked = None


def follow(told: Told, over: threading.Event, look: float = _LOOK) -> None:
    """Follow the run until ``over`` is set, and log what is there by then."""
    told.folder.mkdir(parents=True, exist_ok=True)
    with (told.folder / f"{told.tracker}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the process of a driver that was killed may still be at work
        follower = Follower(told, make_tracker(told))
        while not over.wait(look):
            follower.look()
        follower.look()
        follower.close()


def make_tracker(told: Told) -> Tracker:
    """The tracker of that name; its package is imported here and nowhere else."""
    if told.tracker == "tensorboard":
        from coopt.driver.tracking.to_tensorboard import TensorBoard

        return TensorBoard(told)
    if told.tracker == "trackio":
        from coopt.driver.tracking.to_trackio import Trackio

        return Trackio(told)
    from coopt.driver.tracking.to_wandb import Wandb

    return Wandb(told)


def main() -> None:
    """The process."""
    tell = _only_own_lines()
    told = parse_model(Told, sys.stdin.buffer.readline().decode())
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    try:
        follow(told, over)
    except BaseException as error:  # what trackers raise is theirs to choose, an exit among it
        tell(f"tracking.to = {told.tracker}: {_in_a_line(error)}. The bench goes on without it.")
    os._exit(0)  # a tracker's threads and exit handlers may wait for a server that is not there


def _only_own_lines() -> Callable[[str], None]:
    """Keep standard output for lines of this module; what trackers print goes nowhere."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return lambda line: print(line, file=own, flush=True)


def _wait_for_the_end(over: threading.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    over.set()
    threading.Timer(_PATIENCE, lambda: os._exit(1)).start()


def _in_a_line(error: BaseException) -> str:
    """An error without line breaks, without what steers a terminal, and without secrets of the environment."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    kept = [v for name, v in os.environ.items() if re.search(r"KEY|TOKEN|SECRET|PASSWORD|_URL", name) and len(v) > 3]
    text = re.sub(r"(?<=[?&])\S+", MASK, Secrets(kept).mask(text))
    return one_line(text)[:_LONGEST].rstrip(".")


if __name__ == "__main__":
    main()
