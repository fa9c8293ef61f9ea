"""What every group of settings is: frozen, and without unknown keys."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
    NEWER: ClassVar[frozenset[str]] = frozenset()
    """Settings that came later: not written while they have their default, so that a run is written, and its settings
    are hashed, as before there were any."""

    @model_serializer(mode="wrap")
    def _as_it_always_was(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        tree: dict[str, Any] = written(self)
        fields = type(self).model_fields
        return {k: v for k, v in tree.items() if k not in self.NEWER or getattr(self, k) != fields[k].default}
