"""Feedback in the place of the own correct rollout, and the order of the two."""

from __future__ import annotations

import pytest

from coopt.core.config.load import load_config
from coopt.core.config.schema import GateConfig
from coopt.core.names import Order
from coopt.domains.reprompt import reprompt
from coopt.domains.wording import SCIENCE
from coopt.graph.files import load_topology
from coopt.methods.algorithms.f_only import FOnly
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.base import Trained
from coopt.methods.registry import make_method
from coopt.methods.rollouts import Context, Feedback, Told

KEPT = Told("s2", "raw", Feedback("kept", "said", False, False), unread=False)
DROPPED = Told("s2", "raw", Feedback("no_match", None, False, False), unread=False)
SOLVED = Told("s2", "raw", Feedback("kept", "solved", False, False), unread=False, rewrite=True)


@pytest.mark.parametrize("name", ["f_only", "always_f_only"])
def test_f_takes_the_place_of_s_where_it_was_kept(name: str) -> None:
    found = make_method(name)
    assert isinstance(found, FOnly)
    assert found.context("own", [KEPT]) == Context(None, "said")
    assert found.context("own", [DROPPED]) == found.context("own", []) == Context("own", None)
    assert found.context("own", [SOLVED]) == Context("solved", None), "a whole solution is no feedback"
    assert OPCoD().context("own", [KEPT]) == Context("own", "said")


def test_they_stand_behind_the_gates_of_opcod_and_always() -> None:
    graph = load_topology("pair", ("physics", "chemistry"))
    gated = GateConfig(kind="per_domain")
    for name, twin in (("f_only", "opcod"), ("always_f_only", "always")):
        ours, theirs = make_method(name), make_method(twin)
        assert isinstance(ours, Trained)
        assert isinstance(theirs, Trained)
        assert ours.gates(graph, gated) == theirs.gates(graph, gated)


@pytest.mark.parametrize(("order", "places"), [("s_f", ["own", "said"]), ("f_s", ["said", "own"])])
def test_the_order_of_the_blocks(order: Order, places: list[str]) -> None:
    text = reprompt(SCIENCE, "Q?", "own", "said", order=order)
    assert sorted(places, key=text.index) == places
    assert text.startswith("Q?")
    assert text.endswith(SCIENCE.closing)


@pytest.mark.parametrize(("s", "f", "reference"), [("own", None, None), (None, "said", None), (None, None, "given")])
def test_with_one_block_the_order_is_nothing(s: str | None, f: str | None, reference: str | None) -> None:
    first, second = (reprompt(SCIENCE, "Q?", s, f, reference, order) for order in ("s_f", "f_s"))
    assert first == second


def test_the_usual_order_leaves_settings_as_they_were_written() -> None:
    """So that runs of before keep their names and can be resumed."""
    assert "order" not in load_config().feedback.model_dump()
    assert load_config(settings=["feedback.order=f_s"]).feedback.model_dump()["order"] == "f_s"
