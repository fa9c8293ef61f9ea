"""The jobs of a cluster: what was submitted, who works on a task, how one failed."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, ConfigDict, TypeAdapter
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from coopt.core.outside.shapes import Count, Number, Open


class Submitted(Open):
    """A task of a batch. ``job``: the place of its job in the array; without it, the task's own: each had a job."""

    task: str
    attempt: Count
    output: str
    job: NotRequired[Count]


class Batch(Open):
    """A submission."""

    name: str
    kind: str
    time: Number
    tasks: list[Submitted]
    ids: list[str] | None


def places_of(batch: Any) -> list[int]:
    """The place in the array of each task's job."""
    return [entry.get("job", place) for place, entry in enumerate(batch["tasks"])]


def _as_many(found: Any) -> Any:
    places = set(places_of(found))
    if places != set(range(len(places))):
        raise ValueError("expected the places of jobs to be 0, 1, 2 and so on")
    if found["ids"] and len(found["ids"]) != len(places):
        raise ValueError("expected an id for each job")
    return found


class Holder(TypedDict):
    """Of a lease."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    kind: str
    id: str
    host: str
    pid: Count
    born: Number
    time: Number


class JobError(Open):
    """How a job failed."""

    id: str
    error: str
    fault: str | None
    final: bool
    damaged: NotRequired[str]


BATCH = TypeAdapter(Annotated[Batch, AfterValidator(_as_many)])
HOLDER = TypeAdapter(Holder)
JOB_ERROR = TypeAdapter(JobError)
