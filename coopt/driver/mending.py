"""Before tasks are performed: what is damaged, or was made from something else than what lies there now, is taken away,
so that it is done again. What hangs on it is looked at when its own turn comes: it stays if what is made again is
the same to the bit, which the seals say.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coopt.core.errors import DamagedError
from coopt.driver.first_look import Say
from coopt.driver.tasks.inputs import check_inputs
from coopt.driver.tasks.task import Task
from coopt.driver.tasks.whole import discard, look
from coopt.runs.run import Run


class Mending:
    """Of one start of a driver."""

    def __init__(self, run: Run, say: Say | None) -> None:
        self.run = run
        self.say = say or (lambda line: None)
        self._seen: dict[Path, Task] = {}
        self._given_up: set[Path] = set()

    def before(self, tasks: Sequence[Task]) -> None:
        """Take away what must be made again. Raises ``DamagedError`` if an earlier task's output, which is needed, is
        the one."""
        for task in tasks:
            self._seen[task.output(self.run).resolve()] = task
            found = look(task, self.run)
            if found.word == "damaged":
                first = found.faults[0]
                where = (task.output(self.run).parent / first.name).relative_to(self.run.directory)
                self._again(task, f"{where}: {first.why}")
            elif found.word == "outdated":
                self._again(task, "what it was made from has changed")
            elif found.word == "missing":
                check_inputs(task, self.run)

    def after(self, error: DamagedError) -> None:
        """Take away the output in which a task has found damage. Raises the error if that does not help."""
        output = error.output.resolve() if error.output else None  # a job of a cluster names it from the root
        task = self._seen.get(output) if output else None
        if task is None or output is None or output in self._given_up:
            raise error
        self._given_up.add(output)
        self._again(task, str(error).split(". ")[0])

    def _again(self, task: Task, why: str) -> None:
        self.say(f"made again: {task.label()} ({why})")
        discard(task, self.run)
