"""Gates that decide by evidence: a confidence bound of the tutor's lead, and what the break-rate probe saw."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.core.config.schema import GateConfig
from coopt.core.errors import ConfigError
from coopt.graph.build import build_topology
from coopt.graph.gates.base import View
from coopt.graph.gates.benefit import BenefitGate
from coopt.graph.gates.confident import ConfidentGate
from coopt.graph.gates.evidence import Effect, Probed, lead_halves
from coopt.graph.gates.journaled import GateRecord, decide_edges
from coopt.graph.topology import Edge
from coopt.testing import check_gate

DOMAINS = ("physics", "chemistry")
EDGE = Edge("a", "b")
PAIR = build_topology(
    "t", {"nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"tutor": "a", "tutee": "b"}]}, DOMAINS, "test"
)


def view(tutor: list[float], tutee: list[float]) -> View:
    return View.of(np.array([tutor, tutee]), [(0, 1)])


@pytest.mark.parametrize("gate", [ConfidentGate(), BenefitGate()])
def test_they_keep_the_rules_of_gates(gate: ConfidentGate | BenefitGate) -> None:
    check_gate(gate)


def test_confident_opens_where_the_lower_bound_of_the_lead_is_above_zero() -> None:
    seen = view([0.9, 0.9], [0.8, 0.8])._replace(lead_half_ED=np.array([[0.05, 0.15]]))
    found = ConfidentGate().decide(seen)
    assert found.open_ED.tolist() == [[True, False]]
    assert found.reason_E == ["partly_ahead"]
    assert found.gap_E == pytest.approx([0.05])
    unscored = seen._replace(lead_half_ED=np.full((1, 2), np.nan))
    assert not ConfidentGate().decide(unscored).open_ED.any()
    equal = view([0.9, 0.9], [0.9, 0.9])._replace(lead_half_ED=np.zeros((1, 2)))
    assert not ConfidentGate().decide(equal).open_ED.any(), "as good as the tutee is not ahead"


def test_benefit_weighs_fix_by_wrong_and_break_by_right() -> None:
    rates = {"fix_ED": np.array([[0.2, 0.2]]), "break_ED": np.array([[0.1, 0.1]])}
    found = BenefitGate().decide(view([0.0, 0.0], [0.6, 0.8])._replace(**rates))
    assert found.open_ED.tolist() == [[True, False]], "the same feedback harms whom there is more to break of"
    assert found.gap_E == pytest.approx([(0.2 * 0.4 - 0.1 * 0.6 + 0.2 * 0.2 - 0.1 * 0.8) / 2])
    none = {"fix_ED": np.full((1, 2), np.nan), "break_ED": np.full((1, 2), np.nan)}
    closed = BenefitGate().decide(view([0.0, 0.0], [0.5, 0.5])._replace(**none))
    assert (closed.open_ED.any(), closed.reason_E) == (False, ["not_probed"])


@pytest.mark.parametrize("gate", [ConfidentGate(), BenefitGate()])
def test_without_evidence_they_refuse_in_a_line(gate: ConfidentGate | BenefitGate) -> None:
    with pytest.raises(ConfigError, match=rf"gate {gate.name} reads"):
        gate.decide(view([1.0, 1.0], [0.0, 0.0]))


# -- in the journal --------------------------------------------------------------------------------


def result(*right: list[int]) -> dict[str, object]:
    """Answers, one to a question: 1 where right."""
    return {"domains": {d: {"correct": [[x] for x in r]} for d, r in zip(DOMAINS, right, strict=True)}}


def decided(kind: str, tutor: object, tutee: object, probed: Probed | None = None) -> GateRecord:
    return decide_edges(
        {EDGE: GateConfig(kind=kind)}, PAIR, {"a": tutor, "b": tutee}, domains=DOMAINS, draws=400, seed=0, round_=1,
        probed=(lambda: probed) if probed is not None else None,
    )[str(EDGE)]  # fmt: skip


def test_a_lead_is_paired_over_the_questions() -> None:
    """The same scores: where the tutor gets right whatever the tutee does, and ten more, that shows; where they answer
    different questions it does not."""
    tutee = [1] * 50 + [0] * 50
    nested, other = [1] * 60 + [0] * 40, [0] * 40 + [1] * 60
    shown = decided("confident", result(nested, nested), result(tutee, tutee))
    assert shown["domains"] == list(DOMAINS)
    assert shown["number"] > 0
    assert decided("confident", result(other, other), result(tutee, tutee))["domains"] == []
    halves = lead_halves({"a": result(nested, other), "b": result(tutee, tutee)}, [EDGE], DOMAINS, {})
    assert halves[0, 0] < halves[0, 1]
    assert np.isnan(lead_halves({"b": result(tutee, tutee)}, [EDGE], DOMAINS, {})).all()


def test_more_questions_flip_fewer_decisions() -> None:
    few, many = (decided("confident", result([1] * (6 * n) + [0] * (4 * n), [0] * (10 * n)),
                         result([1] * (5 * n) + [0] * (5 * n), [0] * (10 * n)))["flip"] for n in (6, 60))  # fmt: skip
    assert many < few


def test_the_probes_own_noise_is_part_of_how_often_a_decision_flips() -> None:
    right = result([1] * 50 + [0] * 50, [1] * 50 + [0] * 50)
    sure = {(str(EDGE), d): (Effect(0.2, 0.001), Effect(0.1, 0.001)) for d in DOMAINS}
    unsure = {(str(EDGE), d): (Effect(0.2, 0.3), Effect(0.1, 0.3)) for d in DOMAINS}
    steady, shaky = (decided("benefit", right, right, probed) for probed in (sure, unsure))
    assert steady["domains"] == shaky["domains"] == list(DOMAINS)
    assert steady["flip"] < 0.1
    assert shaky["flip"] > 0.3
    assert decided("benefit", right, right, {})["reason"] == "not_probed"


def test_the_probe_is_read_only_if_a_gate_asks_for_it() -> None:
    def unread() -> Probed:
        raise AssertionError("nobody asked for it")

    right = result([1] * 9 + [0], [1] * 9 + [0])
    found = decide_edges(
        {EDGE: GateConfig()}, PAIR, {"a": right, "b": right}, domains=DOMAINS, draws=100, seed=0, round_=1,
        probed=unread,
    )  # fmt: skip
    assert found[str(EDGE)]["open"]
