"""Every setting of a run, with its default and its meaning. Unknown keys are refused.

Defaults are the paper's, or those of the code it built on; a preset (``coopt/core/config/presets/*.toml``) changes
what its models need.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from coopt.core.config.cluster import ClusterConfig
from coopt.core.config.engine import EngineConfig
from coopt.core.config.parallel import ParallelConfig
from coopt.core.config.section import Section
from coopt.core.config.tracking import TrackingConfig
from coopt.core.names import BASE, INIT, Order

ALWAYS_THERE = (BASE, INIT)
"""Rows of every table that need no training: the untouched base and the initial students."""
ALL = "all"
"""Stands for every method that a run can have (``coopt.driver.every_method``)."""


class ModelConfig(Section):
    """Which models are trained, and how the specialists are made."""

    NEWER = frozenset({"specialists"})

    path: str = "scimini"
    """The base: `scimini`, `smollm2-135m` (make smol) or a local Hugging Face causal LM directory."""
    students: dict[str, str] = Field(default_factory=dict)
    """Ready specialists: native domain -> directory. Students of other domains are specialised."""
    specialise: str = "auto"
    """How students are made strong: world (scimini only), none, own_correct, answers (only the right ones: cheap, but
    no reasoning is learnt), rationales:FILE (as coopt data rationales writes it). auto: world on scimini, else
    own_correct."""
    weights: Literal["full", "lora"] = "full"
    """What is trained: all weights, or a LoRA adapter on all linear layers."""
    lora_rank: int = Field(8, ge=1)
    """Rank of LoRA adapters, of students (weights = lora) and of specialists trained on text."""
    shared_base: Literal["auto"] | bool = "auto"
    """Adapter mode (needs weights = lora): specialists, too, are adapters on the one frozen base and are trained
    further, so N students cost one base, and write, teach and learn together (parallel.lockstep). auto: with
    weights = lora and one rank."""
    specialists: str = ""
    """A folder of specialists: those that another run made there from the same settings are reused, new ones are added.
    A sweep gives its benches one. It changes no result. Empty: every run makes its own."""
    dtype: Literal["float32", "bfloat16", "auto"] = "float32"
    """Compute precision; auto: bfloat16 on a GPU, float32 on a CPU. Weights are kept, and the loss is computed, in
    float32."""


class SpecialiseConfig(Section):
    """Supervised LoRA fine-tuning of specialists on text (own_correct, answers, rationales)."""

    lr: float = Field(2e-4, gt=0)
    """Learning rate."""
    epochs: int = Field(3, ge=1)
    """Passes over the text."""
    batch: int = Field(16, ge=1)
    """Texts per optimizer step."""
    questions: int = Field(400, ge=1)
    """Training questions of the native domain for which own_correct samples answers, and from which answers learns."""
    temperature: float = Field(0.6, gt=0)
    """Temperature of these samples."""


Rule = Literal["spread", "best", "sample", "all", "committee"]
"""Which of a tutee's open tutors reads which rollout."""
AdversaryKind = Literal["misleading", "empty", "off_topic", "leak", "inject"]

Share = Annotated[float, Field(ge=0.5, le=1)]


