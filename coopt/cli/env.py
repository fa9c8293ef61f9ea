"""``coopt env``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def env(
    settings: Annotated[bool, typer.Option("--settings", help="List every setting and its default.")] = False,
) -> None:
    """Versions and hardware for a bug report; with --settings, all settings.

    \b
    Examples:
      coopt env
      coopt env --settings
    """
    if settings:
        from coopt.config.load import setting_keys
        from coopt.config.schema import Config

        defaults = Config().model_dump(mode="json")
        for key in setting_keys():
            value = defaults
            for part in key.split("."):
                value = value[part]
            print(f"{key} = {json.dumps(value)}")
        return
    from coopt.running.provenance import code_state, environment

    print(json.dumps({"commit": code_state()["commit"], **environment()}, indent=1))
