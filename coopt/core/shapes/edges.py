"""Names of edges, as files write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _edge(name: str) -> str:
    if len(name.split(" -> ")) != 2:
        raise ValueError("expected an edge, TUTOR -> TUTEE")
    return name


EdgeName = Annotated[str, AfterValidator(_edge)]