class WorldConfig(Section):
    """The embedded world's specialists (scimini), and what its readers and tutors are like (docs/worlds.md)."""

    NEWER = frozenset({"deference", "candour", "belief", "confusion", "forms"})

    own_share: float = Field(0.95, ge=0.5, le=1)
    """Share of its native domain's facts that a specialist knows. The base knows half of the facts of every domain."""
    foreign_share: tuple[Share, Share] = (0.78, 0.92)
    """Range of a specialist's share of another domain's facts; the students of a seed are spread over it."""
    specialist_steps: int = Field(130, ge=1)
    """Training steps of a specialist."""
    critic_steps: int = Field(160, ge=1)
    """Training steps of a critic, which has more roles to learn."""
    rows: int = Field(6000, ge=10, le=20000)
    """Questions per domain before the split."""
    deference: float = Field(0.0, ge=0, le=1)
    """How often a critique wins over a reader's own right working where they conflict: 0, 0.05, 0.15, 0.3, 0.5, 0.75 or
    1. This and the next four need --model scimini-family."""
    candour: float = Field(0.0, ge=0, le=1)
    """How often a tutor states its own belief about a fact that it does not know, instead of confirming the attempt: 0,
    0.25, 0.5, 0.75 or 1."""
    belief: float = Field(0.0, ge=0, le=1)
    """How often a student asked for a fact that it does not know says one fixed false value."""
    confusion: int = Field(0, ge=0, le=16)
    """Values among which it guesses otherwise, the right one among them (4: as in multiple choice). 0: mostly any."""
    forms: Literal[1, 2, 3, 6] = 1
    """In how many forms (orders of the facts, phrasings) a right working is written."""


Extraction = Literal["sdpo", "strict", "lenient"]
"""How an answer is read out of a response (coopt/domains/scoring.py)."""


class DataConfig(Section):
    """Which questions, and how many."""

    NEWER = frozenset({"mapping", "extraction", "rest_to_train", "native_share"})

    source: str = "scimini"
    """`scimini`, a file or folder of rows (of SciKnowEval, or with a mapping), or the hub's hicai-zju/SciKnowEval.
    Empty: the mapping's own ([source]), as when only a mapping is given, or a TOML file here."""
    mapping: str = ""
    """How rows of another data set are read: a shipped mapping (coopt data mappings) or a TOML file (docs/data.md).
    Empty: SciKnowEval's schema."""
    extraction: Extraction = "sdpo"
    """How answers are read (docs/data.md). sdpo: what follows the last <answer>, as SDPO reads it. strict: a closed
    <answer> tag with an option's letter, or one number, and nothing else. lenient: also other ways in which models
    write answers."""
    validation: int = Field(200, ge=1)
    """Validation questions per domain, at most."""
    rest_to_train: bool = False
    """For rows: whether validation questions beyond that number are trained on (true) or left out (false)."""
    test: int = Field(400, ge=1)
    """Test questions per domain, at most."""
    native_share: float | None = Field(None, gt=0, lt=1)
    """Share of a student's training prompts that are of its native domain. None: as the questions are shared out."""
    solutions: str = ""
    """Worked solutions of the questions: JSON Lines as coopt data rationales writes them. They take precedence over the
    rows' own. Empty: the rows' own, in their field solution."""

    @property
    def named(self) -> str:
        """What messages call the rows."""
        return self.source or f"mapping {self.mapping}"

    @model_validator(mode="before")
    @classmethod
    def _of_the_mapping(cls, tree: Any) -> Any:
        """`--data mine.toml` gives a mapping; one that is given alone says itself where its rows are."""
        if not isinstance(tree, dict):
            return tree
        source, mapping = tree.get("source"), tree.get("mapping")
        if isinstance(source, str) and source.endswith(".toml"):
            if mapping not in (None, "", source):
                raise ValueError(f"{source} is a mapping, and so is data.mapping = {mapping}: give one of them")
            return tree | {"source": "", "mapping": source}
        if source == "" and not mapping:
            raise ValueError("data.source is empty: give rows, or a mapping that says where they are")
        return tree | {"source": ""} if mapping and source is None else tree


