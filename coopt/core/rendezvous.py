"""Threads that run one at a time and make their costly calls together.

Each thread does what one student does alone, unchanged. Where it needs a model it calls, and waits until every other
thread has called or ended; then all calls of one kind are answered as one.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Answer = Callable[[Sequence[Any]], Sequence[Any]]
"""Answers requests of one kind, in their order."""

_HERE: ContextVar[tuple[Rendezvous, tuple[int, ...]] | None] = ContextVar("rendezvous", default=None)


def here() -> Rendezvous | None:
    """The rendezvous to which this thread belongs, if it does."""
    found = _HERE.get()
    return found[0] if found else None


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """What the works return: one after another, or within a rendezvous side by side."""
    together = here()
    return [work() for work in works] if together is None or len(works) < 2 else together.fork(works)


def seconds() -> float:
    """A clock: that of the wall, or within a rendezvous what this student has cost: the time in which it was its turn,
    and its share of what was computed together."""
    together = here()
    return time.perf_counter() if together is None else together.seconds()


class EndedError(Exception):
    """Another thread failed, and this one was stopped where it waited."""


@dataclass
class _Call:
    party: tuple[int, ...]
    kind: tuple[str, object]
    request: Any
    answer: Any = None
    error: BaseException | None = None
    answered: threading.Event = field(default_factory=threading.Event)


class Rendezvous:
    """``answers``: who answers the calls of each kind; of those that come together the first kinds first."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = answers
        self._made: dict[Any, Any] = {}
        self.parties = 0
        self._turn = threading.Lock()
        self._spent: dict[tuple[int, ...], float] = defaultdict(float)  # by student; () is who runs them all
        self._since = 0.0  # when what is done now began
        self._live = 0  # threads that run, wait for their turn, or have called
        self._waiting: list[_Call] = []
        self._failed: tuple[tuple[int, ...], BaseException] | None = None

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Do all of them. The first that fails stops the others, and its error is raised; its place among the works is
        then ``failed``."""
        self.parties, self._live = len(works), 1
        token = _HERE.set((self, ()))
        try:
            with self._turn:
                self._since = time.perf_counter()
                self.fork(works)
        except EndedError:
            assert self._failed is not None
            raise self._failed[1] from None
        finally:
            _HERE.reset(token)

    @property
    def failed(self) -> int:
        """Which of the works of ``run`` failed."""
        assert self._failed is not None
        return self._failed[0][0]

    def fork(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """What the works return, each of them a thread that stands for this one until all are done."""
        results: dict[int, T] = {}
        left, done = set(range(len(works))), threading.Event()
        me = self._me()

        def party(k: int) -> None:
            _HERE.set((self, (*me, k)))
            with self._turn:
                self._since = time.perf_counter()
                try:
                    if self._failed is None:
                        results[k] = works[k]()
                except EndedError:
                    pass
                except BaseException as error:
                    self._failed = self._failed or ((*me, k), error)
                left.discard(k)
                if left:
                    self._live -= 1
                else:  # its place goes to who has forked
                    done.set()
                self._answer_if_all_wait()
                self._charge((*me, k))

        self._live += len(works) - 1
        for k in range(len(works)):  # a process that is told to end does not wait for them
            threading.Thread(target=party, args=(k,), name=f"student-{k}", daemon=True).start()
        self._let_others(done)
        if self._failed is not None:
            raise EndedError
        return [results[k] for k in range(len(works))]

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What the threads have in common: made by the first that asks."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    def call(self, kind: str, request: Any, *, apart: object = None) -> Any:
        """The answer to a request. Requests with another ``apart`` are answered by a call of their own."""
        call = _Call(self._me(), (kind, apart), request)
        self._waiting.append(call)
        self._answer_if_all_wait()
        if not call.answered.is_set():
            self._let_others(call.answered)
        if call.error is not None:
            raise call.error
        return call.answer

    def seconds(self) -> float:
        """What this thread's student has cost until now."""
        me = self._me()
        self._charge(me)
        return self._spent[me[:1]]

    def _charge(self, *parties: tuple[int, ...]) -> None:
        """What has passed since the last call was for these, in equal shares."""
        now = time.perf_counter()
        for party in parties:
            self._spent[party[:1]] += (now - self._since) / len(parties)
        self._since = now

    def _let_others(self, until: threading.Event) -> None:
        """Give the turn away until something has happened, then take it again."""
        self._charge(self._me())
        self._turn.release()
        until.wait()
        self._turn.acquire()
        self._since = time.perf_counter()

    def _me(self) -> tuple[int, ...]:
        found = _HERE.get()
        assert found is not None
        return found[1]

    def _answer_if_all_wait(self) -> None:
        if self._failed is not None:
            for call in self._waiting:
                call.error = EndedError()
        elif not self._waiting or len(self._waiting) < self._live:
            return
        else:
            self._answer()
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call.answered.set()

    def _answer(self) -> None:
        """In the order of the parties: who came last decides nothing."""
        self._charge(self._me())
        calls = sorted(self._waiting, key=lambda c: c.party)
        order = list(self.answers)
        for kind in sorted(dict.fromkeys(c.kind for c in calls), key=lambda kind: order.index(kind[0])):
            group = [c for c in calls if c.kind == kind]
            try:
                for call, answer in zip(group, self.answers[kind[0]]([c.request for c in group]), strict=True):
                    call.answer = answer
            except Exception as error:
                for call in group:
                    call.error = error
            self._charge(*(c.party for c in group))
