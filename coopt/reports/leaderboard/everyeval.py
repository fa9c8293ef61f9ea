"""Entries in the schema of Every Eval Ever (version 0.3.0), which other leaderboards read: one file an entry, its place
and name as that collection's validator wants them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.statistics.crossed import LEVEL
from coopt.reports.leaderboard.check import Checked
from coopt.reports.leaderboard.entry import Entry

SCHEMA_VERSION = "0.3.0"
_NAMES = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562: identifiers made of addresses
_METHOD = "seeds crossed with questions and their clusters, a t for each part"
Tree = dict[str, Any]


def write_evaluation(checked: Checked, folder: Path, now: float) -> Path:
    """``data/coopt/coopt/MODEL/UUID.json`` under ``folder``; the same entry gets the same name. ``now``: seconds since
    1970."""
    tree = evaluation(checked.entry, now)
    model = _model(checked.entry).partition("/")[2]
    path = folder / "data" / "coopt" / "coopt" / model / f"{_identifier(checked.entry)}.json"
    store.write_json(path, tree)
    return path


def evaluation(entry: Entry, now: float) -> Tree:
    """An entry as the schema has it: the mean of all students, its change, and every student's scores."""
    record, written = entry.provenance[0], str(int(now))
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"coopt/{entry.name}/{written}",
        "retrieved_timestamp": written,
        "source_metadata": {
            "source_name": "coopt leaderboard",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "first_party",
            "additional_details": {
                "entry": entry.name,
                "outcomes_sha256": entry.outcomes.sha256,
                "informed": "yes" if entry.informed else "no",
            },
        },
        "eval_library": {"name": "coopt", "version": record.packages.get("coopt") or "unknown"},
        "model_info": {
            "name": f"{entry.method} on {entry.model}",
            "id": _model(entry),
            "developer": "coopt",
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                "base_model": entry.model,
                "method": entry.method,
                "topology": entry.topology,
                "students": ", ".join(entry.students),
                "seeds": " ".join(map(str, entry.seeds)),
            },
        },
        "evaluation_results": list(_results(entry)),
    }


def _identifier(entry: Entry) -> uuid.UUID:
    """A version 4 by its form, as the collection wants it; of the content, so that an export can be repeated."""
    drawn = uuid.uuid5(_NAMES, f"{entry.name} {entry.outcomes.sha256}")
    return uuid.UUID(bytes=drawn.bytes, version=4)


def _model(entry: Entry) -> str:
    """Whoever trained it is not known: the students are coopt's, of this method and graph."""
    return f"coopt/{entry.model}-{entry.topology}-{entry.method}".replace(" ", "_")


def _results(entry: Entry) -> Iterator[Tree]:
    mean = entry.measures.overall
    everything = ", ".join(entry.domains)
    yield _result(entry, "mean of all students and domains", everything, (mean.score, mean.low, mean.high), "avg", {})
    moved = mean.change
    yield _result(
        entry,
        "change against the initial students, mean of all students and domains",
        everything,
        (moved.value, moved.low, moved.high),
        "change",
        {"p": f"{moved.p:.6g}", "verdict": moved.verdict, "start": f"{mean.start:.6g}"},
    )
    for score in entry.measures.scores:
        if score.who == entry.method:
            details = {"student": score.student, "native": "yes" if score.native else "no"}
            what = f"{score.student} in {score.domain}"
            yield _result(entry, what, score.domain, (score.score, score.low, score.high), "avg", details)


def _result(
    entry: Entry, what: str, domains: str, measured: tuple[float, float, float], kind: str, details: dict[str, str]
) -> Tree:
    score, low, high = measured
    change = kind == "change"
    name = f"coopt.{'change_of_' * change}avg_at_k"
    sizes = {c.domain: c.questions for c in entry.measures.constants}
    hashes = {d: splits["test"] for d, splits in entry.data.items()}
    asked = domains.split(", ")
    return {
        "evaluation_result_id": f"{entry.outcomes.sha256[:16]}/{what}",
        "evaluation_name": what,
        "source_data": {
            "dataset_name": f"{entry.world}: {domains}",
            "source_type": "other",
            "additional_details": {
                "split": entry.split,
                "questions": str(sum(sizes[d] for d in asked)),
                "hash_of_questions": ", ".join(hashes[d] for d in asked),
            },
        },
        "metric_config": {
            "evaluation_description": f"Mean share of right answers over {entry.samples} sampled answers per question.",
            "metric_id": name,
            "metric_name": f"{'change of ' * change}avg@{entry.samples}",
            "metric_kind": "accuracy",
            "metric_unit": "proportion",
            "metric_parameters": {"k": entry.samples},
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": -1.0 if change else 0.0,
            "max_score": 1.0,
        },
        "score_details": {
            "score": score,
            "details": details,
            "uncertainty": {
                "confidence_interval": {"lower": low, "upper": high, "confidence_level": LEVEL, "method": _METHOD},
                "num_samples": sum(sizes[d] for d in asked) * entry.samples * len(entry.seeds),
            },
        },
        "generation_config": {"generation_args": _generation(entry)},
    }


def _generation(entry: Entry) -> Tree:
    own = entry.config.get("sampling", {})
    return {
        "temperature": own.get("eval_temperature"),
        "top_p": own.get("eval_top_p"),
        "max_tokens": own.get("max_response_tokens", 1),
    }
