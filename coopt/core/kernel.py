"""What the kernel says of killed processes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class OutOfMemory:
    """Whether the kernel has killed a process here for want of memory since this was made."""

    def __init__(self) -> None:
        self.before = oom_kills()

    def why(self) -> str:
        """To be said of a killed process: `` (out of memory)``, or nothing where it was not that."""
        return " (out of memory)" if oom_kills() > self.before else ""


def oom_kills() -> int:
    """How many processes of this control group (where there is none: of this machine) were killed for want of
    memory."""
    counts = [count for path in _counters() if (count := _count(path)) is not None]
    return counts[0] if counts else 0


def _counters(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[Path]:
    """Files that may have the count, the nearest first. Inside a container a group's path may not be there."""
    found = []
    with suppress(OSError):
        for line in groups.read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            inside = place.strip("/")
            if not controllers:
                found += [root / inside / "memory.events", root / "memory.events"]
            elif "memory" in controllers.split(","):
                found += [root / "memory" / inside / "memory.oom_control", root / "memory" / "memory.oom_control"]
    return [*found, Path("/proc/vmstat")]


def _count(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return None
