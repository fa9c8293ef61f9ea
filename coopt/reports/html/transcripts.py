"""What tutors and tutees wrote, read from a run's files: one transcript a message of a tutor.

A long run has more than a page can hold. Answers that feedback alone broke or fixed are kept first, then as many
of every group (source, edge, round, outcome), chosen by a hash, so that the same run gives the same page.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from jinja2.utils import htmlsafe_json_dumps

from coopt.core.errors import DataError
from coopt.core.text import visible_in
from coopt.domains.base import Item, Split
from coopt.domains.load import load_domains
from coopt.runs.run import Run

PROBE = "break-rate probe"
MOST_BYTES = 6_000_000
"""Of all transcripts in the page, as JSON."""
_MOVED = ("broken", "fixed")
_MOST_OF_A_GROUP = 2000  # read into memory at a time
_MOST_MISSED = 200
"""Transcripts for which there is no room, one among them perhaps far too long, before the page counts as full."""
Transcript = dict[str, Any]
"""source (probe or a method), seed, round, step, edge, domain, item, question, answer, right, own (the tutee's first
answer), raw, outcome, kept; times: how often it was said. From the probe also again (asked again without feedback), f
(with feedback) and sf (with the own demonstration too), each {"text", "right"}. change: what f did to the answer
(broken, fixed, still right, still wrong, or "" where nobody answered again); change_sf: what s and f did."""


class Chosen(NamedTuple):
    """The transcripts of a page. ``total`` and ``shown``: how many a run has and the page shows, by change.

    ``unread``: the questions' texts are not at hand, and why."""

    transcripts: list[Transcript]
    total: dict[str, int]
    shown: dict[str, int]
    unread: str


def choose(run: Run, most_bytes: int = MOST_BYTES) -> Chosen:
    """Read, sample and complete the transcripts of a run."""
    groups: dict[tuple[object, ...], list[tuple[int, int, Transcript]]] = {}
    total: Counter[str] = Counter()
    for count, one in enumerate(chain(_probed(run), _trained(run))):
        total[one["change"]] += one["times"]
        group = groups.setdefault(_group(one), [])
        entry = (-_chance(one), -count, one)  # the heap's first is the one to let go of
        (heapq.heappush if len(group) < _MOST_OF_A_GROUP else heapq.heappushpop)(group, entry)
    items, unread = _items(run)
    taken, room, missed = [], most_bytes, 0
    for one in _in_turn(groups):
        _complete(one, items.get(one["item"]))
        found: Transcript = visible_in(one)  # what is not seen may be what changed an answer
        size = len(htmlsafe_json_dumps(found))  # as the page has it
        if size <= room:
            room -= size
            taken.append(found)
        elif (missed := missed + 1) > _MOST_MISSED:
            break
    taken.sort(key=_reading_order)
    shown: Counter[str] = Counter()
    for found in taken:
        shown[found["change"]] += found["times"]
    return Chosen(taken, dict(total), dict(shown), unread)


def _group(found: Transcript) -> tuple[object, ...]:
    moved = found["change"] in _MOVED
    return (not moved, found["change"], found["source"], found["edge"], found["round"], found["outcome"])


def _chance(found: Transcript) -> int:
    """A number that depends on the transcript alone."""
    key = "\x1f".join(str(found[k]) for k in ("source", "seed", "round", "step", "edge", "item", "own", "raw"))
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _reading_order(found: Transcript) -> tuple[Any, ...]:
    """What feedback changed first, then by time."""
    moved = _MOVED.index(found["change"]) if found["change"] in _MOVED else len(_MOVED)
    return (moved, found["source"] != PROBE, *(found[k] for k in ("source", "seed", "round", "step", "item", "edge")))


def _in_turn(groups: dict[tuple[object, ...], list[tuple[int, int, Transcript]]]) -> Iterator[Transcript]:
    """Broken and fixed ones, then the others; one of every group in turn."""
    for others in (False, True):
        lines = [
            sorted(g, reverse=True)
            for key, g in sorted(groups.items(), key=lambda pair: str(pair[0]))
            if key[0] is others
        ]
        for rank in zip_longest(*lines):
            yield from (entry[2] for entry in rank if entry is not None)


# -- the run's files ---------------------------------------------------------------------------------


def _trained(run: Run) -> Iterator[Transcript]:
    """What was said in training. Nobody answers again there."""
    for place in run.phases():
        for group in run.phase_files(*place).read_rollouts():
            where = {"source": place.method, "seed": place.seed, "round": place.round, "step": group["step"]}
            yield from _messages(group, place.tutee, where)


def _probed(run: Run) -> Iterator[Transcript]:
    for seed in run.seeds:
        for tutee in run.topology.students:
            for group in run.probe_texts(seed, tutee):
                yield from _messages(group, tutee, {"source": PROBE, "seed": seed, "round": 0, "step": 0})


def _messages(group: dict[str, Any], tutee: str, where: dict[str, Any]) -> Iterator[Transcript]:
    """A transcript for each message on each rollout of a prompt; equal ones once, with how many there are."""
    found: dict[str, Transcript] = {}
    for transcript in _each_message(group, tutee, where):
        known = found.setdefault(json.dumps(transcript), transcript)
        known["times"] = known.get("times", 0) + 1
    yield from found.values()


def _each_message(group: dict[str, Any], tutee: str, where: dict[str, Any]) -> Iterator[Transcript]:
    for y in group["rollouts"]:
        right = y["reward"] == 1
        for m in y.get("messages", ()):
            answers = {"again": _answer(y.get("again"))} | {k: _answer(m.get(k)) for k in ("f", "sf")}
            yield {
                **where,
                "edge": f"{m['tutor']} -> {tutee}",
                "domain": group["domain"],
                "item": group["item"],
                "own": y["text"],
                "right": right,
                "raw": m["raw"],
                "outcome": "voted_down" if m.get("voted_down") else m["outcome"] or "unread",
                "kept": m.get("kept"),
                **{k: v for k, v in answers.items() if v},
                "change": _change(right, answers["f"]),
                "change_sf": _change(right, answers["sf"]),
            }


def _answer(given: dict[str, Any] | None) -> dict[str, Any] | None:
    return {"text": given["text"], "right": given["reward"] == 1} if given else None


def _change(before: bool, after: dict[str, Any] | None) -> str:
    """What feedback did to an answer."""
    if after is None:
        return ""
    if after["right"] == before:
        return "still right" if before else "still wrong"
    return "broken" if before else "fixed"


def _complete(found: Transcript, item: Item | None) -> None:
    """The question and its answer; an item's id is a hash of its text, so a found one is the right one."""
    found["question"] = item.prompt if item else ""
    found["answer"] = f"{item.answer}: {item.correct_text}" if item and item.answer == item.key else ""
    if item and item.answer != item.key:
        found["answer"] = item.answer


def _items(run: Run) -> tuple[dict[str, Item], str]:
    """id -> question, of all that a run trained on or probed; and why there are none."""
    data = run.config.data.model_copy(update={"validation": run.config.break_rate.questions or 1})
    try:
        probed = load_domains(run.config.model_copy(update={"data": data}))
    except (DataError, OSError) as error:
        return {}, str(error)
    splits: tuple[Split, ...] = ("train", "validation")
    return {i.id: i for d in probed.values() for split in splits for i in d.items(split)}, ""
