"""One update in bfloat16, and on another device, against float32 on the CPU: loss, log-probs, gradients."""

from __future__ import annotations

import torch

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from coopt.core.config.schema import Config
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer

Seen = tuple[float, torch.Tensor, torch.Tensor]


def measure(size: Size) -> Found:
    found = Found()
    rows = size.rows(size.of(16, 4), 24, 48, size.of(64, 16))
    small = [TrainRow(_small(r.student_prompt), _small(r.teacher_prompt), _small(r.response)) for r in rows]

    def of_base(device: str, dtype: str, *settings: str) -> Seen:
        policy = load_policy(SCIMINI_BASE, device=device, dtype=dtype)
        return seen(policy, size.config(*settings, f"run.device={device}", dtype=dtype), small)

    reference = of_base("cpu", "float32")
    there = of_base(size.device.type, "float32")
    _compare(found, f"float32, {size.device.type} and CPU", there, reference, (2e-4, 2e-3))
    layouts = ("loss.packed=true", "loss.shared_prefixes=true", "parallel.activation_checkpointing=true")
    for setting in layouts:
        name = setting.partition("=")[0].partition(".")[2]
        _compare(found, f"{name}, float32", of_base(size.device.type, "float32", setting), reference, (2e-4, 2e-3))
    _compare(found, "bfloat16", of_base(size.device.type, "bfloat16"), reference, (5e-2, 0.3))
    shape = size.shapes[0]
    wide = seen(size.policy(shape, dtype="float32"), size.config(dtype="float32"), rows)
    narrow = seen(size.policy(shape), size.config(), rows)
    _compare(found, f"bfloat16, {shape}", narrow, wide, (5e-2, 0.3))
    cosine = torch.nn.functional.cosine_similarity(narrow[2], wide[2], dim=0)
    found.least(f"cosine of the gradients in bfloat16 and float32, {shape}", float(cosine), 0.98)
    return found


def seen(policy: Policy, config: Config, rows: list[TrainRow]) -> Seen:
    """Loss, log-probs and gradient of an update that is not carried out."""
    trainer = LocalTrainer(make_trainable(policy, "full", 0, "acceptance"), config)
    with torch.no_grad():
        for shadow in trainer.teacher.shadows.values():
            shadow.mul_(1.01)  # unlike the student
    kept: list[torch.Tensor] = []

    def keep(*_: object) -> None:
        kept.extend(p.grad.float().flatten().cpu() for p in policy.trainable().values() if p.grad is not None)

    trainer.optimizer.step = keep  # type: ignore[method-assign, assignment]
    logprobs = trainer.logprobs([(r.student_prompt, r.response) for r in rows])
    stats = trainer.update(rows, len(rows))
    return stats.loss, torch.tensor([x for row in logprobs for x in row]), torch.cat(kept)


def _small(tokens: tuple[int, ...]) -> tuple[int, ...]:
    """Tokens of the embedded base's small vocabulary."""
    return tuple(t % 400 for t in tokens)


def _compare(found: Found, what: str, ours: Seen, reference: Seen, bounds: tuple[float, float]) -> None:
    found.most(f"loss, relative: {what}", abs(ours[0] / reference[0] - 1), bounds[0])
    found.most(f"log-probs, largest difference: {what}", float((ours[1] - reference[1]).abs().max()), bounds[1])
