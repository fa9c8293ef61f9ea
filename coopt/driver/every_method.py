"""``--method all``: every method that a run can have, and why it cannot have the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coopt.core.config.schema import ALL, Config
from coopt.core.errors import ConfigError, CooptError
from coopt.driver.checks import check_one_method, check_run, check_settings
from coopt.methods.registry import all_methods
from coopt.runs.run import Run


def with_every_method(config: Config, check: Callable[[Config], None] = check_run) -> tuple[Config, dict[str, str]]:
    """The configuration with ``all`` replaced by the methods that its run can have, in the registry's order; and name
    -> reason of those left out. Unchanged where ``all`` is not asked for.

    ``check``: what the run itself must pass (``check_settings`` for a plan without models and rows; then what only
    these can tell leaves no method out). Raises a ``CooptError`` if it does not.
    """
    if ALL not in config.methods:
        return config, {}
    if len(config.methods) > 1:
        raise ConfigError("--method all is every method that the run can have: it stands alone.")
    config = config.model_copy(update={"methods": ()})
    check(config)
    left_out: dict[str, str] = {}
    for name in all_methods():
        more = config.model_copy(update={"methods": (*config.methods, name)})
        try:
            check_one_method(Run(Path(), more), name, models=check is not check_settings)
        except CooptError as error:
            left_out[name] = str(error)
        else:
            config = more
    return config, left_out
