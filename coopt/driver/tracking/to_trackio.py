"""trackio: its own local store (``TRACKIO_DIR``), or the server or Space that its environment variables name."""

from __future__ import annotations

import contextvars

import trackio
from trackio.run import Run
from trackio.sqlite_storage import SQLiteStorage

from coopt.driver.tracking.base import label, settings_of
from coopt.driver.tracking.events import Event
from coopt.driver.tracking.streams import Stream, Told


class Trackio:
    """Opens each tracked run in a context of its own: trackio ends the run that is open in the present one."""

    def __init__(self, told: Told) -> None:
        self.told = told

    def open(self, stream: Stream, logged: int) -> _Logged:
        name = label(self.told, stream)
        run = contextvars.Context().run(
            lambda: trackio.init(
                self.told.project,
                name=name,
                group=self.told.bench,
                config=settings_of(self.told, stream),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        )
        # Its own store counts what it holds; a server keeps what it was sent.
        held = SQLiteStorage.get_log_count(self.told.project, run=name) if run.url is None else logged
        return _Logged(run, held)


class _Logged:
    def __init__(self, run: Run, held: int) -> None:
        self._run = run
        self.held = held

    def log(self, number: int, event: Event) -> None:
        self._run.log(dict(event.values), step=event.step)

    def flush(self) -> None:
        """trackio writes twice a second by itself."""

    def close(self) -> None:
        self._run.finish()
