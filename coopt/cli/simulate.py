"""``coopt simulate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from coopt.core.errors import ConfigError, unknown

if TYPE_CHECKING:
    from coopt.core.config.schema import Config
    from coopt.core.tables.table import Table
    from coopt.driver.simulate.constants import Constants

RATES = ("calibrated", "paper")
_EXAMPLES = """
Examples:

  coopt simulate --topology ring --nodes 1000 --rounds 20
  coopt simulate --methods opcod,always,domain_selective,never --seeds 200
  coopt simulate --topology star --nodes 50 --picture star.svg
  coopt simulate --rates paper --methods opcod,always --seeds 200
  coopt simulate --constant start.native=0.3 --set gate.tau=0.1 --json
  coopt simulate --calibrate runs/PAIR --calibrate runs/RING --out mine.toml
  coopt simulate --calibrate runs/PAIR,runs/RING --predict runs/STAR,runs/COMPLETE
"""


def simulate(
    topology: Annotated[str, typer.Option(help="A shipped topology, or a TOML, JSON or GraphML file.")] = "pair",
    nodes: Annotated[int | None, typer.Option(help="Students in a generated graph. (default: from its file)")] = None,
    domains: Annotated[str, typer.Option(help="Comma list: phys, chem, mat, bio, or any names.")] = "phys,chem",
    rounds: Annotated[int | None, typer.Option(help="Rounds. (default: the preset's)")] = None,
    gate: Annotated[str | None, typer.Option(help="Gate of opcod. (default: cognizance)")] = None,
    methods: Annotated[
        str, typer.Option("--methods", "--method", help="Comma list: sdpo, opcod, or any gate by name.")
    ] = "sdpo,opcod",
    seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    seeds: Annotated[int, typer.Option(help="Number of seeds.")] = 1,
    preset: Annotated[str, typer.Option(help="Settings of the rounds: mini, smol, paper, or a TOML file.")] = "mini",
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any setting: key=value. Repeatable.")] = None,
    constants: Annotated[
        Path | None, typer.Option(help="Constants of the model. (default: the shipped, calibrated ones)")
    ] = None,
    constant: Annotated[list[str] | None, typer.Option(help="Change one constant: KEY=NUMBER. Repeatable.")] = None,
    rates: Annotated[
        str, typer.Option(help="Break-rates of feedback: calibrated, or paper (the published ones).")
    ] = "calibrated",
    calibrate: Annotated[
        list[str] | None, typer.Option(help="Fit the constants to these runs. Repeatable, or a comma list.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where --calibrate writes the constants.")] = None,
    predict: Annotated[
        list[str] | None, typer.Option(help="Simulate these runs and compare. Repeatable, or a comma list.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    style: Annotated[str, typer.Option("--format", help="rich, md, csv, json or latex.")] = "rich",
    picture: Annotated[Path | None, typer.Option(help="Draw scores and open edges: FILE.svg, .pdf or .png.")] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Import gates from files outside the working folder: they are code.")
    ] = False,
) -> None:
    """The same graphs, gates and schedules with simulated students: any number of them, in seconds.

    Nothing that it prints was measured, and every table says so.

    With --calibrate the model is fitted to real runs; with --predict it is compared with them.
    """
    from coopt.core.config.load import load_config
    from coopt.core.tables.table import FORMATS
    from coopt.driver.simulate.constants import load_constants

    if style not in FORMATS:
        raise ConfigError(unknown("format", style, FORMATS))
    if out is not None and not calibrate:
        raise ConfigError("--out is where --calibrate writes the constants. Add --calibrate RUN.")
    if rates not in RATES:
        raise ConfigError(unknown("rates", rates, RATES, "--rates: "))
    form = "json" if as_json else style
    model = load_constants(constants, constant or ())
    if calibrate or predict:
        if picture is not None:
            raise ConfigError("--picture draws a simulation. Leave out --calibrate and --predict, or --picture.")
        if rates != "calibrated":
            raise ConfigError("--rates paper is for simulations. Leave it out with --calibrate and --predict.")
        _fit_and_check(model, _paths(calibrate), _paths(predict), out, form)
        return
    config = load_config(
        preset=preset,
        settings=settings or [],
        topology=topology,
        nodes=nodes,
        domains=domains,
        methods=_list(methods),
        seed=seed,
        seeds=seeds,
        rounds={"rounds": rounds} if rounds is not None else None,
        gate={"kind": gate} if gate is not None else None,
    )
    from coopt.graph.gates.code import trusting

    with trusting(trust):
        _simulate(config, model, rates, form, picture)


simulate.__doc__ = f"{simulate.__doc__}\n\n\b{_EXAMPLES}"


def _list(text: str) -> tuple[str, ...]:
    return tuple(p.strip() for p in text.split(",") if p.strip())


def _paths(given: list[str] | None) -> list[Path]:
    return [Path(p) for text in given or [] for p in _list(text)]


def _simulate(config: Config, model: Constants, rates: str, form: str, picture: Path | None) -> None:
    from coopt.driver.simulate.deciding import check_config
    from coopt.driver.simulate.dynamics import World
    from coopt.driver.simulate.published import Published
    from coopt.driver.simulate.summary import simulate_all
    from coopt.graph.files import load_topology
    from coopt.graph.gates.registry import check_options
    from coopt.reports.figure import check_figure
    from coopt.reports.simulation.tables import simulated_tables

    check_config(config)
    if picture is not None:
        check_figure("--picture", picture)
    topology = load_topology(config.topology, config.domains, config.nodes)
    kinds = (config.gate.kind, *(own.gate for own in topology.settings.values() if own.gate))
    check_options(config.gate.model_copy(update={"kind": kind}) for kind in kinds)
    world = World(topology, config, model)
    if rates == "paper":
        world.feedback = Published(world.model, model.contexts, config)
    console = Console(stderr=True, highlight=False)
    with console.status("simulating") as status:
        results = simulate_all(
            world, config.methods, config.all_seeds, lambda what: status.update(f"simulating {what}")
        )
    if picture is not None:
        from coopt.reports.simulation.picture import draw

        draw(results, picture)
        console.print(f"{picture}: written", markup=False)
    if form == "json":
        print(results.model_dump_json(indent=1))
    else:
        _print(simulated_tables(results), form)


def _fit_and_check(model: Constants, fitted: list[Path], played: list[Path], out: Path | None, form: str) -> None:
    from coopt.reports.simulation.tables import constants_table, explained_table, prediction_table

    tables: list[Table] = []
    answer: dict[str, Any] = {"simulated": True}
    if fitted:
        calibration, model = _calibrate(model, fitted, out)
        tables += [constants_table(model), explained_table(calibration)]
        answer["explained"] = [e._asdict() for e in calibration.explained]
    answer["constants"] = {"name": model.name, **model.model_dump(mode="json")}
    if played:
        from coopt.driver.simulate.predict import predict_runs, score

        predictions = predict_runs(played, model)
        scores = score(predictions)
        held_out = not {p.run for p in predictions} & set(model.fit.runs)
        tables.append(prediction_table(scores, model, held_out))
        answer |= {"held_out": held_out, "scores": [s._asdict() for s in scores]}
        answer["predictions"] = [p._asdict() for p in predictions]
    if form == "json":
        print(json.dumps(answer, indent=1))
    else:
        _print(tables, form)


def _calibrate(model: Constants, runs: list[Path], out: Path | None) -> tuple[Any, Constants]:
    from coopt.driver.simulate.calibrate import calibrate as fit
    from coopt.driver.simulate.constants import write_constants
    from coopt.driver.simulate.reading import commits, read_runs

    console = Console(stderr=True, highlight=False)
    with console.status("calibrating: reading the runs") as status:
        observed = read_runs(runs)
        status.update("calibrating: bootstrap")
        calibration = fit(observed, model, commits(runs))
    found = calibration.constants.model_copy(update={"name": str(out) if out else "calibrated just now"})
    if out is not None:
        f = found.fit
        header = (
            f"Constants of the simulator (docs/simulator.md), calibrated on real runs only.\n"
            f"runs: {', '.join(f.runs)}\ncommit of these runs: {f.commit}\ndate: {f.date}\n"
            f"R2 {f.r2} and RMSE {f.rmse} on {f.gains} gains (student, domain, round).\n"
            f"Written by: coopt simulate --calibrate {','.join(p.name for p in runs)} --out {out.name}"
        )
        write_constants(found, out, header)
        console.print(f"{out}: written", markup=False)
    return calibration, found


def _print(tables: list[Table], form: str) -> None:
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import render

    if form == "rich":
        show(tables, output())
    else:
        print(render(tables, form))  # type: ignore[arg-type]
