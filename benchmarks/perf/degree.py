"""Does a round cost the same whatever the degree? Feedback is ``spread`` over the open tutors.

The steps of one tutee, whose tutors are the two neighbours of a ring of eight students, or all seven others.
Specialists repeat themselves, and what several rollouts say alike a tutor is asked once: two tutors are asked less than
seven. The base, as all eight students, repeats itself little, as language models do.
"""

from __future__ import annotations

from typing import Any

from benchmarks.perf.phases import Stepper, phase_with, started_run
from benchmarks.perf.ratio import Ratio, in_turn
from coopt.core.names import resolve_domains
from coopt.lm.bases import SCIMINI_BASE

STEPS, NODES, DOMAINS = 5, 8, "phys,chem,mat,bio"


def measure(pairs: int) -> list[Ratio]:
    base = {"students": dict.fromkeys(resolve_domains(DOMAINS), str(SCIMINI_BASE))}
    return [of("specialists", pairs, at_most=1.05), of("base", pairs, model=base)]


def of(who: str, pairs: int, at_most: float | None = None, **settings: Any) -> Ratio:
    with started_run(topology="complete", nodes=NODES, domains=DOMAINS, **settings) as run:
        tutee, right, *others, left = run.topology.students
        complete = Stepper(phase_with(run, tutee, [right, *others, left]))
        ring = Stepper(phase_with(run, tutee, [right, left]))
        found = in_turn(lambda: complete.seconds(STEPS), lambda: ring.seconds(STEPS), pairs)
    return Ratio(
        name=f"degree/{who}",
        what=f"step of opcod, N = {NODES} ({who}), spread, degree {NODES - 1}",
        against="degree 2 (ring)",
        unit="s",
        pairs=found,
        at_most=at_most,
        notes=[f"complete: {complete.parts()}", f"ring: {ring.parts()}"],
    )
