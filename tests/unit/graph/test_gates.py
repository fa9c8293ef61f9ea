"""Gates: the paper's examples, scopes, ablations, plug-ins, and the noise of a decision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest

from coopt.core.config.schema import GateConfig
from coopt.core.errors import ConfigError, PluginError
from coopt.graph.build import build_topology
from coopt.graph.gates.base import Decision, Decisions, EdgeByEdge, Gate, View
from coopt.graph.gates.cognizance import CognizanceGate, Scope, gaps
from coopt.graph.gates.constant import RandomGate
from coopt.graph.gates.decided import decided as asked
from coopt.graph.gates.journaled import decide_edges
from coopt.graph.gates.registry import GATES, make_gate
from coopt.graph.topology import Edge, Topology
from coopt.testing import check_gate

DOMAINS = ("physics", "chemistry")
BOTH = [(0, 1), (1, 0)]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's gates lie in it."""
    monkeypatch.chdir(tmp_path)


def view(*scores: Sequence[float], edges: Sequence[tuple[int, int]] = BOTH) -> View:
    return View.of(np.array(scores, dtype=float), edges)


def decided(gate: Gate, *scores: Sequence[float], edges: Sequence[tuple[int, int]] = BOTH) -> Decisions:
    return gate.decide(view(*scores, edges=edges))


def test_the_papers_example_is_closed_both_ways() -> None:
    found = decided(CognizanceGate(0.2), [1.0, 0.7], [0.7, 1.0])
    assert not found.open_ED.any()
    assert found.gap_E == pytest.approx([0.3, 0.3])
    assert list(found.reason_E) == ["incognizant"] * 2


def test_more_equal_domains_do_not_open_it() -> None:
    assert not decided(CognizanceGate(0.2), [1.0, 0.7, 0.5, 0.5], [0.7, 1.0, 0.5, 0.5]).open_ED.any()


def test_open_at_the_threshold_whatever_the_rounding() -> None:
    found = decided(CognizanceGate(0.2), [0.8, 0.3], [1.0, 0.3])
    assert found.open_ED.all()
    assert found.gap_E is not None
    assert found.gap_E[1] == 0


def test_a_domain_nobody_solves_counts_nothing_and_all_such_domains_close_it() -> None:
    assert gaps(view([0.0, 0.9], [0.0, 1.0]))[0] == pytest.approx(0.1)
    found = decided(CognizanceGate(0.2), [0.0, 0.0], [0.0, 0.0])
    assert (found.open_ED.any(), found.reason_E[0]) == (False, "no_signal")


@pytest.mark.parametrize("scope", get_args(Scope))
def test_all_scopes_are_the_papers_rule_for_a_pair(scope: Scope) -> None:
    found = decided(CognizanceGate(0.2, scope), [0.9, 0.8], [0.8, 1.0])
    assert found.gap_E is not None
    assert (found.gap_E[0], found.threshold, found.open_ED[0].all()) == (pytest.approx(0.2), 0.2, True)


def test_scopes_differ_on_a_chain() -> None:
    edges = [(0, 1), (2, 1)]
    found = {s: decided(CognizanceGate(0.2, s), [0.6], [0.6], [1.0], edges=edges) for s in get_args(Scope)}
    assert found["edge"].gap_E == pytest.approx([0, 0])
    assert found["neighbourhood"].gap_E == pytest.approx([0.4, 0])
    assert found["graph"].gap_E == pytest.approx([0.4, 0])
    assert found["graph"].threshold == pytest.approx(0.1)


def test_neighbourhood_is_the_tutee_and_all_its_tutors_only() -> None:
    """Node 3 is the best of all, but tutors nobody that node 0 tutors."""
    edges = [(0, 1), (2, 1), (0, 3)]
    gap_E = decided(CognizanceGate(0.2, "neighbourhood"), [0.6], [0.6], [0.8], [1.0], edges=edges).gap_E
    assert gap_E == pytest.approx([0.25, 0, 0.4])


def test_vectorised_gaps_are_the_formula() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((30, 4)) * (rng.random((30, 4)) > 0.2)
    edges = [(int(a), int(b)) for a, b in rng.integers(0, 30, (200, 2)) if a != b]
    found = gaps(View.of(scores, edges))
    for (tutor, tutee), gap in zip(edges, found, strict=True):
        terms = []
        for d in range(4):
            best = max(scores[tutor, d], scores[tutee, d])
            terms += [(best - scores[tutor, d]) / best] if best > 0 else []
        assert gap == pytest.approx(sum(terms)) if terms else np.isnan(gap)


