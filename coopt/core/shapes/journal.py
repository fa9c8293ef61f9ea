"""The journal of a run, and the record of where it comes from."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field, TypeAdapter

from coopt.core.outside.shapes import Count, Number, Open, Shape
from coopt.core.shapes.edges import EdgeName


class Decided(Open):
    """A gate's decision on an edge."""

    open: bool
    reason: str
    gap: Number | None
    gap_low: Number | None
    gap_high: Number | None
    flip: Number
    domains: NotRequired[list[str]]


class Origin(Open):
    """``provenance.json``."""

    data: dict[str, dict[str, str]]
    arguments: NotRequired[list[str]]
    commit: NotRequired[str | None]
    dirty: NotRequired[str | None]
    seeds: NotRequired[list[Count]]
    packages: NotRequired[dict[str, str | None]]
    gpus: NotRequired[list[str]]
    platform: NotRequired[str]
    files: NotRequired[dict[str, str]]
    methods: NotRequired[dict[str, str]]


_ROUND = Annotated[str, Field(pattern=r"^\d{1,18}/[^/]+/r\d{1,9}$")]
_EDGES = dict[EdgeName, Decided]


class Failed(Open):
    error: str


class Unavailable(Open):
    from_step: Count
    reason: str


class Event(Open):
    """A line of the journal."""

    event: str
    key: str
    time: Number
    value: Any


EVENT = TypeAdapter(Event)
ORIGIN = TypeAdapter(Origin)
ROUND_KEY = TypeAdapter(_ROUND)
DECISIONS: dict[str, Shape] = {
    "gates": TypeAdapter(_EDGES),
    "probe_gates": TypeAdapter(_EDGES),
    "collapsed": TypeAdapter(list[str]),
    "hub": TypeAdapter(str),
    "failed": TypeAdapter(Failed),
    "unavailable": TypeAdapter(Unavailable),
}
"""Event of the journal -> its value; others are only written."""
OF_ROUNDS = ("gates", "collapsed")
"""Events whose key names a round."""
