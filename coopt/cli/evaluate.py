"""``coopt eval``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def evaluate(
    models: Annotated[list[str], typer.Argument(help="Model directories (or scimini, smollm2-135m).")],
    domains: Annotated[str, typer.Option(help="Comma list of domains.")] = "phys,chem",
    data: Annotated[str | None, typer.Option(help="Rows, as for coopt bench. (default: the embedded world)")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Settings: mini, smol, real, paper. (default: mini; real with --data)")
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    smoke: Annotated[bool, typer.Option("--smoke", help="Use only a few questions.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any setting: key=value.")] = None,
) -> None:
    """Score models on a split with the bench's statistics; later models are compared with the first.

    \b
    Examples:
      coopt eval runs/NAME/seeds/0/opcod/r4/s1/model --domains phys,chem
      coopt eval DIR1 DIR2 --domains mat --data rows/
    """
    from coopt.core.config.load import load_config, preset_of
    from coopt.core.quiet import quiet_libraries
    from coopt.core.tables.screen import output, show
    from coopt.driver.evaluation import evaluate_models, evaluation_table

    quiet_libraries()
    source = {"source": data} if data is not None else None
    config = load_config(
        preset=preset or preset_of(settings or [], data=data),
        smoke=smoke,
        settings=settings or [],
        domains=domains,
        data=source,
        seed=seed,
    )
    rows = evaluate_models(models, config, split)
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        show([evaluation_table(rows, config)], output())