class RoundsConfig(Section):
    """R rounds of K steps (paper Algorithm 1)."""

    NEWER = frozenset({"carry_teacher", "evaluate_every", "keep_states"})

    rounds: int = Field(2, ge=1)
    """Rounds (R). Gates decide, and tutors are renewed, between them."""
    steps: int = Field(50, ge=1)
    """Training steps of a student per round (K)."""
    prompts: int = Field(32, ge=1)
    """Prompts per step."""
    rollouts: int = Field(8, ge=2)
    """Rollouts per prompt (n)."""
    schedule: Literal["simultaneous", "sequential"] = "simultaneous"
    """simultaneous: tutors are the round-start snapshots. sequential: each phase sees the newest tutors."""
    exclude_self: bool = True
    """A rollout may not be its own demonstration. False is Algorithm 1 read literally."""
    carry_state: bool = True
    """Optimizer, step counter, data order and EMA teacher carry over from round to round."""
    carry_teacher: bool | None = None
    """The same for the teacher alone; None: as carry_state. False: it begins each round as the student of that time."""
    evaluate_every: int = Field(0, ge=0)
    """Steps between validation scores inside a round, for trajectories; they change no result. 0: only at its end."""
    checkpoint_every: int = Field(10, ge=1)
    """Steps between resumable checkpoints inside a phase."""
    keep_states: bool = False
    """Keep what every round leaves for the next (weights in float32, moments, teacher: 16 bytes per parameter). False:
    a student's state is deleted when its next round is done, and its last one stays; if a later round is damaged, the
    rounds before it are trained again too. It does not define a run."""
    collapse_drop: float = Field(0.20, gt=0)
    """A student whose validation accuracy falls by more than this below its start is not trained any further."""

    @property
    def carries_teacher(self) -> bool:
        return self.carry_state if self.carry_teacher is None else self.carry_teacher


class SamplingConfig(Section):
    """How text is drawn."""

    NEWER = frozenset({"feedback_temperature"})

    temperature: float = Field(1.0, gt=0)
    """Temperature of training rollouts."""
    eval_temperature: float = Field(0.6, gt=0)
    """Temperature of answers that are scored."""
    eval_top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus (top-p) of answers that are scored."""
    feedback_temperature: float = Field(0.0, ge=0)
    """Temperature of critiques (paper Eq. 1 samples them). 0: greedy, and identical rollouts share one critique; above
    0, each gets its own."""
    eval_samples: int = Field(8, ge=1)
    """Answers per question of every score (avg@k)."""
    max_response_tokens: int = Field(2048, ge=1)
    """Longest answer; a longer one is cut off."""
    max_feedback_tokens: int = Field(256, ge=1)
    """Longest critique."""
    batch_rows: int = Field(256, ge=1)
    """Sequences decoded at once."""


class LossConfig(Section):
    """Generalised Jensen-Shannon divergence between student and self-teacher."""

    NEWER = frozenset({"head"})

    alpha: float = Field(0.5, ge=0, le=1)
    """0: KL(teacher || student). 1: KL(student || teacher). Between: JSD with mixture (1-a) S + a T."""
    top_k: int = Field(100, ge=0)
    """The student's top-k tokens plus a tail bucket; 0, or a vocabulary below 1,000: all tokens."""
    tail: bool = True
    """False renormalises over the top-k instead of keeping a tail bucket."""
    chunk_logits: int = Field(2**25, ge=1)
    """Float32 logits held at once (tokens x vocabulary): 128 MiB by default, a few times that with gradients."""
    batch_tokens: int = Field(16384, ge=64)
    """Tokens per micro-batch; gradients are accumulated."""
    packed: bool = False
    """Pack rows one after another instead of padding them."""
    head: Literal["float32", "bfloat16"] = "float32"
    """What the output head multiplies; logits are float32 in both. bfloat16: several times as fast on a GPU, and rounds
    the head's weights, of student and teacher alike."""
    shared_prefixes: bool = False
    """The prefix that the rows of a prompt share is computed once; only for models with plain attention, others ignore
    it. It pays where responses are short, or alike."""


