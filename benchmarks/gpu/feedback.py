"""What feedback costs a step of the embedded world, its tutor's gate open and closed."""

from __future__ import annotations

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from benchmarks.perf.phases import Stepper, phase_with, started_run


def measure(size: Size) -> Found:
    found = Found()
    small = {"smoke": True} if size.dry else {}
    with started_run(topology="pair", domains="phys,chem", **small) as run:
        told, alone = (Stepper(phase_with(run, "s2", tutors)) for tutors in (["s1"], []))
        steps = size.of(5, 1)
        for stepper in (told, alone):
            stepper.seconds(1)
        open_, closed = told.seconds(steps), alone.seconds(steps)
    rows = [sum(r["distinct_rows"] for r in s.records[1:]) for s in (told, alone)]
    found.figures |= {"s of a step, gate open": open_, "s of a step, gate closed": closed}
    found.figures["open over closed"] = open_ / closed
    found.figures["distinct rows, open over closed"] = rows[0] / max(rows[1], 1)
    found.least("rows with a target, gate open", rows[0], 1)
    return found
