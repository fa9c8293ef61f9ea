"""Entries of version 2, whose intervals left out seeds and clusters: the same answers, numbers worked out anew."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from coopt.core import store
from coopt.core.config.load import check as check_config
from coopt.core.errors import EntryError
from coopt.core.outside.files import read_bytes
from coopt.domains.load import load_domains
from coopt.reports.leaderboard.answers import SCHEMA, Question, read_answers, read_table, write_answers
from coopt.reports.leaderboard.entry import VERSION, Entry, OutcomesFile, read_tree
from coopt.reports.leaderboard.evidence import LARGEST_ENTRY, LARGEST_OUTCOMES, read_plain
from coopt.reports.leaderboard.measures import measure

_BEFORE = pa.schema([field for field in SCHEMA if field.name != "clusters"])


def renew_entry(path: Path) -> bool:
    """Whether there was anything to do. Raises ``EntryError``, and ``DataError`` where its questions are not here."""
    _, tree = read_tree(path, read_plain(path, LARGEST_ENTRY))
    if tree.get("version") == VERSION:
        return False
    if tree.get("version") != VERSION - 1:
        raise EntryError(f"{path}: schema version {tree.get('version')}. Make a new one: coopt leaderboard add RUN.")
    beside = path.with_name(Path(tree["outcomes"]["file"]).name)
    data = read_plain(beside, LARGEST_OUTCOMES)
    if hashlib.sha256(data).hexdigest() != tree["outcomes"]["sha256"]:
        raise EntryError(f"{path}: outcomes.sha256 is not the hash of {beside.name}.")
    domains = load_domains(check_config(tree["config"]))
    asked = {i.id: Question.of(i) for domain in domains.values() for i in domain.items("test")}
    table = read_table(beside, data, _BEFORE)
    missing = set(table["item"].unique().to_pylist()) - set(asked)
    if missing:
        raise EntryError(f"{path}: {len(missing)} of its questions are not in its data, such as {min(missing)}.")
    clusters = pa.array([list(asked[i].clusters) for i in table["item"].to_pylist()], pa.list_(pa.string()))
    whole = table.append_column("clusters", clusters).select(SCHEMA.names).cast(SCHEMA)
    sizes = {c["domain"]: c["questions"] for c in tree["measures"]["constants"]}
    answers = read_answers(path, whole, tree["method"], tree["students"], sizes, tree["seeds"], tree["samples"])
    with store.replacing(beside) as temporary:
        write_answers(temporary, answers)
        digest = hashlib.sha256(read_bytes(temporary)).hexdigest()
        outcomes = OutcomesFile(file=beside.name, sha256=digest)
        new = {"version": VERSION, "measures": measure(answers, tree["native"]), "outcomes": outcomes}
        entry = Entry.model_validate(tree | new)
    store.write_json(path, entry.model_dump(mode="json"))
    return True
