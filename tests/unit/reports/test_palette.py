"""Colours of domains: the known ones as ever, others by their names."""

from __future__ import annotations

from coopt.reports.graphs.palette import colours, native_colours


def test_known_domains_keep_their_colours_and_others_have_one() -> None:
    assert colours(["physics", "law"])["physics"] == "#56B4E9"
    assert colours(["law"])["law"] == colours(["law", "physics"])["law"]
    many = colours([f"d{k}" for k in range(14)])
    assert len({many[f"d{k}"] for k in range(8)}) == 8
    assert all(many[f"d{k}"].startswith("#") for k in range(14))


def test_a_graph_and_the_list_beside_it_agree() -> None:
    names = ["law", "medicine", "math", "history"]
    graph = native_colours(["medicine", "law", ""])
    page = native_colours(["", "law", "medicine", "law"], names)
    assert all(page[n] == graph[n] for n in ("law", "medicine", ""))
    assert set(names) <= set(page)
