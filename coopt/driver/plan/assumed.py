"""What is assumed where nothing can be measured: speeds, lengths and question counts of real models on GPUs."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, ValidationError

from coopt.core.config.faults import first_fault
from coopt.core.config.load import parse_setting
from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.core.errors import ConfigError, unknown
from coopt.domains.base import SPLITS, Split
from coopt.driver.plan.speed import Speed

# Level-3 multiple choice of SciKnowEval v2, counted in its files.
_SCIKNOWEVAL = {"physics": 800, "chemistry": 2100, "materials": 935, "biology": 500}
_OTHER = 1000  # questions of a domain that is not SciKnowEval's
_SHARES: dict[Split, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


class Assumed(Section):
    """Stated in every plan that uses them; ``coopt bench --assume key=value`` changes one."""

    generate: float = Field(6000.0, gt=0)
    """Tokens a second that one GPU generates. Ours: an 8B model in bfloat16 on an H200 reads its weights about 290
    times a second, with 32 or more rows at once and two thirds of that lost."""
    train: float = Field(3000.0, gt=0)
    """Tokens a second that one GPU trains on. Ours: 10 x 8.2e9 operations a token (forward, backward, recomputed
    forward, teacher) at a quarter of an H200's 990e12 a second."""
    prompt: float = Field(350.0, gt=0)
    """Tokens of a mean prompt. SciKnowEval's have 365 characters of system message and 350 to 750 of question."""
    response: float = Field(600.0, gt=0)
    """Tokens of a mean response. Ours; the paper does not say."""
    longest_prompt: int = Field(1024, ge=1)
    """Tokens of the longest prompt. SciKnowEval's has 1,840 characters."""
    longest_response: int = Field(2400, ge=1)
    """Tokens of the longest response of a step, for which all others wait. Ours: four times the mean."""
    row: float = Field(190.0, gt=0)
    """Tokens a second of one response that is written alone. Ours: two thirds of the 290 readings of the weights."""
    sync: float = Field(25.0, ge=0)
    """Seconds until vLLM has other weights, passed as a file. Ours: 16 GB written, read and loaded at 2 GB/s."""
    gpus: int = Field(8, ge=1)
    """GPUs over which the students of a run are spread, for the timeline of a step."""
    gpu_gib: float = Field(139.8, gt=0)
    """Memory of a GPU in GiB: an H200 has 139.8 (150.1 GB), of its nominal 141 "GB"."""


def parse_assumed(entries: Sequence[str] | None) -> Assumed | None:
    """From ``key=value`` entries; None if there are none. Raises ``ConfigError`` in one line."""
    if not entries:
        return None
    tree: dict[str, object] = {}
    for entry in entries:
        tree |= parse_setting(entry)
    try:
        return Assumed.model_validate(tree)
    except ValidationError as error:
        fault = first_fault(error)
        if fault.kind == "extra_forbidden":
            raise ConfigError(unknown("assumption", fault.key, Assumed.model_fields, "--assume: ")) from None
        raise ConfigError(f"--assume {fault.line}.") from None


def assumed_speed(assumed: Assumed, ranks: int) -> Speed:
    """The speed of one task on ``ranks`` GPUs."""
    return Speed(assumed.prompt, assumed.response, assumed.generate * ranks, assumed.train * ranks, distinct=1.0)


def assumed_questions(config: Config) -> dict[Split, int]:
    """Questions of all the run's domains together, where the rows are not there: SciKnowEval's, split 80/10/10."""
    most = {"train": None, "validation": config.data.validation, "test": config.data.test}
    found = {s: sum(_questions(d, s, most[s]) for d in config.domains) for s in SPLITS}
    if config.data.rest_to_train:
        all_of_it = sum(_questions(d, "validation", None) for d in config.domains)
        found["train"] += all_of_it - found["validation"]
    return found


def _questions(domain: str, split: Split, most: int | None) -> int:
    count = round(_SCIKNOWEVAL.get(domain, _OTHER) * _SHARES[split])
    return count if most is None else min(count, most)
