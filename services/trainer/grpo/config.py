"""What a training run is told: the section `training` of a configuration file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from prompt4trust.datasets.phantoms import SPLITS
from prompt4trust.models import Sampling
from prompt4trust.rewards import REWARDS

SECTION = "training"


class ConfigError(Exception):
    """A configuration cannot be used; the message names the file, the value and what is wrong."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhantomData(_Section):
    """Questions of Phantom-VQA, drawn when the run begins.

    Attributes:
        kind: Tells the two kinds of data apart.
        n: How many pictures, one question each.
        seed: The same seed gives the same pictures.
        split: Which of the disjoint splits.
        wordings: Question wordings to draw from.
    """

    kind: Literal["phantoms"] = "phantoms"
    n: int = Field(ge=1, le=1_000_000)
    seed: int = Field(default=0, ge=0)
    split: str
    wordings: Literal["train", "heldout"] = "train"

    @field_validator("split")
    @classmethod
    def _split_exists(cls, split: str) -> str:
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
        return split


class FileData(_Section):
    """Questions of a file in PMC-VQA's or MedMCQA's format.

    Attributes:
        kind: Tells the two kinds of data apart.
        path: The file, or a folder with questions.csv.
        images: Folder of the pictures, or None to find it.
        limit: How many to draw, or None for all.
        seed: Seed of the draw.
        min_side: Leave out pictures that do not open or have fewer pixels on a side.
        on_bad: Whether unusable rows are left out or end the run.
    """

    kind: Literal["file"]
    path: Path
    images: Path | None = None
    limit: int | None = Field(default=None, ge=1)
    seed: int = 42
    min_side: int | None = Field(default=None, ge=1)
    on_bad: Literal["error", "skip"] = "skip"


Data = Annotated[PhantomData | FileData, Field(discriminator="kind")]


