"""``coopt env``."""

from __future__ import annotations

import json
from functools import reduce
from typing import Annotated

import typer


def env(
    settings: Annotated[bool, typer.Option("--settings", help="List every setting and its default.")] = False,
    methods: Annotated[bool, typer.Option("--methods", help="List every method and its options.")] = False,
) -> None:
    """Versions and hardware for a bug report; with --settings, all settings; with --methods, all methods.

    \b
    Examples:
      coopt env
      coopt env --settings
      coopt env --methods
    """
    if settings or methods:
        if settings:
            _settings()
        if methods:
            from coopt.core.tables.screen import output, show
            from coopt.reports.methods import methods_table

            show([methods_table()], output())
        return
    from coopt.runs.provenance import code_state, environment

    print(json.dumps({"commit": code_state()["commit"], **environment()}, indent=1))


def _settings() -> None:
    from coopt.core.config.load import setting_keys
    from coopt.core.config.schema import Config
    from coopt.methods.registry import all_methods

    for key in setting_keys():
        value = reduce(getattr, key.split("."), Config())
        if key != "options":  # one by one below
            print(f"{key} = {json.dumps(value)}")
    for name, found in all_methods().items():
        for key, value in found.Options().model_dump(mode="json").items():
            print(f"options.{name}.{key} = {json.dumps(value)}")
