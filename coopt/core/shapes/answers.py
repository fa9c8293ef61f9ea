"""Scores and probes: answers to questions, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, Field, TypeAdapter

from coopt.core.outside.shapes import Count, Open
from coopt.core.shapes.edges import EdgeName


def _rectangle(grid: list[list[Any]]) -> list[list[Any]]:
    if not grid or len({len(row) for row in grid}) != 1 or not grid[0]:
        raise ValueError("expected rows of equal length, at least one")
    return grid


def _size(grid: Sequence[Sequence[Any]]) -> tuple[int, int]:
    return len(grid), len(grid[0])


Right = Annotated[list[list[Literal[0, 1]]], AfterValidator(_rectangle)]
Asked = Annotated[list[list[Literal[0, 1] | None]], AfterValidator(_rectangle)]
Texts = Annotated[list[list[str]], AfterValidator(_rectangle)]


class Answered(Open):
    """Of one domain."""

    correct: Right
    items: NotRequired[list[str]]
    answers: NotRequired[Texts]
    unparsed: NotRequired[Count]
    unfinished: NotRequired[Count]
    read_otherwise: NotRequired[Count]
    tokens: NotRequired[Count]
    sample: NotRequired[str]


def _as_asked(found: Any) -> Any:
    size = _size(found["correct"])
    if len(found.get("items", found["correct"])) != size[0] or _size(found.get("answers", found["correct"])) != size:
        raise ValueError("expected as many items and answers as in correct")
    return found


_Domains = Annotated[dict[str, Annotated[Answered, AfterValidator(_as_asked)]], Field(min_length=1)]


class Scored(Open):
    """A result of ``coopt.methods.scoring.score_policy``."""

    domains: _Domains


class Evaluated(Open):
    """The same between the ends of rounds."""

    step: Count
    domains: _Domains


class EdgeProbed(Open):
    """What a tutor's feedback did."""

    f: Asked
    sf: Asked
    paper: NotRequired[Asked]
    kept: Count


class Probed(Open):
    """Of one domain."""

    items: list[str]
    before: Right
    again: Asked
    s: Asked
    paper_control: NotRequired[Asked]
    edges: dict[EdgeName, EdgeProbed]


def _as_probed(found: Any) -> Any:
    size = _size(found["before"])
    edges = [edge[key] for edge in found["edges"].values() for key in ("f", "sf", "paper") if key in edge]
    grids = [found[key] for key in ("again", "s", "paper_control") if key in found] + edges
    if len(found["items"]) != size[0] or any(_size(grid) != size for grid in grids):
        raise ValueError("expected as many items, and answers in every context, as in before")
    if any("paper" in edge for edge in found["edges"].values()) and "paper_control" not in found:
        raise ValueError("paper_control is missing")
    return found


class Probe(Open):
    """What ``coopt.methods.break_rate.probe_tutee`` found."""

    domains: dict[str, Annotated[Probed, AfterValidator(_as_probed)]]
    away: NotRequired[dict[EdgeName, str]]


SCORES = TypeAdapter(Scored)
EVALUATIONS = TypeAdapter(Evaluated)
PROBE = TypeAdapter(Probe)
