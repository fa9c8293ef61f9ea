"""Bytes of all tensors that are alive, counted while code runs on tensors that have sizes and no values."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

_ASKED = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.allclose.default)


class Held(TorchDispatchMode):
    """Within it every storage counts from the operation that made it until nobody holds it, with its present size:
    FSDP empties storages of gathered weights and fills them again. A number that is asked of a tensor is 1, which is
    also yes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._counts = True
        self._sizes: dict[int, int] = {}
        self._resize = torch.UntypedStorage.resize_

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is made within does not count: on a real machine it has no memory either."""
        before, self._counts = self._counts, False
        yield
        self._counts = before

    def __enter__(self) -> Held:
        held = self

        def resize(storage: torch.UntypedStorage, size: int) -> Any:
            done = held._resize(storage, size)
            held._count(storage)
            return done

        torch.UntypedStorage.resize_ = resize  # type: ignore[method-assign,assignment]
        return super().__enter__()  # type: ignore[no-any-return,no-untyped-call]

    def __exit__(self, *error: Any) -> None:
        torch.UntypedStorage.resize_ = self._resize  # type: ignore[method-assign]
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(issubclass(t, DTensor) for t in types):
            return NotImplemented  # itself holds nothing: it goes on with its shard
        if function in _ASKED:
            return True
        made = function(*args, **(kwargs or {}))
        for value in tree_iter(made):
            if self._counts and isinstance(value, torch.Tensor) and value.layout == torch.strided:
                self._count(value.untyped_storage())
        return made

    @contextmanager
    def peak_of(self, peaks: dict[str, int], phase: str) -> Iterator[None]:
        """The most that is held within; of a phase that comes several times the largest."""
        self.peak = self.now
        yield
        peaks[phase] = max(peaks.get(phase, 0), self.peak)

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._sizes:
            self._sizes[key] = 0
            weakref.finalize(storage, self._forget, key)
        self.now += size - self._sizes[key]
        self._sizes[key] = size
        self.peak = max(self.peak, self.now)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key, 0)