class AnswerConfig(_Section):
    """How the downstream model is asked.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus, in (0, 1].
        top_k: Candidates; 0 for all.
        max_tokens: Longest reply.
        max_in_flight: Requests at once; a whole batch should fit, if the service takes as many.
        deadline_s: Seconds for one answer with all its retries: a service that is away for less is waited for.
        attempts: Tries for one answer.
        max_lost_share: The run stops when more than this share of the recent completions could not be scored.
        lost_window: How many recent completions that share is taken over.
    """

    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=256, ge=1)
    max_in_flight: int = Field(default=64, ge=1, le=4096)
    deadline_s: float = Field(default=180.0, gt=0)
    attempts: int = Field(default=60, ge=1)
    max_lost_share: float = Field(default=0.2, ge=0, lt=1)
    lost_window: int = Field(default=256, ge=1)

    def sampling(self, seed: int | None = None) -> Sampling:
        """Say how replies are decoded."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_tokens, seed if self.temperature else None)


class RolloutConfig(_Section):
    """How guidance prompts are sampled from the policy.

    Attributes:
        generations: Completions of each prompt, at least 2: they are compared with one another.
        temperature: Of the sampling; above 0.
        top_p: Nucleus, in (0, 1].
        top_k: Candidates; 0 for all.
        max_prompt_tokens: Questions with a longer prompt are left out, or None to keep all.
        max_tokens: Longest guidance prompt.
        engine: transformers: in the training process; vllm-colocate: vLLM on the training GPUs; vllm-server: a server
            started by `trl vllm-serve` at vllm_url. vLLM needs CUDA.
        vllm_url: Base URL of that server.
        vllm_memory: Share of a GPU's memory that a colocated vLLM takes.
    """

    generations: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    max_prompt_tokens: int | None = Field(default=None, ge=1)
    max_tokens: int = Field(default=48, ge=1)
    engine: Literal["transformers", "vllm-colocate", "vllm-server"] = "transformers"
    vllm_url: str | None = None
    vllm_memory: float = Field(default=0.3, gt=0, le=1)

    @model_validator(mode="after")
    def _server_has_an_address(self) -> Self:
        if self.engine == "vllm-server" and not self.vllm_url:
            raise ValueError("engine 'vllm-server' needs vllm_url")
        return self


class LoraSettings(_Section):
    """Low-rank adapters instead of full training (Hu et al. 2022, arXiv 2106.09685); needs the package peft.

    Attributes:
        rank: Rank of the update.
        alpha: Its scale.
        dropout: On the adapters' input.
        target_modules: Which layers, or "all-linear".
    """

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = "all-linear"


class UpdateConfig(_Section):
    """How the policy is updated.

    Attributes:
        steps: Optimizer steps of the run.
        learning_rate: Peak step size of AdamW.
        schedule: How it goes on after warm-up; warmup_stable_decay stays there and falls to 0 in the last decay_steps.
        warmup_steps: Steps of linear warm-up.
        decay_steps: Last steps, in which a warmup_stable_decay falls linearly.
        weight_decay: Of AdamW.
        beta: Weight of the KL divergence from the start. 0 is allowed and a trap: nothing then keeps the guidance
            language, and small policies drift into word salad.
        clip: How far a probability ratio counts.
        scale_rewards: batch: rewards are divided by the batch's deviation; none: they are left alone. There is no
            scaling by group: it makes a small gain and a large loss equal, and the log score is then proper no more.
        loss: How token losses are averaged, in TRL's words.
        iterations: Passes over each batch of completions.
        batch: Completions of one forward pass on one device.
        accumulation: Such passes of one step.
        max_grad_norm: Longest gradient.
        precision: Of the computation; weights of the policy and its reference are loaded alike.
        gradient_checkpointing: Trade time for memory.
        lora: Train adapters, or None to train all weights.
    """

    steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant_with_warmup", "linear", "cosine", "warmup_stable_decay"] = "linear"
    warmup_steps: int = Field(default=0, ge=0)
    decay_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    beta: float = Field(default=0.03, ge=0)
    clip: float = Field(default=0.2, gt=0, lt=1)
    scale_rewards: Literal["batch", "none"] = "batch"
    loss: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = "dapo"
    iterations: int = Field(default=1, ge=1)
    batch: int = Field(ge=2)
    accumulation: int = Field(default=1, ge=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False
    lora: LoraSettings | None = None

    @model_validator(mode="after")
    def _schedule_is_whole(self) -> Self:
        if (self.schedule == "warmup_stable_decay") != (self.decay_steps > 0):
            raise ValueError("decay_steps belongs to the schedule warmup_stable_decay, which needs it")
        if self.warmup_steps + self.decay_steps > self.steps:
            raise ValueError("warmup_steps and decay_steps together are more than steps")
        return self


class CheckpointConfig(_Section):
    """When the run saves and what it keeps.

    Attributes:
        every: Steps between checkpoints; each is evaluated.
        keep: How many stay, at least 2, so that a crash while saving leaves one.
    """

    every: int = Field(default=25, ge=1)
    keep: int = Field(default=2, ge=2)


class SelectionConfig(_Section):
    """Which checkpoint is published.

    Attributes:
        objective: What is compared on the validation split.
        must_improve: Publish nothing unless the best checkpoint beats the policy that the run began with.
        resamples: Bootstrap resamples for the intervals.
    """

    objective: Literal["reward", "accuracy", "ece", "brier", "nll"] = "reward"
    must_improve: bool = True
    resamples: int = Field(default=1000, ge=1)


class TrainingConfig(_Section):
    """A training run.

    Attributes:
        policy: Where it begins: a version of the registry, a directory, or a model of the Hugging Face hub.
        prompt_template: The policy's wording, for a start that brings none of its own; "name@version" or a JSON file.
        version: Name of the version to publish.
        reward: Name of the reward.
        seed: Of the data's order, the sampling and the bootstrap.
        device: auto takes a GPU where there is one.
        train: Questions to learn from.
        validation: Other questions, by which the checkpoint is chosen.
        answer: How the downstream model is asked.
        rollout: How guidance is sampled.
        update: How the policy is updated.
        checkpoints: When the run saves.
        selection: Which checkpoint is published.
        samples_per_step: Guidance prompts kept with their outcome, for a person to read.
    """

    policy: str = Field(min_length=1)
    prompt_template: str | None = None
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    reward: str = "log_score"
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: Literal["auto", "cpu"] = "auto"
    train: Data
    validation: Data
    answer: AnswerConfig = AnswerConfig()
    rollout: RolloutConfig = RolloutConfig()
    update: UpdateConfig
    checkpoints: CheckpointConfig = CheckpointConfig()
    selection: SelectionConfig = SelectionConfig()
    samples_per_step: int = Field(default=4, ge=0)

    @field_validator("reward")
    @classmethod
    def _reward_exists(cls, reward: str) -> str:
        if reward not in REWARDS:
            raise ValueError(f"unknown reward {reward!r}; there are {', '.join(REWARDS)}")
        return reward

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.train == self.validation:
            raise ValueError("train and validation name the same questions: the choice of a checkpoint needs others")
        if isinstance(self.train, PhantomData) and self.train.split == "test":
            raise ValueError("the test split is for reports: train on another")
        if (self.update.batch * self.update.accumulation) % self.rollout.generations:
            raise ValueError("batch x accumulation must be a multiple of generations: groups are compared whole")
        # A step that is resumed in the middle of a batch's iterations would sample that batch anew.
        if self.checkpoints.every % self.update.iterations or self.update.steps % self.update.iterations:
            raise ValueError("steps and checkpoints.every must be multiples of iterations, so that runs can be resumed")
        return self


def load_training(path: Path, overrides: dict[str, Any] | None = None) -> TrainingConfig:
    """Read the section `training` of a configuration file.

    Args:
        path: A YAML file.
        overrides: Values over those of the file, nested by dotted names: {"update.steps": 10}.

    Returns:
        The validated configuration.

    Raises:
        ConfigError: If there is no such file or section, or a value is wrong.
    """
    try:
        return TrainingConfig.model_validate(lay_over(read_section(path), overrides or {}))
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or SECTION}: {each['msg']}" for each in error.errors())
        raise ConfigError(f"{path}, section {SECTION}: {told}") from error


def read_section(path: Path) -> dict[str, Any]:
    """Read the section `training` of a configuration file as it stands there.

    Raises:
        ConfigError: If there is no such file or section.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error
    section = document.get(SECTION) if isinstance(document, dict) else None
    if not isinstance(section, dict):
        raise ConfigError(f"{path} has no section {SECTION!r}")
    return section


def lay_over(section: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put values over those of a section, which stays as it is.

    Args:
        section: The section.
        overrides: Values by dotted names.

    Returns:
        The new section, not validated.

    Raises:
        ConfigError: If a name leads into what is no group of values.
    """
    changed = copy.deepcopy(section)
    for name, value in overrides.items():
        *parents, last = name.split(".")
        place: Any = changed
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{name}: {parent} is a single value")
        place[last] = value
    return changed
