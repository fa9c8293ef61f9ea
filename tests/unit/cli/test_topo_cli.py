"""``coopt topo``: list, show, draw and check, in this process; the cost of a round by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from coopt.core.config.load import load_config
from coopt.core.errors import TopologyError
from coopt.graph.cost import RoundCost, round_cost
from coopt.graph.files import load_topology, topology_names
from coopt.reports.graphs.draw import draw
from coopt.reports.graphs.places import layout
from coopt.reports.graphs.sketch import sketch
from tests.unit.conftest import Command

DOMAINS = ["physics", "chemistry"]


@pytest.fixture
def topo(cli: Command) -> Command:
    """Run ``coopt topo ARGS`` in an empty folder."""
    return partial(cli, "topo")


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


# -- list, show, check ---------------------------------------------------------------------------------


def test_list_names_every_shipped_topology(topo: Command) -> None:
    rows = {line.split()[0]: line for line in topo("list").out.splitlines() if line.strip()}
    assert set(topology_names()) <= set(rows)
    assert "1 + 3 critics" in rows["fair_committee"]
    assert "3 + 6 reviews" in rows["fair_committee"]
    assert rows["random_matching"].split()[-2:] == ["56", "yes"]


@pytest.mark.parametrize("name", topology_names())
def test_show_says_the_numbers_of_every_shipped_topology(topo: Command, name: str) -> None:
    done = topo("show", name)
    assert done.code == 0
    for word in ("diameter", "spectral gap", "effective neighbours (gamma 0.9)", "one round, preset mini"):
        assert word in done.out
    assert "assumed: 5,000 tokens/s" in done.out
    data = json.loads(topo("show", name, "--json").out)
    assert data["name"] == name
    assert 0 <= data["spectral_gap"] <= 1
    assert 1 <= data["effective_neighbours"] <= len(data["students"]) + 1e-9


def test_show_takes_nodes_domains_and_a_preset(topo: Command) -> None:
    data = json.loads(topo("show", "ring", "--nodes", "9", "--domains", "bio,mat", "--preset", "paper", "--json").out)
    assert list(data["students"].values())[:3] == ["biology", "materials", "biology"]
    assert (data["diameter"], data["tutors_of_a_student"]["max"], data["cost"]["rounds"]) == (4, 2, 2)
    twice = json.loads(
        topo("show", "ring", "--nodes", "9", "--preset", "paper", "--tokens-per-second", "2500", "--json").out
    )
    assert twice["cost"]["device_hours"] == pytest.approx(2 * data["cost"]["device_hours"])


def test_show_of_a_graph_that_is_not_connected(topo: Command, tmp_path: Path) -> None:
    (tmp_path / "g.toml").write_text("nodes = [{id='a'}, {id='b'}]\nedges = [{tutor='a', tutee='b'}]")
    assert "not connected" in topo("show", "g.toml").out
    (tmp_path / "g.toml").write_text("nodes = [{id='a'}, {id='b'}]")
    data = json.loads(topo("show", "g.toml", "--json").out)
    assert (data["connected"], data["diameter"], data["spectral_gap"]) == (False, None, 0)


def test_check_says_ok_or_the_fault(topo: Command, tmp_path: Path) -> None:
    (tmp_path / "g.toml").write_text(
        "nodes = [{id='a', native='bio'}, {id='c', role='critic'}]\nedges = [{tutor='c', tutee='a'}]"
    )
    done = topo("check", "g.toml", "--domains", "phys,bio")
    assert done == (0, "g.toml: ok: 1 student, 1 critic, 1 tutor edge\n", "")
    assert topo("check", "one_peer_exponential").out.endswith("24 tutor edges, varies = one_peer_exponential\n")
    assert topo("check", "solo").out == "solo: ok: 1 student, 0 tutor edges\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "loop.toml"], "loop.toml: edge a -> a is a self-loop"),
        (["check", "gate.toml"], "edge a -> b: gate.kind: unknown gate 'nope'. Allowed: always"),
        (["check", "model.toml"], "node 'a': --model nowhere: no such directory"),
        (["check", "none.toml"], "topology none.toml: no such file. Shipped:"),
        (["check", "loop.yaml"], "A file ends in .toml, .json, .graphml"),
        (["show", "rign"], "Did you mean 'ring'?"),
        (["show", "pair", "--nodes", "4"], "--nodes is for graphs with a [generator]"),
        (["show", "ring", "--domains", "as tro"], "domain 'as tro' is not a plain name"),
        (["show", "ring", "--preset", "maxi"], "unknown preset 'maxi'"),
        (["show", "ring", "--tokens-per-second", "0"], "--tokens-per-second must be more than 0"),
        (["draw", "ring", "--out", "ring.pdf"], "ring.pdf: a picture ends in .svg or .png"),
        (["draw", "ring", "--out", "no/ring.svg"], "no folder no"),
        (["draw", "ring", "--nodes", "61", "--out", "ring.svg"], "61 nodes are too many for a picture (at most 60)"),
        (["draw", "ring", "--nodes", "61"], "61 nodes need"),
        (["draw", "ring", "--round", "2"], "ring is the same in every round"),
        (["draw"], "Missing argument"),
    ],
)
def test_one_line_and_exit_code_2(topo: Command, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "loop.toml").write_text("nodes = [{id='a'}]\nedges = [{tutor='a', tutee='a'}]")
    edge = "edges = [{tutor='a', tutee='b', gate='nope'}]"
    (tmp_path / "gate.toml").write_text(f"nodes = [{{id='a'}}, {{id='b'}}]\n{edge}")
    (tmp_path / "model.toml").write_text("nodes = [{id='a', model='nowhere'}]")
    before = sorted(tmp_path.iterdir())
    done = topo(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before, "nothing is written"


# -- drawings ------------------------------------------------------------------------------------------


def test_the_terminal_shows_lines_and_rings_as_boxes(topo: Command) -> None:
    assert lines(topo("draw", "pair").out) == [
        "╭──────╮     ╭──────╮",
        "│  s1  │     │  s2  │",
        "│ phys │◀───▶│ chem │",
        "╰──────╯     ╰──────╯",
        "an arrow runs from tutor to tutee",
    ]
    assert lines(topo("draw", "directed_ring").out)[:-1] == [
        "╭──────╮     ╭──────╮",
        "│  s1  │     │  s2  │",
        "│ phys │────▶│ chem │",
        "╰──────╯     ╰──────╯",
        "    ▲            │",
        "    │            │",
        "    │            ▼",
        "╭──────╮     ╭──────╮",
        "│  s4  │     │  s3  │",
        "│ chem │◀────│ phys │",
        "╰──────╯     ╰──────╯",
    ]
    committee = topo("draw", "fair_committee").out
    assert committee.count("▼") + committee.count("▶") + committee.count("◀") == 3
    assert "reviews: c1 -> c2, c1 -> c3, c2 -> c1" in committee


def test_the_terminal_shows_other_graphs_as_a_matrix(topo: Command, tmp_path: Path) -> None:
    assert lines(topo("draw", "one_peer_exponential", "--nodes", "3", "--round", "1").out) == [
        "        s1 s2 s3",
        "s1 phys ·  ·  ●",
        "s2 chem ●  ·  ·",
        "s3 phys ·  ●  ·",
        "row tutors column: ●; reviews its feedback: ○",
        "edges change every round: this is round 1",
    ]
    (tmp_path / "g.toml").write_text(
        "nodes = [{id='anna'}, {id='c', role='critic'}, {id='d', role='critic'}, {id='e'}]\n"
        "edges = [{tutor='c', tutee='anna'}, {tutor='d', tutee='anna'}, {kind='review', reviewer='c', reviewed='d'}]"
    )
    assert lines(topo("draw", "g.toml").out)[:5] == [
        "            1 2 3 4",
        "1 anna phys · · · ·",
        "2 c critic  ● · ○ ·",
        "3 d critic  ● · · ·",
        "4 e chem    · · · ·",
    ]


@pytest.mark.parametrize("name", topology_names())
def test_every_shipped_topology_can_be_sketched(name: str) -> None:
    sketch(load_topology(name, DOMAINS), 80)


def test_netext_leaves_the_excepthook_alone(topo: Command) -> None:
    before = sys.excepthook
    topo("draw", "pair")
    assert sys.excepthook is before


@pytest.mark.parametrize("name", topology_names())
def test_a_picture_is_svg_with_every_name(topo: Command, tmp_path: Path, name: str) -> None:
    done = topo("draw", name, "--out", "g.svg")
    topology = load_topology(name, DOMAINS)
    assert done.out == f"g.svg: {name}, {len(topology.nodes)} nodes, {len(topology.edges)} tutor edges\n"
    root = ElementTree.parse(tmp_path / "g.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [(t.text or "").strip() for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(topology.nodes) <= set(texts)
    assert name in texts
    assert "student, native to physics" in texts
    assert ("critic (frozen)" in texts) == bool(topology.critics)
    assert ("reviewer → reviewed" in texts) == bool(topology.reviews)


def test_a_picture_is_a_png_of_readable_size_on_white(topo: Command, tmp_path: Path) -> None:
    topo("draw", "small_world", "--out", "g.png")
    assert (tmp_path / "g.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with Image.open(tmp_path / "g.png") as image:
        assert 800 <= image.width <= 3000
        assert 800 <= image.height <= 3000
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_graph_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        draw(load_topology("two_cliques", DOMAINS), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_layouts() -> None:
    star = layout(load_topology("star", DOMAINS, 9))
    assert tuple(star["s1"]) == (0, 0)
    assert {round(float(x**2 + y**2), 9) for n, (x, y) in star.items() if n != "s1"} == {1}
    chain = layout(load_topology("chain", DOMAINS, 5))
    assert [float(chain[f"s{k + 1}"][0]) for k in range(5)] == [0, 1, 2, 3, 4]
    committee = layout(load_topology("fair_committee", DOMAINS))
    assert tuple(committee["s1"]) == (0, 0)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys; sys.argv = ['coopt', 'topo', 'show', 'ring']; from coopt.cli.main import main; main();"
        " print(sorted({'torch', 'altair', 'vl_convert', 'netext'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"


# -- what a round costs --------------------------------------------------------------------------------


def test_the_cost_of_a_round_by_hand() -> None:
    config = load_config(preset="mini", domains="phys,chem")  # 25 steps x 24 prompts x 8 rollouts = 4,800 answers
    pair = round_cost(load_topology("pair", DOMAINS), config)
    assert pair == RoundCost(rollouts=2 * 4800 * 24, critiques=2 * 4800 * 40, scores=2 * 2 * 200 * 8 * 24)
    assert pair.tokens == 230400 + 384000 + 153600
    assert pair.device_hours(1000) == pytest.approx(pair.tokens / 3.6e6)
    assert round_cost(load_topology("solo", DOMAINS), config).critiques == 0
    assert round_cost(load_topology("critic", DOMAINS), config).critiques == 4800 * 40  # critics cost nothing else


def test_the_cost_does_not_grow_with_the_degree() -> None:
    config = load_config(preset="paper", domains="phys,chem")
    costs = {round_cost(load_topology(n, DOMAINS, 8), config) for n in ("ring", "complete", "one_peer_exponential")}
    assert len(costs) == 1
    odd = round_cost(load_topology("random_matching", DOMAINS, 5), config)
    assert odd.critiques * 5 == round_cost(load_topology("complete", DOMAINS, 5), config).critiques * 4  # one rests


def test_too_large_a_picture_is_refused_before_it_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="too many for a picture"):
        draw(load_topology("ring", DOMAINS, 200), tmp_path / "g.png")
