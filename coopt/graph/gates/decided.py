"""What a gate decides, looked at before anybody uses it: a gate may be somebody's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from coopt.core.errors import CooptError, PluginError
from coopt.graph.gates.base import Decisions, Gate, View


def decided(gate: Gate, view: View) -> Decisions:
    """The decisions of a gate on a view. Raises ``PluginError``: what it returned, and what is expected."""
    try:
        found = gate.decide(view)
    except CooptError:
        raise
    except Exception as error:  # whatever a user's class raises, it is that class's fault
        raise PluginError(f"gate '{gate.name}': decide raised {type(error).__name__}: {error}.") from error
    fault = next(_faults(found, len(view.tutor_E), view.scores_ND.shape[1]), None)
    if fault:
        raise PluginError(f"gate '{gate.name}': decide returned {fault}.")
    return found


def _faults(found: Any, edges: int, domains: int) -> Iterator[str]:
    if not all(hasattr(found, name) for name in Decisions._fields):  # a class of somebody's own will do
        yield f"a {type(found).__name__}; expected Decisions(open_ED, reason_E, gap_E, threshold)"
        return
    open_ED: Any = found.open_ED
    reason_E: Any = found.reason_E
    gap_E: Any = found.gap_E
    threshold: Any = found.threshold
    wanted = f"a Boolean array of shape ({edges}, {domains}), one row per edge and one column per domain"
    if not isinstance(open_ED, np.ndarray):
        yield f"open_ED as a {type(open_ED).__name__}; expected {wanted}"
    elif open_ED.shape != (edges, domains) or open_ED.dtype != bool:
        yield f"open_ED of shape {open_ED.shape} and type {open_ED.dtype}; expected {wanted}"
    if not isinstance(reason_E, Sequence | np.ndarray):
        yield f"reason_E as a {type(reason_E).__name__}; expected a list of {edges} texts, one per edge"
    elif len(reason_E) != edges:
        yield f"{len(reason_E)} reasons in reason_E; expected {edges}, one per edge"
    elif not all(isinstance(r, str) and r for r in reason_E):
        yield "a reason in reason_E that is empty or not text; expected text that is not empty"
    if gap_E is not None and not (isinstance(gap_E, np.ndarray) and np.issubdtype(gap_E.dtype, np.number)):
        yield f"gap_E as a {type(gap_E).__name__}; expected an array of numbers, or None"
    elif gap_E is not None and gap_E.shape != (edges,):
        yield f"gap_E of shape {gap_E.shape}; expected ({edges},), one number per edge, or None"
    if threshold is not None and not isinstance(threshold, int | float | np.number):
        yield f"threshold = {threshold!r}; expected a number, or None"
