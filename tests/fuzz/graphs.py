"""Graphs in their three formats: one that is accepted has exactly the nodes and edges that stand in the file."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import networkx as nx

from coopt.core.resources import resource_dir
from coopt.graph.files import load_topology
from tests.fuzz.mutate import json_of, mutated, text_mutated, toml_of
from tests.fuzz.rule import BrokenError, refused

DOMAINS = ("physics", "chemistry")
_OWN: dict[str, Any] = {
    "description": "own",
    "nodes": [
        {"id": "s1", "native": "physics"}, {"id": "s2", "train_domains": ["chemistry"]}, {"id": "c", "role": "critic"},
    ],
    "edges": [
        {"tutor": "s1", "tutee": "s2", "gate": "always"}, {"tutor": "c", "tutee": "s1", "style": "naive"},
        {"kind": "review", "reviewer": "s1", "reviewed": "c"},
    ],
}  # fmt: skip


def _linked(own: Mapping[str, Any]) -> dict[str, Any]:
    ends = {"tutor": "source", "tutee": "target", "reviewer": "source", "reviewed": "target"}
    links = [{ends.get(k, k): v for k, v in edge.items()} for edge in own["edges"]]
    return {"directed": True, "multigraph": False, "graph": {}, "nodes": own["nodes"], "links": links}


def _graphml() -> str:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in ("s1", "s2", "s3"):
        graph.add_node(node, native="physics")
    graph.add_edges_from([("s1", "s2"), ("s2", "s3")], gate="always")
    return "\n".join(nx.generate_graphml(graph))


def toml(random: Random, folder: Path) -> bool:
    shipped = [tomllib.loads(p.read_text()) for p in sorted(resource_dir("topologies").glob("*.toml"))]
    text = toml_of(mutated(random.choice([_OWN, _OWN, *shipped]), random))
    return _case(folder / "g.toml", _content(text, random), tomllib.loads)


def node_link(random: Random, folder: Path) -> bool:
    return _case(folder / "g.json", _content(json_of(mutated(_linked(_OWN), random)), random), _from_links)


def _from_links(text: str) -> Any:
    """What a strict reader sees: the same names as TOML's."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    tree = json.loads(text, object_pairs_hook=once)
    edges = []
    for link in tree["links"] if "links" in tree else tree["edges"]:
        pair = [(link["source"], link["target"])]
        for a, b in pair if tree.get("directed", False) else [*pair, pair[0][::-1]]:
            roles = ("reviewer", "reviewed") if link.get("kind") == "review" else ("tutor", "tutee")
            edges.append({roles[0]: str(a), roles[1]: str(b)})
    return {"nodes": [{"id": str(n["id"])} for n in tree["nodes"]], "edges": edges}


def graphml(random: Random, folder: Path) -> bool:
    text = _graphml()
    if random.random() < 0.7:
        root = ElementTree.fromstring(text)
        for _ in range(random.choice((1, 1, 2))):
            element = random.choice(list(root.iter()))
            key = random.choice([*element.attrib, "id", "source", "target", "key"])
            change = random.randrange(5)
            if change == 0:
                element.attrib[key] = random.choice(
                    ("s1", "s2", "x", "", "a b", "s1 -> s2", "\u202e", "d0", "undirected")
                )
            elif change == 1:
                element.attrib.pop(key, None)
            elif change == 2 and len(element):
                element.remove(random.choice(list(element)))
            elif change == 3 and len(element):
                element.append(random.choice(list(element)))
            else:
                element.text = random.choice(("", "x", "physics", "9" * 5000, "a\nb"))
        text = ElementTree.tostring(root, encoding="unicode")
    return _case(folder / "g.graphml", _content(text, random), _from_graphml)


def _from_graphml(text: str) -> Any:
    elements = [(e.tag.rpartition("}")[2], e) for e in ElementTree.fromstring(text).iter()]
    directed = next((e.get("edgedefault") for kind, e in elements if kind == "graph"), "") == "directed"
    edges = []
    for _, e in (pair for pair in elements if pair[0] == "edge"):
        ends = (e.get("source"), e.get("target"))
        edges += [{"tutor": a, "tutee": b} for a, b in ([ends] if directed else [ends, ends[::-1]])]
    return {"nodes": [{"id": e.get("id")} for kind, e in elements if kind == "node"], "edges": edges}


def _content(text: str, random: Random) -> bytes:
    return text.encode(errors="replace") if random.random() < 0.75 else text_mutated(text, random)


def _case(path: Path, content: bytes, strict: Callable[[str], Any]) -> bool:
    path.write_bytes(content)

    def read() -> None:
        found = load_topology(str(path), DOMAINS)
        tree = strict(content.decode("utf-8-sig"))
        if "generator" in tree:
            return
        nodes, edges = Counter(str(n["id"]) for n in tree["nodes"]), tree.get("edges", [])
        tutors = Counter((str(e["tutor"]), str(e["tutee"])) for e in edges if "tutor" in e)
        if nodes != Counter(list(found.nodes)) or (not found.varies and tutors != Counter(map(tuple, found.edges))):
            raise BrokenError(f"nodes {list(found.nodes)}, edges {found.edges}; the file has {nodes}, {tutors}")

    return refused(read)


def targets() -> Iterator[tuple[str, int, Callable[[Random, Path], bool]]]:
    """Name, weight, and what does one case."""
    yield "graph.toml", 4, toml
    yield "graph.json", 4, node_link
    yield "graph.graphml", 3, graphml
