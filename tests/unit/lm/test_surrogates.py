"""The objectives of the methods of 2026 on the float64 vectors of their specification, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from coopt.lm.training.losses import Divergence
from coopt.lm.training.objectives import ByKind, Distil, Imitate, Objective, PolicyGradient, Tokens, of_kind
from coopt.lm.training.surrogates import Floored, ForeignSequences, Redistributed, Sequences, Sure, Towards

S0 = (0.5, 0.0, -0.5)
Rows = Sequence[Sequence[float]]
CLOSE: Any = {"abs": 1e-6, "rel": 0}


def wide(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def told(
    student: Rows,
    ids: Sequence[int],
    teacher: Rows | None = None,
    *,
    advantage: float = 1.0,
    log_ratio: Sequence[float] | None = None,
    given: float | None = None,
) -> Tokens:
    """Tokens of one row; ``log_ratio``: of now to the start of the step."""
    logits = wide(student).requires_grad_()
    own = logits.detach().log_softmax(-1).gather(-1, torch.tensor(ids)[:, None]).squeeze(-1)
    return Tokens(
        logits,
        None if teacher is None else wide(teacher),
        torch.tensor(ids),
        None if log_ratio is None else own - wide(log_ratio),
        torch.full((len(ids),), advantage, dtype=torch.float64),
        None if given is None else torch.full((len(ids),), given, dtype=torch.float64),
        own.mean().expand(len(ids)),
    )


def mean_of(objective: Objective, tokens: Tokens) -> tuple[float, torch.Tensor]:
    """The mean over the row's tokens, and its gradient."""
    loss = objective(tokens).mean()
    loss.backward()
    assert tokens.student_NV.grad is not None
    return loss.item(), tokens.student_NV.grad


def close(gradient: torch.Tensor | None, expected: Rows) -> None:
    assert gradient is not None
    assert gradient.flatten().tolist() == pytest.approx([x for row in expected for x in row], **CLOSE)


# -- SDFT ------------------------------------------------------------------------------------------

STUDENT, TEACHER = ((0, 0, 0), (1, 0, -1), (0.5, 0.5, 0)), ((2, 0, 0), (0, 1, 0), (0.5, -0.5, 0.5))


@pytest.mark.parametrize(
    ("alpha", "skip", "loss", "gradient"),
    [
        (0.0, 0, 0.3390467, ((-0.1512176, 0.0756088, 0.0756088), (0.1510998, -0.1104628, -0.0406370),
                             (-0.0128890, 0.0760964, -0.0632074))),
        (0.0, 1, 0.2920502, ((0.2266497, -0.1656942, -0.0609555), (-0.0193335, 0.1141447, -0.0948111))),
        (1.0, 1, 0.3227994, ((0.2226954, -0.1628034, -0.0598920), (-0.0512757, 0.1405501, -0.0892744))),
        (0.5, 1, 0.0739581, ((0.0519782, -0.0379991, -0.0139791), (-0.0082730, 0.0303133, -0.0220403))),
    ],
)  # fmt: skip
def test_sdft_is_the_mean_divergence_of_the_kept_tokens(alpha: float, skip: int, loss: float, gradient: Rows) -> None:
    found, grad = mean_of(Distil(Divergence(alpha, 0)), told(STUDENT[skip:], [0] * (3 - skip), TEACHER[skip:]))
    assert found == pytest.approx(loss, **CLOSE)
    close(grad, gradient)


# -- RLSD ------------------------------------------------------------------------------------------

TOLD = ((1, 0, 0), (0, 0, 1), (-0.5, 0.5, 0))
USUAL = PolicyGradient(0.2, 0.28, 3.0)


@pytest.mark.parametrize(
    ("advantage", "lam", "loss", "gradient"),
    [
        (1, 0.5, -1.0229152, ((-0.1758156, 0.1094381, 0.0663775), (0.1857095, 0.1126385, -0.2983480),
                              (-0.1480559, 0.0921588, 0.0558971))),
        (-1, 0.5, 0.9798546, ((0.1545644, -0.0962101, -0.0583543), (-0.1519441, -0.0921588, 0.2441029),
                              (0.1809572, -0.1126385, -0.0683187))),
        (1, 1, -1.0458303, ((-0.1871247, 0.1164775, 0.0706472), (0.2025922, 0.1228784, -0.3254705),
                            (-0.1316052, 0.0819189, 0.0496863))),
    ],
)  # fmt: skip
def test_rlsd_shares_an_advantage_out_and_keeps_its_sign(
    advantage: float, lam: float, loss: float, gradient: Rows
) -> None:
    found, grad = mean_of(Redistributed(USUAL), told((S0,) * 3, (0, 2, 0), TOLD, advantage=advantage, given=lam))
    assert found == pytest.approx(loss, **CLOSE)
    close(grad, gradient)