class TeacherConfig(Section):
    """The self-teacher's weights."""

    NEWER = frozenset({"every"})

    kind: Literal["ema", "live", "frozen", "trust_region"] = "ema"
    """ema: follows the student. live: the student itself. frozen: the initial student. trust_region: the initial
    student's logits mixed with the current student's, both after the teacher's prompt."""
    rate: float = Field(0.05, ge=0, le=1)
    """ema: teacher <- (1 - rate) teacher + rate student, after every step. trust_region: logits <- (1 - rate) initial +
    rate student."""
    every: int = Field(1, ge=1)
    """Steps between an ema teacher's updates; with rate = 1 it is a copy that is taken anew so often."""


class OptimizerConfig(Section):
    """AdamW with linear warm-up from zero, then constant."""

    lr: float = Field(1e-5, gt=0)
    """Learning rate after warm-up."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's decay rates for its two moments."""
    eps: float = Field(1e-8, gt=0)
    """AdamW's epsilon."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decoupled weight decay."""
    warmup: int = Field(10, ge=0)
    """Steps from rate 0 to the full rate."""
    clip: float = Field(1.0, gt=0)
    """Largest norm of a step's gradient."""


class GateConfig(Section):
    """When a tutor may speak (paper 3.2)."""

    kind: str = "cognizance"
    """cognizance, always, never, domain_selective, per_domain, random, confident, benefit, an entry point's name, or
    FILE.py:CLASS."""
    tau: float = Field(0.2, ge=0)
    """The largest gap at which a tutor may still speak, summed over domains (paper Eq. 2)."""
    scope: Literal["edge", "neighbourhood", "graph"] = "edge"
    """Whose best score a tutor is measured against."""
    rate: float | None = Field(None, ge=0, le=1)
    """Share of open edges of gate random; None: that of the cognizance gate in the same seed (method opcod)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Free for gates of your own, which read them when they are made; one that no gate of the run reads is refused."""


class FeedbackConfig(Section):
    """What form a tutor's text must have to count, and where it stands."""

    NEWER = frozenset({"order"})

    style: Literal["anchored", "naive", "step", "reference"] = "anchored"
    """anchored: a critique that names a concept of the question. naive: a critique. step: the attempt, rewritten step
    by step (a critic is given the worked solution). reference: the worked solution itself, without asking a model. The
    last two take the place of the demonstration."""
    only_without_own: bool = False
    """Feedback only where no own correct rollout exists (not the paper's c = (s, f))."""
    order: Order = "s_f"
    """Which stands first before the self-teacher, and before whom the break-rate probe asks again: s_f, the own correct
    rollout and then the feedback (as SDPO has it), or f_s, the feedback and then the rollout."""
    assign: Literal["spread", "best", "sample", "all", "committee"] = "spread"
    """Which of several open tutors reads a rollout: spread (each its share), best (smallest gap), sample (weight
    exp(-gap)), all (concatenated), committee (spread, and the others score its text from 1 to 5)."""
    committee_above: float = Field(3.0, ge=1, le=5)
    """The committee keeps a message whose mean score is above this."""


class CriticConfig(Section):
    """Frozen critics behind an OpenAI-compatible endpoint."""

    timeout: float = Field(60.0, gt=0)
    """Seconds after which a request is given up, from connecting to the last byte of its answer."""
    retries: int = Field(4, ge=0)
    """Further tries of a request, with exponential back-off."""
    concurrency: int = Field(8, ge=1)
    """Requests that each worker has under way at once."""
    when_unavailable: Literal["go_on", "stop"] = "go_on"
    """If an endpoint does not answer. go_on: the edge is marked in the journal and the student goes on without its
    feedback until the next round. stop: the run stops."""
    key_variable: str = "COOPT_ENDPOINT_KEY"
    """The environment variable that holds the key, which is sent to the endpoints that the graph names; the key itself
    is written to no file."""


class BreakRateConfig(Section):
    """The probe of paper Appendix E: does feedback break right answers of the initial students?"""

    questions: int = Field(200, ge=0)
    """Validation questions per domain; 0 leaves the probe out."""
    minimum: int = Field(300, ge=1)
    """For groups with fewer correct rollouts the tables print "too few"."""


