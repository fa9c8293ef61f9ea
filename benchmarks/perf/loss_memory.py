"""Peak memory and time of the distillation loss over Qwen's vocabulary, against all logits at once.

All get the same hidden states of student and teacher and the same head, and compute the loss and its gradients in the
student's hidden states and in the head, which count as memory too. Ours is the trainer's own loop, around a decoder
that is told its answers. Each measurement is a process of its own.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, cast

import psutil
import torch
from torch.nn import functional as F
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.modeling_outputs import BaseModelOutput

from benchmarks.perf.peak import Cost, cost
from benchmarks.perf.ratio import Ratio, in_fresh_process
from coopt.core.config.load import load_config
from coopt.lm.device import pick_device
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.policy import Policy
from coopt.lm.training.base import StepStats
from coopt.lm.training.merge import StudentRow, Target
from coopt.lm.training.trainer import LocalTrainer

Way = Literal["full", "default", "reduced", "naive", "liger"]
WHAT: dict[Way, str] = {
    "full": "JSD over all entries",
    "default": "JSD over the top 100 and the rest (the default)",
    "reduced": "JSD over all entries, head in bfloat16",
    "naive": "JSD over all entries, all tokens at once",
    "liger": "Liger's fused linear JSD",
}
OURS = {"full": ("loss.top_k=0",), "default": (), "reduced": ("loss.top_k=0", "loss.head=bfloat16")}
VOCABULARY, WIDTH, TOKENS = 151_936, 256, (4096, 3072, 2048, 1024)
AGREED = 512
"""Tokens on which gradients are compared: some chunks."""
NAIVE_COPIES = 9.1
"""Float32 [tokens, vocabulary] that the naive loss was seen to hold at its peak."""


class Made(NamedTuple):
    """What must be the same whoever computes it."""

    loss: float
    hidden: torch.Tensor
    """Gradient in the student's hidden states …"""
    head: torch.Tensor
    """… and in the head's weight."""


def measure(pairs: int) -> list[Ratio]:
    device = pick_device("auto")
    tokens = next((n for n in TOKENS if 4 * VOCABULARY * n * NAIVE_COPIES < 0.8 * free(device)), TOKENS[-1])
    ways: list[Way] = ["full", "default", "naive"]
    if device.type == "cuda" and importlib.util.find_spec("liger_kernel"):
        ways.append("liger")
    costs = in_rotation(ways, tokens, pairs)
    notes = [
        f"{tokens:,} tokens, vocabulary {VOCABULARY:,}, width {WIDTH}, float32, {device.type}",
        agreement(),
    ]
    if tokens < TOKENS[0]:
        notes.append(f"the naive loss of {TOKENS[0]:,} tokens does not fit here; ours alone: {alone()}")
    return [r for peer in ways[2:] for way in ways[:2] for r in compared(way, peer, costs, notes)]


def free(device: torch.device) -> int:
    return torch.cuda.mem_get_info()[0] if device.type == "cuda" else psutil.virtual_memory().available


def in_rotation(ways: list[Way], tokens: int, rounds: int) -> dict[Way, list[Cost]]:
    """One after another, and each round another one goes first."""
    costs: dict[Way, list[Cost]] = {way: [] for way in ways}
    for k in range(rounds):
        first = k % len(ways)
        for way in ways[first:] + ways[:first]:
            costs[way].append(in_fresh_process(spent, way, tokens))
    return costs


def compared(way: Way, peer: Way, costs: dict[Way, list[Cost]], notes: list[str]) -> list[Ratio]:
    name, what = f"loss_memory/{way}-{peer}", f"{WHAT[way]}, in chunks"
    both = list(zip(costs[way], costs[peer], strict=True))
    memory, time = [(a.bytes / 2**30, b.bytes / 2**30) for a, b in both], [(a.seconds, b.seconds) for a, b in both]
    aims = (0.1, 1.1) if peer == "naive" else (None, None)
    return [
        Ratio(
            name=f"{name}/memory", what=f"peak of {what}", against=WHAT[peer], unit="GiB", pairs=memory,
            at_most=aims[0], notes=notes if way == "full" else [],
        ),
        Ratio(name=f"{name}/time", what=what, against=WHAT[peer], unit="s", pairs=time, at_most=aims[1]),
    ]  # fmt: skip