def test_rlsd_at_a_second_update_reads_the_present_student() -> None:
    tokens = told((S0,) * 2, (0, 2), TOLD[:2], advantage=-1, log_ratio=(math.log(1.1), math.log(0.7)), given=0.5)
    found, grad = mean_of(Redistributed(USUAL), tokens)
    assert found == pytest.approx(0.8767602, **CLOSE)
    close(grad, ((0.2550313, -0.1587466, -0.0962847), (0, 0, 0)))


def test_rlsd_without_a_say_of_the_teacher_is_grpo() -> None:
    tokens = told((S0,) * 3, (0, 2, 0), TOLD, advantage=-0.7, given=0.0)
    assert torch.equal(Redistributed(USUAL)(tokens), USUAL(tokens))


# -- SRPO ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "by_token", "loss"), [(1.0, True, -0.1959981), (0.0, True, -0.2097801), (1.0, False, -0.1156248)]
)
def test_srpo_joins_two_losses_in_one_mean(beta: float, by_token: bool, loss: float) -> None:
    """The rows and weights as ``srpo`` makes them: |y| N / T, and over the mean of e^(-beta H)."""
    sure, rewarded = Sure(Divergence(0.5, 0), beta), PolicyGradient(0.2, 0.28)
    rows: list[tuple[Objective, Tokens]] = [
        (rewarded, told((S0, S0), (0, 1), advantage=2 / 3)),
        (sure, told(((0, 0, 0),), (0,), ((3, 0, 0),))),
        (sure, told(((1, 0, -1), (0.5, 0.5, 0)), (0, 0), ((0, 0, 0), (0, 1, 0)))),
    ]
    weighed = torch.cat([sure.sureness(tokens) for _, tokens in rows[1:]])
    if beta:
        expected = [0.6930910, 0.3333333, 0.3770687]
        assert weighed.tolist() == pytest.approx(expected, **CLOSE)
    total = torch.zeros((), dtype=torch.float64)
    for objective, tokens in rows:
        scale = (len(tokens.ids_N) * 3 / 5 if by_token else 1) / (weighed.mean() if objective is sure else 1)
        total = total + scale * objective(tokens).mean() / 3
    total.backward()
    assert total.item() == pytest.approx(loss, **CLOSE)
    if beta and by_token:
        close(rows[0][1].student_NV.grad, ((-0.0658026, 0.0409595, 0.0248432), (0.0675307, -0.0923739, 0.0248432)))
        close(rows[1][1].student_NV.grad, ((-0.0391310, 0.0195655, 0.0195655),))
        close(rows[2][1].student_NV.grad, ((0.0101317, -0.0041779, -0.0059538), (0.0071549, -0.0075990, 0.0004442)))


# -- RLTF-SD ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("advantage", "loss", "gradient"),
    [
        (0.75, -0.15, ((-0.0003700, 0.0001850, 0.0001850), (0, 0, 0), (0.0379860, -0.0519603, 0.0139743))),
        (1 / 3, -0.0666667, ((-0.0001644, 0.0000822, 0.0000822), (0, 0, 0), (0.0168827, -0.0230935, 0.0062108))),
    ],
)
def test_rltf_sd_leaves_out_what_the_plain_policy_would_not_write(
    advantage: float, loss: float, gradient: Rows
) -> None:
    """The sum over tokens, as published: three times the mean of three."""
    tokens = told(((6, 0, 0), (6, 0, 0), S0), (0, 1, 1), advantage=0.1 * advantage)
    found, grad = mean_of(Floored(PolicyGradient(dual_clip=None)), tokens)
    assert 3 * found == pytest.approx(loss, **CLOSE)
    close(3 * grad, gradient)


# -- HACPO -----------------------------------------------------------------------------------------

A = (0.8333317, -1.1666643, 0.8333317, 0.8333317)
APART = (-0.001, 0.0, 0.1, -0.05)
IDS = ((0, 1), (2, 1), (0, 0), (1, 0))


