"""Control: supervised fine-tuning on the worked solutions of the own native domain, every student alone.

Signal: y*, the worked solution of a native question. Teacher: none. Objective: the mean over native questions of
(1/|y*|) sum_t -log p(y*_t | x, y*_<t). Set against ``opcod`` and ``sft_union``: what private data give without peers,
and what the union of all data adds. On a graph: every student alone, so no other domain's solution reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence

from coopt.methods.algorithms.sft_union import SFTUnion
from coopt.methods.base import method
from coopt.methods.step import Tutee


@method
class GoldPrivate(SFTUnion):
    """As many questions a step as the others have, all of the native domain."""

    name = "gold_private"
    description = "control: supervised fine-tuning on worked solutions of the own native domain alone"
    against = ("opcod", "sft_union")

    def trains_on(self, tutee: Tutee) -> Sequence[str]:
        every = super().trains_on(tutee)
        return [d for d in every if d == tutee.native.get(tutee.name)] or every
