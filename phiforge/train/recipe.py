"""A recipe: what a network starts from, the data, and the stages it goes through, as one TOML file, checked before any work.

    out = "runs/tutor"                        # a folder a stage: metrics, checkpoints, the model; and report.html
    [start]
    model = "smollm2-135m-instruct"           # a pulled model or a path; or `depth = 4` for a phi-nano from scratch

    [data.sums]
    pipelines = ["words", "arithmetic"]       # made by the data factory, in out/data/sums; or `path = "rows.jsonl"`
    rows = 2000

    [[stage]]
    kind = "sft"                              # pretrain, midtrain, sft, dpo, grpo or distil
    data = ["sums"]
    epochs = 2
    optimizer = {lr = 2e-5}
    lora = {rank = 16}                        # to learn an adapter instead of all weights

`recipes/` has those of the Phi-4 reports, and small ones that run here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from phiforge.data import run as factory
from phiforge.model.config import PRESETS, ModelConfig
from phiforge.train import distil, groups, grpo, pivotal
from phiforge.train import pairs as pairing
from phiforge.train.limits import BelowOne, Count, NotNegative, Positive, Share
from phiforge.train.loop import SPIKE
from phiforge.train.optim import Optimizer
from phiforge.train.precision import Precision
from phiforge.train.pretrain import DEPTHS, nano
from phiforge.train.rollouts import RolloutDtype
from phiforge.train.tokenizer import SMALLEST
from phiforge.train.tracker import Tracker


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    """One of: `model`, a pulled one or a path; `depth`, the layers of a phi-nano with random weights; `preset`, a member of the
    family, or a phi-nano by its size, with random weights. `format` is the chat format to learn, if another than the model's
    own: "phiforge". `context` and `rope_theta`, the base of the rotary embedding, are those of random weights: a nano's 1,024 and
    10,000, a member's own, if not given."""

    model: str = ""
    depth: int = 0
    preset: str = ""
    format: str = ""
    context: int = 0
    rope_theta: float = 0.0

    @property
    def chat(self) -> str:
        """Whose chat format is learnt, as `ChatFormat.for_tokenizer` takes it."""
        return self.format or self.model or ("phi-nano" if self.layers else self.preset)

    @property
    def layers(self) -> int:
        """Of a phi-nano; 0 for another start."""
        return self.depth or DEPTHS.get(self.preset, 0)

    def config(self, vocab_size: int) -> ModelConfig:
        """The network of a start from random weights; `vocab_size` is a nano's. Raises ValueError for one from a model."""
        if self.layers:
            return nano(self.layers, vocab_size, context=self.context or 1024, rope_theta=self.rope_theta or 10_000.0)
        if not self.preset:
            raise ValueError(f"{self.model} has weights of its own")
        config = PRESETS[self.preset]
        rope = replace(config.rope, theta=self.rope_theta or config.rope.theta)
        context = self.context or config.context
        return replace(config, context=context, original_context=min(context, config.original_context), rope=rope)


class Vocabulary(Struct, frozen=True, forbid_unknown_fields=True):
    """A tokenizer that is learnt from the texts of `data`."""

    size: Annotated[int, Meta(ge=SMALLEST)]
    data: list[str]