@pytest.mark.parametrize(
    ("low", "alpha", "gain", "loss", "third"),
    [
        (0.8, 1, 1.0234114, -0.4851024, (-0.0631342, 0.0392985, 0.0238357)),
        (0.8, 3, 0.8378982, -0.4387241, (-0.0516899, 0.0321749, 0.0195150)),
        (0.925, 1, 1.0695291, -0.4966318, (0, 0, 0)),
    ],
)
def test_hacpo_clips_a_ratio_of_whole_responses(
    low: float, alpha: float, gain: float, loss: float, third: Sequence[float]
) -> None:
    """Two own rows and two foreign ones, whose advantages hold omega(j, k) = 1.5."""
    gains, gradients = [], []
    for k, (ids, advantage, apart) in enumerate(zip(IDS, A, APART, strict=True)):
        tokens = told((S0, S0), ids, advantage=advantage * (1.5 if k > 1 else 1))
        assert tokens.mean_N is not None
        tokens = tokens._replace(given_N=tokens.mean_N + apart)
        found, grad = mean_of(ForeignSequences(low, alpha) if k > 1 else Sequences(), tokens)
        gains.append(-found)
        gradients.append(grad / 4)
    assert gains == pytest.approx([0.8336650, -1.1666643, gain, 1.2499975], **CLOSE)
    assert -sum(gains) / 4 == pytest.approx(loss, **CLOSE)
    close(gradients[0], ((0, 0, 0),) * 2)
    close(gradients[1], ((-0.0738616, -0.0447993, 0.1186609), (-0.0738616, 0.1010337, -0.0271722)))
    close(gradients[2], (third,) * 2)
    close(gradients[3], ((0, 0, 0),) * 2)


def test_without_a_start_given_a_sequences_ratio_is_one() -> None:
    for objective in (Sequences(), ForeignSequences()):
        tokens = told((S0, S0), (0, 1), advantage=0.5)
        found, grad = mean_of(objective, tokens)
        plain, same = mean_of(PolicyGradient(), told((S0, S0), (0, 1), advantage=0.5))
        assert found == pytest.approx(plain, abs=1e-12)
        if isinstance(objective, Sequences):
            assert torch.allclose(grad, same, atol=1e-12)


# -- CoPD ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log_ratio", "loss", "gradient"),
    [
        (None, -0.6288250, ((-0.0317888, 0.0197872, 0.0120016), (0.2858639, 0.1733852, -0.4592490))),
        ((math.log(1.1), math.log(1.5)), -1.1052200, ((-0.0608383, 0.0378694, 0.0229689), (0, 0, 0))),
    ],
)
def test_copd_takes_the_log_ratio_to_a_peer_as_advantage(
    log_ratio: Sequence[float] | None, loss: float, gradient: Rows
) -> None:
    tokens = told((S0, S0), (0, 2), ((1, 0, 0), (0, 0, 1)), log_ratio=log_ratio)
    found, grad = mean_of(Towards(PolicyGradient(dual_clip=None)), tokens)
    assert found == pytest.approx(loss, **CLOSE)
    close(grad, gradient)


def test_copd_towards_the_whole_distribution() -> None:
    tokens = told((S0, S0), (0, 2), ((1, 0, 0), (0, 0, 1)))
    found, grad = mean_of(Distil(Divergence(1.0, 0)), tokens)
    assert found == pytest.approx(0.1848513, **CLOSE)
    close(grad, ((-0.0388972, 0.0532066, -0.0143095), (0.1332665, 0.0040312, -0.1372977)))


def test_copds_joint_update_is_the_mean_over_native_and_cross_rollouts() -> None:
    native, _ = mean_of(PolicyGradient(), own := told((S0,), (1,), advantage=0.5))
    cross, _ = mean_of(Towards(PolicyGradient(dual_clip=None)), told((S0, S0), (0, 2), ((1, 0, 0), (0, 0, 1))))
    assert (native + cross) / 2 == pytest.approx(-0.5644125, **CLOSE)
    assert own.student_NV.grad is not None
    close(own.student_NV.grad / 2, ((0.1266201, -0.1732010, 0.0465809),))


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_sure_gradients_match_finite_differences(alpha: float) -> None:
    random = torch.Generator().manual_seed(0)
    teacher = torch.randn(4, 9, dtype=torch.float64, generator=random)
    student = torch.randn(4, 9, dtype=torch.float64, generator=random, requires_grad=True)
    rest = told(((0.0,) * 9,) * 4, (0, 1, 2, 3))
    sure = Sure(Divergence(alpha, 0), 0.7)
    assert torch.autograd.gradcheck(
        lambda z: sure(rest._replace(student_NV=z, teacher_NV=teacher)).sum(), (student,), eps=1e-6, atol=1e-7
    )


def test_a_row_is_for_the_objective_of_its_kind_and_a_teacher_is_kept_if_any_reads_one() -> None:
    plain, sure = PolicyGradient(), Sure(Divergence(0.5, 0))
    mixed = ByKind({"right": plain, "wrong": sure})
    assert of_kind(mixed, "wrong") is sure
    assert of_kind(plain, "") is plain
    assert mixed.reads == "teacher"
    assert ByKind({"": Imitate()}).reads == "nothing"
    with pytest.raises(TypeError, match="of_kind"):
        mixed(told((S0,), (0,)))