def agreement() -> str:
    """Raises ``AssertionError`` if ours over all entries differs from the naive one by more than float32 rounds."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "full", Path(folder) / "naive"
        in_fresh_process(keep, "full", AGREED, ours)
        in_fresh_process(keep, "naive", AGREED, theirs)
        a, b = Made(*torch.load(ours)), Made(*torch.load(theirs))
    differ = {
        "loss": abs(a.loss / b.loss - 1),
        "gradient of hidden states": float((a.hidden - b.hidden).norm() / b.hidden.norm()),
        "of the head": float((a.head - b.head).norm() / b.head.norm()),
    }
    assert max(differ.values()) < 3e-5, differ
    return f"full-naive at {AGREED} tokens, relative differences: " + ", ".join(
        f"{k} {v:.0e}" for k, v in differ.items()
    )


def alone() -> str:
    costs = {n: in_fresh_process(spent, "full", n) for n in (TOKENS[0], TOKENS[-1])}
    return "; ".join(f"{n:,} tokens {c.bytes / 2**30:.2f} GiB, {c.seconds:.0f} s" for n, c in costs.items())


def spent(way: Way, tokens: int) -> Cost:
    device = pick_device("auto")
    prepare(way, 8, device)()  # loads kernels
    return cost(prepare(way, tokens, device), device)


def keep(way: Way, tokens: int, path: Path) -> None:
    device = pick_device("auto")
    torch.save(tuple(x.cpu() if isinstance(x, torch.Tensor) else x for x in prepare(way, tokens, device)()), path)


def prepare(way: Way, tokens: int, device: torch.device, vocabulary: int = VOCABULARY) -> Callable[[], Made]:
    """The loss and its backward, ready to be run once."""
    torch.manual_seed(0)
    student = torch.randn(tokens, WIDTH)
    teacher = (student + 0.3 * torch.randn(tokens, WIDTH)).to(device)
    head = torch.nn.Parameter((4 * WIDTH**-0.5 * torch.randn(vocabulary, WIDTH)).to(device))
    student = student.to(device).requires_grad_()
    if way in OURS:
        return ours(OURS[way], student, teacher, head)
    return {"naive": naive, "liger": liger}[way](student, teacher, head)


def naive(student: torch.Tensor, teacher: torch.Tensor, head: torch.nn.Parameter) -> Callable[[], Made]:
    def run() -> Made:
        log_p = F.linear(student, head).log_softmax(-1)
        with torch.no_grad():
            log_q = F.linear(teacher, head).log_softmax(-1)
        log_m = torch.logaddexp(log_p, log_q) - math.log(2)
        kl_p = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
        kl_q = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
        loss = (0.5 * kl_p + 0.5 * kl_q).mean()
        loss.backward()
        return _made(loss.item(), student, head)

    return run


def liger(student: torch.Tensor, teacher: torch.Tensor, head: torch.nn.Parameter) -> Callable[[], Made]:
    from liger_kernel.transformers import fused_linear_jsd as liger_jsd  # type: ignore[import-not-found]

    def run() -> Made:
        loss = liger_jsd.LigerFusedLinearJSD(jsd_beta=0.5)(student, head, teacher, head.detach(), None)
        loss.backward()
        return _made(loss.item(), student, head)

    return run


def ours(
    settings: tuple[str, ...], student: torch.Tensor, teacher: torch.Tensor, head: torch.nn.Parameter
) -> Callable[[], Made]:
    """One response of all tokens, whose student and teacher read prompts of one token and of two."""
    policy = Policy(_around(head), build_tokenizer())
    config = load_config(settings=["teacher.kind=live", *settings])
    trainer = LocalTrainer(policy, config)
    trainer.decoder = Told({1: student, 2: teacher})
    row = StudentRow((1,), (3,) * len(student), [Target((1, 2))])

    def run() -> Made:
        stats = StepStats()
        trainer._accumulate([row], stats)
        return _made(stats.loss, student, head)

    return run


class Told(torch.nn.Module):
    """A decoder whose hidden states at response tokens are given, by the length of the prompt."""

    def __init__(self, states: dict[int, torch.Tensor]) -> None:
        super().__init__()
        self.states = states

    def forward(self, input_ids: torch.Tensor, **_: object) -> BaseModelOutput:
        tokens = len(self.states[1])
        prompt = input_ids.shape[1] - tokens
        before, after = prompt - 1, 1  # the token after the last is not read
        states = F.pad(self.states[prompt], (0, 0, before, after))
        return BaseModelOutput(last_hidden_state=cast(torch.FloatTensor, states[None]))


def _around(head: torch.nn.Parameter) -> Qwen3ForCausalLM:
    """A model without blocks that has this head."""
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(vocab_size=len(head), hidden_size=WIDTH, num_hidden_layers=0))
    model.requires_grad_(False)
    model.lm_head.weight = head
    model.model.embed_tokens.weight = head
    return model


def _made(loss: float, student: torch.Tensor, head: torch.Tensor) -> Made:
    assert student.grad is not None
    assert head.grad is not None
    return Made(loss, student.grad, head.grad)
