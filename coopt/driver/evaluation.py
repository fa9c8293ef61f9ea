"""``coopt eval``: models scored on a split, each later one paired with the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError, unknown
from coopt.core.statistics.crossed import estimate
from coopt.core.statistics.design import Array, make_design
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.verdicts import Change, change, corrected
from coopt.core.tables.cells import percent, signed, span
from coopt.core.tables.table import Table
from coopt.domains.base import SPLITS
from coopt.domains.load import load_domains
from coopt.lm.bases import base_directory, check_model_files
from coopt.lm.engines.make import check_engine, make_engine
from coopt.lm.policy import load_policy
from coopt.methods.scoring import score_policy


def evaluate_models(models: Sequence[str], config: Config, split: str) -> list[dict[str, Any]]:
    """One record per model and domain: score, interval, n, and the paired change against the first model (p-values and
    verdicts corrected over all of them)."""
    splits = {s: s for s in SPLITS}
    if split not in splits:
        raise ConfigError(unknown("split", split, SPLITS))
    check_engine(config)
    directories = {m: base_directory(m) for m in models}  # refuse a bad one before scoring any
    for directory in directories.values():
        check_model_files(directory)
    domains = load_domains(config)
    designs = {n: make_design([[i.clusters for i in d.items(splits[split])]]) for n, d in domains.items()}
    first: dict[str, Array] = {}
    rows: list[dict[str, Any]] = []
    changes: list[tuple[dict[str, Any], Change]] = []
    for name, directory in directories.items():
        policy = load_policy(directory, dtype=config.model.dtype, device=config.run.device, trained=False)
        engine = make_engine(config)
        result = score_policy(policy, engine, domains, splits[split], config.sampling, (config.seed, "eval"))
        for domain, found in result["domains"].items():
            values = np.mean(found["correct"], axis=1)[None]
            row = {
                "model": name,
                "domain": domain,
                "score": float(values.mean()),
                "interval": list(proportion_interval(estimate(values, designs[domain]))),
                "questions": values.shape[1],
                "samples": config.sampling.eval_samples,
                "seed": config.seed,
                "constant": domains[domain].constant(splits[split])[1],
                "unparsed": found["unparsed"],
                "read_otherwise": found["read_otherwise"],
                "change": None,
            }
            if domain in first:
                changes.append((row, change(values - first[domain], designs[domain])))
            else:
                first[domain] = values
            rows.append(row)
    for (row, _), moved in zip(changes, corrected([c for _, c in changes]), strict=True):
        row["change"] = {k: v for k, v in moved._asdict().items() if k != "found"}
    return rows


def evaluation_table(rows: Sequence[dict[str, Any]], config: Config) -> Table:
    """The records as a table."""
    cells = []
    for row in rows:
        moved = row["change"]
        cells.append(
            [
                row["model"],
                row["domain"],
                percent(row["score"]),
                span(*row["interval"]),
                percent(row["constant"]),
                str(row["questions"]),
                signed(moved["value"]) if moved else "–",
                span(moved["low"], moved["high"], "+.1f") if moved else "–",
                moved["verdict"] if moved else "–",
            ]
        )
    columns = ["model", "domain", "avg@k", "95 %", "constant", "n", "change", "95 %  ", "verdict"]
    note = (
        f"avg@{config.sampling.eval_samples}, seed {config.seed}; changes: paired over questions with the first model,"
        " verdicts corrected (Holm) over the table. Intervals are about these models."
    )
    return Table("Scores, percent", columns, cells, [note, *_readings(rows)])


def _readings(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each that has answers which could not be read, or which the other way reads otherwise."""
    return [
        f"{row['model']}, {row['domain']}: {percent(row['unparsed'] / answers)} % of {answers:,} answers could not be"
        f" read, {percent(row['read_otherwise'] / answers)} % are read otherwise by data.extraction = lenient (with"
        " lenient: by sdpo)."
        for row in rows
        if (row["unparsed"] or row["read_otherwise"]) and (answers := row["questions"] * row["samples"])
    ]