class Data(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows or texts by `path`; rows of `pipelines` of the data factory, from `seeds` and by a `teacher` where they take any; or
    problems of an `environment`, "reasoning_gym:TASK" or "verifiers:NAME", for grpo, dpo and distil. `tokens` is the source's
    size, for a plan where it is not at hand."""

    path: str = ""
    pipelines: list[str] = []
    seeds: str = ""
    column: str = "text"
    teacher: str = ""
    environment: str = ""
    rows: int = 1000
    level: int = 0
    length: str = "mixed"
    seed: int = 0
    tokens: int = 0

    def making(self, place: str) -> factory.Config:
        """What the data factory is asked for, of a source of pipelines."""
        make = factory.Make(self.pipelines, self.rows, self.level, self.length, self.seeds, self.column)
        return factory.Config(place, [make], seed=self.seed, teacher=factory.TeacherChoice(self.teacher))


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    """Problems that a model answers greedily before and after every stage: the first ones of `data` that no stage learns."""

    data: str
    problems: Count = 200
    longest: Count = 256  # tokens of an answer


class Lora(Struct, frozen=True, forbid_unknown_fields=True):
    """An adapter's shape. `modules` are names of linear layers, fused or split; `dora` learns the rows' magnitudes, too."""

    rank: Count = 16
    alpha: Positive = 32
    modules: tuple[str, ...] = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
    rslora: bool = False
    dora: bool = False


class Stage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """What all stages have. `data` names the sources; `micro` is how many tokens are in memory at a time. `weights` in bfloat16,
    with their gradients and AdamW's moments, take half the memory; beside an adapter, those that stay do. A loss above `spike`
    times the median of the last steps, and twice their highest, stops the run; another `spike` goes on with it."""

    name: str = ""
    data: list[str] = []
    micro: int = 4096
    optimizer: Optimizer = Optimizer()
    lora: Lora | None = None
    precision: Precision = "auto"
    weights: Literal["float32", "bfloat16"] = "float32"
    recompute: bool = False
    spike: Positive = SPIKE

    @property
    def sources(self) -> list[str]:
        return self.data

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def title(self) -> str:
        return self.name or self.kind


class Reading(Stage, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stages that learn to go on with texts. Either `data`, gone through `epochs` times, or `mix`, shares of `tokens`.

    `batch` is a step's tokens; documents longer than `length` are left out and counted (pretraining cuts them). `held_out` is
    the share of documents that is only measured on, every `every` steps.
    """

    epochs: Positive = 1
    mix: dict[str, float] = {}
    tokens: int = 0
    batch: int = 8192
    length: int = 1024
    held_out: BelowOne = 0.01
    every: Count = 50

    @property
    def sources(self) -> list[str]:
        return self.data or list(self.mix)


class Pretrain(Reading, tag="pretrain", frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every token counts. `rule` takes the learning rate from the measured rule of `scaling.py`; `z` weighs z-loss."""

    rule: bool = False
    z: float = 1e-4


class Midtrain(Reading, tag="midtrain", frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A longer context: `long` is the share of long documents, made from the data's rows; the rest recalls what pretraining
    saw. Retrieval is measured at `lengths`, before and after."""

    context: int
    rope_theta: float
    long: Share = 0.3
    lengths: list[int] = []
    z: float = 1e-4


class Sft(Reading, tag="sft", frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Chats, of which the assistant's words are learnt; and texts (`.txt`), of which every token is, in pieces of `length`: some
    of those keep a model from unlearning what it reads well. A prompt's tokens count `prompt` each, where an answer's count 1:
    where answers are short and problems few, that holds back learning them by heart (Shi et al. 2024, "Instruction Tuning With
    Loss Over Instructions"). What `held_out` measures is the answers all the same. Sources to `recall` are learnt by the chances
    that a `teacher` of the same vocabulary, as the model from before, gives to all words, and not by their own words."""

    prompt: Share = 0.0
    recall: list[str] = []
    teacher: str = ""


class Distil(Reading, tag="distil", frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From a `teacher`: a model, an endpoint, or (if empty) the model itself as it is. "answers": its right answers to the data's
    problems are learnt as in SFT. "chances": the data's rows are learnt by what the teacher, of the same vocabulary, would have
    written with which chance: `share` parts of its distribution at `temperature`, of its `top_k` likeliest words (0: of all),
    the rest cross-entropy. `rollout_dtype` is what the model itself answers in."""

    teacher: str = ""
    problems: int = 0  # of the data, for answers; 0 for all
    learn: Literal["answers", "chances"] = "answers"
    sampled: distil.Sampled = distil.Sampled()
    rollout_dtype: RolloutDtype = "same"
    share: Share = 0.9
    temperature: Positive = 1.0
    top_k: Annotated[int, Meta(ge=0)] = 0


class Dpo(Stage, tag="dpo", frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Pairs of answers, made from `problems` of the data by the model as it is: tokens that a `pivotal` search finds, right and
    wrong `rollouts`, answers that the model `judge` prefers among this one's and those of `others`, or `refusals` of what the
    model hardly knows. Pairs longer than `length` together are left out; `first` keeps the beginnings of answers; `nll` weighs
    the negative log-likelihood of chosen answers, a token. `rollout_dtype` is what the model answers in."""

    pairs: Literal["pivotal", "rollouts", "judged", "refusals"] = "pivotal"
    problems: Count = 100
    beta: Positive = 0.1
    nll: NotNegative = 0.0
    first: Annotated[int, Meta(ge=0)] = 0
    epochs: Positive = 1
    batch: int = 8192
    length: int = 2048
    search: pivotal.Settings = pivotal.Settings()
    rolled: pairing.Rolled = pairing.Rolled()
    rollout_dtype: RolloutDtype = "same"
    judged: pairing.Judged = pairing.Judged()
    refusals: pairing.Refusals = pairing.Refusals()
    judge: str = ""
    others: list[str] = []


class Grpo(Stage, tag="grpo", frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`steps` of answers in groups, paid by `reward`: "plain", "reasoning_plus" (its lengths scaled by `scale`), or a file that
    has the function. `select` keeps the problems whose answers have uniform lengths."""

    steps: Count
    settings: grpo.Settings = grpo.Settings()
    reward: str = "plain"
    scale: Positive = 1.0
    select: groups.Selection | None = None


AnyStage = Pretrain | Midtrain | Sft | Distil | Dpo | Grpo


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`dtype` is what finished models are stored in; `tracker` is told every step's metrics, too, if it is named."""

    out: str
    start: Start
    stage: list[AnyStage]
    data: dict[str, Data] = {}
    tokenizer: Vocabulary | None = None
    measure: Measure | None = None
    seed: int = 0
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    tracker: Tracker | None = None

    def folder(self, number: int) -> Path:
        """Where stage `number`, from 0, has its run."""
        return Path(self.out).expanduser() / f"{number + 1}-{self.stage[number].title}"