def test_who_is_not_trained_on_a_domain_is_not_the_best_in_it() -> None:
    base = view([0.5, 0.9], [1.0, 0.9])
    assert gaps(base)[0] == pytest.approx(0.5)
    narrowed = base._replace(contends_ND=np.array([[True, True], [False, True]]))
    assert gaps(narrowed)[0] == 0


def test_domain_selective_lets_an_incognizant_tutor_speak_where_it_is_stronger() -> None:
    found = decided(make_gate(GateConfig(kind="domain_selective")), [1.0, 0.5], [0.7, 1.0])
    assert found.open_ED.tolist() == [[True, False], [False, True]]
    assert list(found.reason_E) == ["stronger_domain"] * 2
    cognizant = decided(make_gate(GateConfig(kind="domain_selective")), [1.0, 0.9], [0.9, 1.0])
    assert cognizant.open_ED.all()


def test_per_domain_opens_each_domain_for_itself() -> None:
    found = decided(make_gate(GateConfig(kind="per_domain")), [0.91, 0.5], [1.0, 1.0])
    assert found.open_ED.tolist() == [[True, False], [True, True]]
    assert list(found.reason_E) == ["partly", "cognizant"]
    assert not decided(make_gate(GateConfig(kind="per_domain")), [0.0, 0.0], [0.0, 0.0]).open_ED.any()


def test_random_opens_at_its_rate_and_the_same_edges_again() -> None:
    many = View.of(np.full((200, 2), 0.5), [(k, (k + h) % 200) for k in range(200) for h in (1, 2, 3, 4, 5)])
    found = RandomGate(0.3).decide(many).open_ED
    assert (found[:, 0] == found[:, 1]).all()
    assert found[:, 0].mean() == pytest.approx(0.3, abs=0.05)
    assert (RandomGate(0.3).decide(many).open_ED == found).all()
    assert (RandomGate(0.3).decide(many._replace(round=2)).open_ED != found).any()
    assert RandomGate().decide(many._replace(matched_rate=1.0)).open_ED.all()
    with pytest.raises(ConfigError, match=r"needs gate\.rate"):
        RandomGate().decide(many)


@pytest.mark.parametrize("kind", GATES)
def test_every_shipped_gate_keeps_the_rules_for_gates(kind: str) -> None:
    check_gate(make_gate(GateConfig(kind=kind, rate=0.5)))


# -- plug-ins ------------------------------------------------------------------------------------------

PLUG_IN = """
from coopt.graph.gates.base import Decision, EdgeByEdge

class Braver(EdgeByEdge):
    name = "braver"
    def __init__(self, config):
        self.margin = config.options.get("margin", 0.0)
    def decide_edge(self, tutor_D, tutee_D, view):
        return Decision(list(tutor_D + self.margin >= tutee_D), "braver")
"""


def test_a_users_file_is_a_gate(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUG_IN)
    gate = make_gate(GateConfig(kind=f"{path}:Braver", options={"margin": 0.1}))
    check_gate(gate)
    assert decided(gate, [0.5, 0.5], [0.55, 0.9]).open_ED.tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Other: pass", "has no 'Braver'"),
        ("1 / 0", "ZeroDivisionError"),
        ("class Braver:\n    def __init__(self, config): pass", "not a gate: it needs name"),
        ("class Braver: pass", "called with the gate's settings it fails: TypeError"),
    ],
)
def test_a_bad_plug_in_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        make_gate(GateConfig(kind=f"{path}:Braver"))
    with pytest.raises(ConfigError, match="no such file"):
        make_gate(GateConfig(kind=f"{tmp_path}/nowhere.py:Braver"))


def test_the_conformance_check_finds_a_gate_that_is_not_pure() -> None:
    class Fickle:
        name, reads_scores = "fickle", True

        def __init__(self) -> None:
            self.calls = 0

        def decide(self, view: View) -> Decisions:
            self.calls += 1
            shape = len(view.tutor_E), view.scores_ND.shape[1]
            return Decisions(np.full(shape, self.calls % 2 == 0), ["?"] * shape[0])

    with pytest.raises(AssertionError, match="same view"):
        check_gate(Fickle())


