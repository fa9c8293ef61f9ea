"""``python -m tests.chaos --count 100 --minutes 30 --out .chaos``; the next call goes on with the next numbers.
A bench's number seeds what happens to it: on a second machine ``--first`` begins where the first has ended."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.runs.provenance import code_state
from tests.chaos.episode import Wanted, episode, undisturbed

EACH = 8  # disturbances of one bench


def disturb(out: Path, count: int, minutes: float, each: int = EACH, first: int = 0) -> list[dict[str, Any]]:
    """So many disturbances, or so many as there is time for; returns what was found, also by calls before. They stand
    in ``out/disturbances.jsonl``, and in words in ``out/report.md``."""
    until, book = time.monotonic() + 60 * minutes, out / "disturbances.jsonl"
    before = store.read_lines(book)
    number = max(first, 1 + max((r["bench"] for r in before), default=-1))
    wanted, done = _wanted(out), 0
    while done < count and time.monotonic() < until:
        found = episode(out / f"bench-{number}", number, min(each, count - done), wanted, _say)
        code = code_state()["commit"]
        rows = [
            {"bench": number, "kind": f.kind, "detail": f.detail, "faults": f.faults, "commit": code} for f in found
        ]
        store.append_lines(book, rows)
        done += len(found)
        number += 1
        store.write_text(out / "report.md", report(store.read_lines(book)))
    return store.read_lines(book)


def _wanted(out: Path) -> Wanted:
    kept = out / "undisturbed.json"
    if not kept.is_file():
        found = undisturbed(out / "undisturbed")
        store.write_json(kept, {"tables": found.tables, "weights": found.weights})
    return Wanted(**json.loads(kept.read_text()))


def report(rows: list[dict[str, Any]]) -> str:
    """Counts by kind, and every fault."""
    kinds, faulty = Counter(r["kind"] for r in rows), Counter(r["kind"] for r in rows if r["faults"])
    lines = ["# Disturbances of a smoke bench", "", "| what | disturbances | with a fault |", "|---|---|---|"]
    lines += [f"| {kind} | {n} | {faulty[kind]} |" for kind, n in sorted(kinds.items())]
    lines += [f"| all, in {len({r['bench'] for r in rows})} benches | {len(rows)} | {sum(faulty.values())} |", ""]
    lines += [f"- bench {r['bench']}, {r['kind']} {r['detail']}: {f}" for r in rows for f in r["faults"]]
    return "\n".join(lines) + "\n"


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=Path(".chaos"))
    parser.add_argument("--first", type=int, default=0, help="number of the first bench")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    before = len(store.read_lines(asked.out / "disturbances.jsonl"))
    rows = disturb(asked.out.resolve(), asked.count, asked.minutes, first=asked.first)
    faults = sum(bool(r["faults"]) for r in rows[before:])
    _say(f"{len(rows) - before} disturbances, {faults} with a fault; {len(rows)} in all. Report: {asked.out}/report.md")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
