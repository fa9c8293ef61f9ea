"""``coopt topo``: look at graphs before anything is trained on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coopt.core.errors import ConfigError
from coopt.core.text import one_line
from coopt.graph.cost import TOKENS_PER_SECOND

if TYPE_CHECKING:
    from coopt.graph.topology import Topology

topo = typer.Typer(help="List, measure, draw and check topologies.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="A shipped topology, or a TOML, networkx JSON or GraphML file.")]
_Nodes = Annotated[int | None, typer.Option(help="Students in a generated graph. (default: from its file)")]
_Domains = Annotated[str, typer.Option(help="Comma list: phys, chem, mat, bio, or any names.")]
_Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
_DOMAINS = "phys,chem"


def _load(name: str, domains: str, nodes: int | None = None) -> Topology:
    from coopt.core.names import resolve_domains
    from coopt.graph.files import load_topology

    return load_topology(name, resolve_domains(domains), nodes)


@topo.command("list")
def list_() -> None:
    """The shipped topologies.

    \b
    Example:
      coopt topo list
    """
    from coopt.core.tables.screen import output, show
    from coopt.reports.graphs.tables import list_table

    show([list_table()], output())


@topo.command("show")
def show_(
    name: _Name,
    nodes: _Nodes = None,
    domains: _Domains = _DOMAINS,
    preset: Annotated[str, typer.Option(help="Settings of the round: mini, smol, paper, or a TOML file.")] = "mini",
    tokens_per_second: Annotated[
        float, typer.Option(help="Tokens per second that one device generates and trains on.")
    ] = TOKENS_PER_SECOND,
    as_json: _Json = False,
) -> None:
    """Degrees, diameter, spectral gap, effective neighbours, and what one round costs at most.

    \b
    Examples:
      coopt topo show ring --nodes 8
      coopt topo show my_graph.toml --domains phys,chem,bio --preset paper --tokens-per-second 2000
    """
    from coopt.core.config.load import load_config
    from coopt.core.tables.screen import output, show
    from coopt.graph.cost import round_cost
    from coopt.graph.measures import measure
    from coopt.reports.graphs.tables import show_data, show_table

    if not tokens_per_second > 0:
        raise ConfigError(f"--tokens-per-second must be more than 0, got {tokens_per_second:g}.")
    topology = _load(name, domains, nodes)
    config = load_config(preset=preset, topology=name, domains=domains)
    answer = show_data(topology, measure(topology), round_cost(topology, config), config, tokens_per_second)
    if as_json:
        print(json.dumps(answer, indent=1, ensure_ascii=False))
    else:
        show([show_table(answer)], output())


@topo.command("draw")
def draw_(
    name: _Name,
    out: Annotated[Path | None, typer.Option(help="Picture: FILE.svg or FILE.png. (default: in the terminal)")] = None,
    nodes: _Nodes = None,
    domains: _Domains = _DOMAINS,
    round_: Annotated[
        int | None, typer.Option("--round", min=1, help="One round of a graph that changes. (default: all together)")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Run seed, for random_matching's rounds.")] = 0,
) -> None:
    """Draw a graph in the terminal, or as a picture.

    \b
    Examples:
      coopt topo draw ring
      coopt topo draw small_world --nodes 16 --domains phys,chem,mat,bio --out small_world.svg
      coopt topo draw random_matching --round 2 --seed 1
    """
    topology = _load(name, domains, nodes)
    if round_ is not None:
        if not topology.varies:
            raise ConfigError(f"--round {round_}: {topology.name} is the same in every round. Leave --round out.")
        topology = topology.in_round(round_, seed)
    when = "" if round_ is None else f"round {round_}" + f" of seed {seed}" * (topology.varies == "random_matching")
    if out is not None:
        from coopt.reports.graphs.draw import draw

        draw(topology, out, when)
        print(f"{out}: {topology.name}, {len(topology.nodes)} nodes, {len(topology.edges)} tutor edges")
        return
    from coopt.core.tables.screen import output
    from coopt.reports.graphs.sketch import sketch

    console = output()
    console.print(sketch(topology, console.width, when))


@topo.command("check")
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A TOML, networkx JSON or GraphML file.")],
    domains: _Domains = _DOMAINS,
) -> None:
    """Can this graph be trained, with the models and gates that it names? One line; exit code 2 if not.

    \b
    Example:
      coopt topo check my_graph.toml --domains phys,chem,bio
    """
    from coopt.core.config.load import load_config
    from coopt.driver.checks import check_graph
    from coopt.graph.gates.code import only_looking
    from coopt.runs.run import Run

    topology = _load(file, domains)
    with only_looking():
        check_graph(Run(Path(), load_config(preset="mini", topology=file, domains=domains)))
    counts = [(len(topology.students), "student"), (len(topology.critics), "critic")]
    counts += [(len(topology.edges), "tutor edge"), (len(topology.reviews), "review edge")]
    said = ", ".join(f"{n} {what}{'s' * (n != 1)}" for n, what in counts if n or what == "tutor edge")
    print(f"{one_line(file)}: ok: {said}" + f", varies = {topology.varies}" * bool(topology.varies))