def _all(open_ED: Any = None, reason_E: Any = None, gap_E: Any = None, threshold: Any = None) -> Any:
    """A gate's ``decide`` that returns this, each a function of the shape."""

    def decide(self: object, view: View) -> Any:
        shape = len(view.tutor_E), view.scores_ND.shape[1]
        return Decisions(
            open_ED(shape) if open_ED else np.ones(shape, dtype=bool),
            reason_E(shape[0]) if reason_E else ["open"] * shape[0],
            gap_E(shape[0]) if gap_E else None,
            threshold,
        )

    return decide


WRONG: list[tuple[Any, str]] = [
    (lambda self, view: None, "decide returned a NoneType; expected Decisions"),
    (lambda self, view: 1 / 0, "decide raised ZeroDivisionError"),
    (_all(open_ED=lambda s: np.ones(s[0], dtype=bool)), r"open_ED of shape \(\d+,\) .* expected .* shape \(\d+, 3\)"),
    (_all(open_ED=lambda s: np.ones((s[0], s[1] + 1), dtype=bool)), r"open_ED of shape \(\d+, 4\)"),
    (_all(open_ED=lambda s: np.ones((s[0] + 1, s[1]), dtype=bool)), "one row per edge and one column per domain"),
    (_all(open_ED=lambda s: np.ones(s)), "type float64; expected a Boolean array"),
    (_all(open_ED=lambda s: [[True] * s[1]] * s[0]), "open_ED as a list; expected a Boolean array"),
    (_all(reason_E=lambda e: ["open"] * (e + 1)), r"\d+ reasons in reason_E; expected \d+, one per edge"),
    (_all(reason_E=lambda e: iter(["open"] * e)), "reason_E as a list_iterator; expected a list of"),
    (_all(reason_E=lambda e: [""] * e), "a reason in reason_E that is empty"),
    (_all(gap_E=lambda e: np.ones(e + 1)), r"gap_E of shape \(\d+,\); expected"),
    (_all(gap_E=lambda e: [0.0] * e), "gap_E as a list"),
    (_all(threshold="high"), "threshold = 'high'; expected a number"),
]


@pytest.mark.parametrize(("decide", "said"), WRONG)
def test_what_a_gate_returns_wrongly_is_said_in_its_own_terms(decide: Any, said: str) -> None:
    """In the conformance check and in a run alike: not in numpy's words, edges and domains later."""
    gate = type("Wrong", (), {"name": "wrong", "reads_scores": False, "decide": decide})()
    with pytest.raises(AssertionError, match=f"gate 'wrong': .*{said}"):
        check_gate(gate)
    view = View.of(np.zeros((2, 3)), [(0, 1)])
    with pytest.raises(PluginError, match=said):
        asked(gate, view)


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (None, "a NoneType; expected Decision"),
        (Decision([True], "one"), "open_D with 1 entries; expected 3, one per domain"),
        (Decision([True] * 4, "four"), "open_D with 4 entries; expected 3"),
        (Decision(True, "yes"), "open_D as a bool; expected a list"),  # type: ignore[arg-type]
    ],
)
def test_so_is_what_a_gate_says_of_one_edge(decision: Any, said: str) -> None:
    class Edgewise(EdgeByEdge):
        name = "edgewise"

        def decide_edge(self, tutor_D: Any, tutee_D: Any, view: View) -> Decision:
            return decision  # type: ignore[no-any-return]

    with pytest.raises(AssertionError, match=f"gate 'edgewise': decide_edge returned .*{said}"):
        check_gate(Edgewise())


def test_decisions_may_be_of_a_class_of_ones_own() -> None:
    class Mine(NamedTuple):
        open_ED: Any
        reason_E: Any
        gap_E: Any = None
        threshold: Any = None

    shape = (1, 3)
    gate = type("Own", (), {"name": "own", "reads_scores": False, "decide": None})()
    gate.decide = lambda view: Mine(np.ones(shape, dtype=bool), ["open"])
    assert asked(gate, View.of(np.zeros((2, 3)), [(0, 1)])).open_ED.all()


def test_unknown_gate_names_the_allowed_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"Did you mean 'cognizance'.*always, benefit, cognizance, confident, domain_selective, never"
    ):
        make_gate(GateConfig(kind="cognisance"))


# -- the journal's record ------------------------------------------------------------------------------


