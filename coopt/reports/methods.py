"""The methods that are there, as a table."""

from __future__ import annotations

import json

from coopt.core.config.schema import ALL, ALWAYS_THERE
from coopt.core.tables.cells import NONE
from coopt.core.tables.table import Table
from coopt.methods.registry import all_methods


def methods_table() -> Table:
    """Name, what it is, and its own options with their defaults."""
    rows = []
    for name, found in all_methods().items():
        options = found.Options().model_dump(mode="json")
        rows.append([name, found.description, ", ".join(f"{k} = {json.dumps(v)}" for k, v in options.items()) or NONE])
    notes = [
        f"{' and '.join(ALWAYS_THERE)} train nothing and stand in every table; --method {ALL}: every method that the"
        " run can have.",
        "Options: --set options.NAME.KEY=VALUE. Where each comes from, and how to add one: docs/methods.md.",
    ]
    return Table("Methods (coopt bench --method)", ["method", "what it is", "options"], rows, notes)