class RecordConfig(Section):
    """What is recorded of training besides steps and rollouts. It changes no result."""

    advantages_every: int = Field(10, ge=0)
    """Steps between records of per-token advantages (coopt advantages); the first and the last step of a phase are
    always recorded. 0: never."""
    advantages_rollouts: int = Field(32, ge=1)
    """Rollouts of such a step that are recorded: the first of every prompt, then the second, and so on."""


class RunConfig(Section):
    """Where a run computes, and on how many threads."""

    threads: int = Field(0, ge=0)
    """Torch threads of a worker; 0: cores / workers."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models compute; auto: a GPU if there is one."""
    bootstrap: int = Field(2000, ge=100)
    """Resamples of a gate's scores, for its interval and P(flip); at most 500 are drawn."""


class Config(Section):
    """A whole run. The same file gives the same tables."""

    NEWER = frozenset({"tracking"})

    version: Literal[1] = 1
    """Version of this schema."""
    topology: str = "pair"
    """A shipped topology (coopt topo list), or a graph file of your own."""
    nodes: int | None = Field(None, ge=1)
    """Students of a generated topology; None: as its file says."""
    adversary: dict[str, AdversaryKind] = Field(default_factory=dict)
    """Nodes whose feedback is hostile, and how. They answer honestly when they are scored."""
    domains: tuple[str, ...] = ("physics", "chemistry")
    """Domains of the questions. The embedded world has physics, chemistry, materials and biology; rows bring their
    own."""
    methods: tuple[str, ...] = ("sdpo", "opcod")
    """Rows of the tables. base and init train nothing and appear in every table; without others they are all of it."""
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """A method's own settings: options.NAME.KEY."""
    preset: str = "mini"
    """The preset that these settings started from."""
    smoke: bool = False
    """Whether the preset's smoke settings were used: every part once, in half a minute."""
    seed: int = Field(0, ge=0, le=1 << 52)
    """First run seed."""
    seeds: int = Field(1, ge=1)
    """Number of run seeds: seed, seed + 1, ...; each draws specialists, rollouts and order afresh."""
    model: ModelConfig = ModelConfig()
    specialise: SpecialiseConfig = SpecialiseConfig()
    world: WorldConfig = WorldConfig()
    data: DataConfig = DataConfig()
    rounds: RoundsConfig = RoundsConfig()
    sampling: SamplingConfig = SamplingConfig()
    loss: LossConfig = LossConfig()
    teacher: TeacherConfig = TeacherConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    gate: GateConfig = GateConfig()
    feedback: FeedbackConfig = FeedbackConfig()
    critics: CriticConfig = CriticConfig()
    engine: EngineConfig = EngineConfig()
    break_rate: BreakRateConfig = BreakRateConfig()
    record: RecordConfig = RecordConfig()
    run: RunConfig = RunConfig()
    parallel: ParallelConfig = ParallelConfig()
    cluster: ClusterConfig = ClusterConfig()
    tracking: TrackingConfig = TrackingConfig()

    @field_validator("methods")
    @classmethod
    def _trained(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(m for m in methods if m not in ALWAYS_THERE)

    @property
    def one_base(self) -> bool:
        """Whether students are adapters on one base (``model.shared_base``)."""
        if self.model.shared_base == "auto":
            return self.model.weights == "lora" and self.parallel.ranks == 1
        return self.model.shared_base

    @property
    def all_seeds(self) -> range:
        return range(self.seed, self.seed + self.seeds)

    @property
    def probed_questions(self) -> int:
        """Validation questions per domain of the break-rate probe, at most; none of them is trained on."""
        most = self.data.validation if self.data.rest_to_train else self.break_rate.questions
        return min(self.break_rate.questions, most)

    @property
    def total_steps(self) -> int:
        return self.rounds.rounds * self.rounds.steps