def topology(edges: list[dict[str, str]], *more: dict[str, str]) -> Topology:
    return build_topology("t", {"nodes": [{"id": "a"}, {"id": "b"}, *more], "edges": edges}, DOMAINS, "test")


def result(*right: int) -> dict[str, object]:
    return {"domains": {d: {"correct": [[1]] * r + [[0]] * (100 - r)} for d, r in zip(DOMAINS, right, strict=True)}}


def record(found: Topology, gates: dict[Edge, GateConfig], **results: object) -> dict[str, dict[str, object]]:
    return decide_edges(gates, found, results, domains=DOMAINS, draws=500, seed=0, round_=1)


def test_the_journal_keeps_a_gates_own_number(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUG_IN.replace('"braver")', '"braver", float(tutor_D[0] - tutee_D[0]))'))
    gates = {Edge("a", "b"): GateConfig(kind=f"{path}:Braver"), Edge("b", "a"): GateConfig(kind="always")}
    found = record(topology([{"tutor": "a", "tutee": "b"}, {"tutor": "b", "tutee": "a"}]), gates,
                   a=result(50, 99), b=result(90, 99))  # fmt: skip
    assert found["a -> b"]["number"] == pytest.approx(-0.4)
    assert found["a -> b"]["gap"] == pytest.approx(4 / 9)
    assert found["b -> a"]["number"] is None


def test_a_decision_carries_its_noise() -> None:
    pair = topology([{"tutor": "a", "tutee": "b"}])
    gates = {Edge("a", "b"): GateConfig()}
    near = record(pair, gates, a=result(90, 90), b=result(99, 99))["a -> b"]
    far = record(pair, gates, a=result(20, 99), b=result(99, 99))["a -> b"]
    assert near["open"]
    assert near["domains"] == list(DOMAINS)
    assert near["gap_low"] < near["gap"] < near["gap_high"]  # type: ignore[operator]
    assert near["flip"] > 0.2  # type: ignore[operator]
    assert far["flip"] == 0
    assert not far["open"]
    assert far["domains"] == []


def test_every_edge_goes_by_its_own_gate_and_a_critic_need_not_be_scored() -> None:
    found = topology(
        [{"tutor": "a", "tutee": "b"}, {"tutor": "b", "tutee": "a"}, {"tutor": "c", "tutee": "a"}],
        {"id": "c", "role": "critic", "endpoint": "http://127.0.0.1:9/v1", "model": "m"},
    )
    gates = {Edge("a", "b"): GateConfig(), Edge("b", "a"): GateConfig(kind="never"),
             Edge("c", "a"): GateConfig(kind="always")}  # fmt: skip
    records = record(found, gates, a=result(90, 90), b=result(95, 95))
    assert [r["open"] for r in records.values()] == [True, False, True]
    assert records["b -> a"]["gap"] == 0  # measured, though its gate does not read it
    assert records["c -> a"]["gap"] is None


def test_the_matched_rate_counts_what_the_cognizance_gate_decided() -> None:
    from coopt.driver.choices import Journaled

    class Kept:
        def all(self, event: str) -> dict[str, object]:
            closed, critic = {"open": False, "reason": "incognizant"}, {"open": True, "reason": "always"}
            return {"0/opcod/r1": {"a -> b": closed, "c -> b": critic}, "1/opcod/r1": {"a -> b": critic}}

    run: Any = None  # not looked at
    shares = [Journaled(run, seed, Kept())._open_share() for seed in (0, 1)]  # type: ignore[arg-type]
    assert shares == [0, None]


def test_the_threshold_is_that_of_the_scores_and_not_of_a_resample() -> None:
    class Moving(CognizanceGate):
        def decide(self, view: View) -> Decisions:
            return super().decide(view)._replace(threshold=float(view.scores_ND.mean()))

    pair = topology([{"tutor": "a", "tutee": "b"}])
    GATES["moving"] = lambda c: Moving()
    try:
        found = record(pair, {Edge("a", "b"): GateConfig(kind="moving")}, a=result(60, 60), b=result(70, 70))
    finally:
        del GATES["moving"]
    assert found["a -> b"]["threshold"] == pytest.approx(0.65)


def test_a_tutor_that_is_no_node_is_open() -> None:
    found = record(topology([]), {Edge("oracle", "a"): GateConfig(kind="always")}, a=result(60, 60), b=result(70, 70))
    assert (found["oracle -> a"]["open"], found["oracle -> a"]["domains"]) == (True, list(DOMAINS))
