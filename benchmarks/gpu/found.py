"""What a part of the acceptance found: checks that hold or not, and figures that are only recorded."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import BaseModel

from coopt.core.tables.table import Table

State = Literal["passed", "failed", "left out"]


class Check(BaseModel):
    """``value`` must be within ``bound``: at most, or at least."""

    what: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


class Found(BaseModel):
    """Of one part. ``why``: it was left out, or what ended it."""

    checks: list[Check] = []
    figures: dict[str, float | str] = {}
    why: str = ""
    left_out: bool = False
    seconds: float = 0.0

    @property
    def state(self) -> State:
        if self.left_out:
            return "left out"
        return "passed" if not self.why and self.checks and all(c.holds for c in self.checks) else "failed"

    def most(self, what: str, value: float, bound: float) -> None:
        """``value`` may be ``bound`` at most."""
        self.checks.append(Check(what=what, value=value, bound=bound))

    def least(self, what: str, value: float, bound: float) -> None:
        """``value`` must be ``bound`` at least."""
        self.checks.append(Check(what=what, value=value, bound=bound, at_least=True))


class Accepted(BaseModel):
    """The file of a whole acceptance."""

    machine: dict[str, Any]
    dry: bool
    parts: dict[str, Found]

    def table(self) -> Table:
        """A line a check, then a line a figure."""
        rows = []
        for name, found in self.parts.items():
            rows.append([name, found.state, f"{found.seconds:.0f} s", found.why[:300]])
            for c in found.checks:
                bound = f"{c.value:.3g}, {'at least' if c.at_least else 'at most'} {c.bound:g}"
                rows.append(["", "ok" if c.holds else "NO", bound, c.what])
            for what, value in found.figures.items():
                rows.append(["", "–", value if isinstance(value, str) else f"{value:,.4g}", what])
        return Table("Acceptance" + " (dry: tiny shapes, nothing here is a speed)" * self.dry, COLUMNS, rows)

    def last_line(self) -> str:
        states = [f.state for f in self.parts.values()]
        failed = [n for n, f in self.parts.items() if f.state == "failed"]
        left = [n for n, f in self.parts.items() if f.state == "left out"]
        line = f"{states.count('passed')} of {len(states)} parts passed"
        return line + f"; failed: {', '.join(failed)}" * bool(failed) + f"; left out: {', '.join(left)}" * bool(left)


COLUMNS = ["part", "", "found", "what"]


def peak_gib(device: torch.device) -> float:
    """The most GPU memory that was allocated since the last reset; 0 without a GPU."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


def begin_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
