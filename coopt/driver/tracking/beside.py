"""The driver's side of tracking: its packages are there, its processes begin with the driver and end with it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from coopt.core.config.tracking import TrackingConfig
from coopt.core.errors import ConfigError
from coopt.core.temporary import for_others
from coopt.driver.first_look import Say
from coopt.driver.tracking.streams import told
from coopt.runs.run import Run

_PATIENCE = 20.0  # seconds that a finished bench waits for all its trackers together


def check_tracking(config: TrackingConfig) -> None:
    """Refuse a tracker whose package is not installed. Raises ``ConfigError``."""
    for name in config.to:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:  # a folder of that name is no package
            raise ConfigError(
                f"tracking.to = {name} needs the package {name}, which is not installed: pip install 'coopt[{name}]'."
            )


@contextmanager
def tracked(run: Run, say: Say) -> Iterator[None]:
    """While the run goes on, a process for each of its trackers. ``say`` is told, in one line, what becomes of one."""
    beside = [one for name in run.config.tracking.to if (one := _begin(run, name, say))]
    try:
        yield
    except BaseException:
        for one in beside:
            one.leave()
        raise
    for one in beside:
        one.leave()
    until = time.monotonic() + _PATIENCE
    for one in beside:
        one.wait(until)


def _begin(run: Run, tracker: str, say: Say) -> _Beside | None:
    try:
        return _Beside(run, tracker, say)
    except Exception as error:  # whatever it is, the bench goes on
        say(f"tracking.to = {tracker}: did not start ({type(error).__name__}). The bench goes on without it.")
        return None


class _Beside:
    """The process of one tracker."""

    def __init__(self, run: Run, tracker: str, say: Say) -> None:
        self.tracker = tracker
        self.say = say
        self._said = False
        places = os.pathsep.join(p for p in sys.path if p)
        with for_others():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "coopt.driver.tracking.follow"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": places},
                text=True,
                start_new_session=True,  # an interrupt ends the bench, and the bench ends it
            )
        with suppress(OSError):
            self._input.write(told(run, tracker).model_dump_json() + "\n")
            self._input.flush()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def leave(self) -> None:
        """Tell it that the driver ends. It logs what is there, for a minute at most, and ends too."""
        with suppress(OSError):
            self._input.close()

    def wait(self, until: float) -> None:
        """Give it time to end; then it is ended."""
        try:
            code = self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._tell(
                f"tracking.to = {self.tracker}: not done {_PATIENCE:.0f} s after the end, so stopped. The run is"
                " complete."
            )
            return
        self._reader.join(1.0)
        if code:
            self._tell(f"tracking.to = {self.tracker}: its process ended with code {code}. The run is complete.")

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._tell(line.rstrip("\n"))

    def _tell(self, line: str) -> None:
        if not self._said:
            self._said = True
            self.say(line)
