"""The configuration of a training run: the section `training` of a configuration file.

Settings that TRL's GRPOConfig, peft's LoraConfig or a schedule of transformers knows too have the names that they have
there, so that what is written about those holds here.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from prompt4trust.models import Sampling
from services.trainer.grpo.config.curriculum_config import CurriculumConfig, check_replies
from services.trainer.grpo.config.renamed_settings import describe_renamed
from services.trainer.grpo.config.reward_setting import RewardSetting
from services.trainer.question_data import Data, PhantomData
from services.trainer.section import Section


class AnswerConfig(Section):
    """Questions to the downstream model.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus, in (0, 1].
        top_k: Candidates; 0 for all.
        max_tokens: Longest reply.
        max_in_flight: Requests at once; a whole batch should fit, if the service takes as many.
        deadline_s: Seconds for one answer with all its retries: a service that is away for less is waited for.
        attempts: Tries for one answer.
        max_lost_share: The run stops when more than this share of the recent completions could not be scored.
        lost_window: Number of recent completions that share is taken over.
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
        """Make the decoding of replies."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_tokens, seed if self.temperature else None)


class RolloutConfig(Section):
    """Sampling of guidance prompts from the policy; the names are GRPOConfig's but for max_prompt_tokens.

    Attributes:
        num_generations: Completions of each prompt, at least 2: they are compared with one another.
        temperature: Of the sampling; above 0.
        top_p: Nucleus, in (0, 1].
        top_k: Candidates; 0 for all.
        max_prompt_tokens: Questions with a longer prompt are left out, or None to keep all.
        max_completion_length: Longest guidance prompt, in tokens.
        use_vllm: Sample with vLLM, which needs CUDA; else in the training process with transformers.
        vllm_mode: colocate: on the training GPUs; server: a server started by `trl vllm-serve`.
        vllm_server_base_url: Base URL of that server.
        vllm_gpu_memory_utilization: Share of a GPU's memory that a colocated vLLM takes.
        vllm_importance_sampling_correction: Weigh completions by how probable they are to the model that is trained,
            over how probable vLLM called them: the two compute a little differently.
        vllm_importance_sampling_mode: Whether such a ratio beyond the bounds is cut to them (truncate) or its
            completion left out (mask), by token or by sequence.
        vllm_importance_sampling_clip_max: The upper bound; None for none.
        vllm_importance_sampling_clip_min: The lower bound; None for none.
    """

    num_generations: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    max_prompt_tokens: int | None = Field(default=None, ge=1)
    max_completion_length: int = Field(default=48, ge=1)
    use_vllm: bool = False
    vllm_mode: Literal["colocate", "server"] = "colocate"
    vllm_server_base_url: str | None = None
    vllm_gpu_memory_utilization: float = Field(default=0.3, gt=0, le=1)
    # TRL's defaults of today, said here: with another TRL a run is still what its record says.
    vllm_importance_sampling_correction: bool = True
    vllm_importance_sampling_mode: Literal["token_truncate", "token_mask", "sequence_truncate", "sequence_mask"] = (
        "sequence_mask"
    )
    vllm_importance_sampling_clip_max: float | None = Field(default=3.0, gt=0)
    vllm_importance_sampling_clip_min: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _server_has_an_address(self) -> Self:
        if self.use_vllm and self.vllm_mode == "server" and not self.vllm_server_base_url:
            raise ValueError("vllm_mode 'server' needs vllm_server_base_url")
        return self


class LoraSettings(Section):
    """Low-rank adapters instead of full training (Hu et al. 2022, arXiv 2106.09685); names and package are peft's.

    Attributes:
        r: Rank of the update.
        lora_alpha: Its scale.
        lora_dropout: On the adapters' input.
        target_modules: Names of layers, or "all-linear".
    """

    r: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = "all-linear"


class UpdateConfig(Section):
    """Updates of the policy; the names are GRPOConfig's but for num_decay_steps (the schedule's own word) and lora.

    Attributes:
        max_steps: Optimizer steps of the run.
        learning_rate: Peak step size of AdamW.
        lr_scheduler_type: Step sizes after warm-up; warmup_stable_decay stays at the peak and falls to 0 in the last
            num_decay_steps.
        warmup_steps: Steps of linear warm-up.
        num_decay_steps: Last steps, in which a warmup_stable_decay falls linearly.
        weight_decay: Of AdamW.
        beta: Weight of the KL divergence from the start. 0 is allowed and a trap: nothing then keeps the guidance
            language, and small policies drift into word salad.
        use_bias_correction_kl: Multiply that divergence by the probability ratio, so that its gradient is unbiased
            (arXiv 2512.02556); off it is as GRPO's authors and the paper have it.
        epsilon: Clipping of probability ratios: how far one counts.
        scale_rewards: batch: rewards are divided by the batch's deviation; none: they are left alone. There is no
            scaling by group: it makes a small gain and a large loss equal, and the log score is then proper no more.
        loss_type: Average over token losses.
        num_iterations: Passes over each batch of completions.
        per_device_train_batch_size: Completions of one forward pass on one device.
        gradient_accumulation_steps: Such passes of one step.
        max_grad_norm: Longest gradient.
        bf16: Compute in bfloat16; else in float32. The policy's weights and its reference's are loaded alike.
        gradient_checkpointing: Trade time for memory.
        lora: Train adapters, or None to train all weights.
    """

    max_steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    lr_scheduler_type: Literal["constant_with_warmup", "linear", "cosine", "warmup_stable_decay"] = "linear"
    warmup_steps: int = Field(default=0, ge=0)
    num_decay_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    beta: float = Field(default=0.03, ge=0)
    use_bias_correction_kl: bool = True
    epsilon: float = Field(default=0.2, gt=0, lt=1)
    scale_rewards: Literal["batch", "none"] = "batch"
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = "dapo"
    num_iterations: int = Field(default=1, ge=1)
    per_device_train_batch_size: int = Field(ge=2)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    bf16: bool = False
    gradient_checkpointing: bool = False
    lora: LoraSettings | None = None

    @model_validator(mode="after")
    def _schedule_is_whole(self) -> Self:
        if (self.lr_scheduler_type == "warmup_stable_decay") != (self.num_decay_steps > 0):
            raise ValueError("num_decay_steps belongs to the schedule warmup_stable_decay, which needs it")
        if self.warmup_steps + self.num_decay_steps > self.max_steps:
            raise ValueError("warmup_steps and num_decay_steps together are more than max_steps")
        return self


class CheckpointConfig(Section):
    """Saving of checkpoints; the names are GRPOConfig's.

    Attributes:
        save_steps: Steps between checkpoints; each is evaluated.
        save_total_limit: Number that stay, at least 2, so that a crash while saving leaves one.
    """

    save_steps: int = Field(default=25, ge=1)
    save_total_limit: int = Field(default=2, ge=2)


class SelectionConfig(Section):
    """Choice of the checkpoint to publish.

    Attributes:
        objective: The figure that is compared on the validation split.
        must_improve: Publish nothing unless the best checkpoint beats the policy that the run began with.
        resamples: Bootstrap resamples for the intervals.
    """

    objective: Literal["reward", "accuracy", "ece", "brier", "nll"] = "reward"
    must_improve: bool = True
    resamples: int = Field(default=1000, ge=1)


class TrainingConfig(Section):
    """A training run.

    Attributes:
        policy: The start: a version of the registry, a directory, or a model of the Hugging Face hub.
        prompt_template: The policy's wording, for a start that brings none of its own; "name@version" or a JSON file.
        version: Name of the version to publish.
        reward: A proper score by its name, or weights by name for a sum: {"brier": 1.0, "tail_weighted": 0.5}.
        seed: Of the data's order, the sampling and the bootstrap.
        device: auto takes a GPU where there is one.
        train: Questions to learn from.
        validation: Other questions, by which the checkpoint is chosen.
        answer: Questions to the downstream model.
        rollout: Sampling of guidance.
        update: Updates of the policy.
        checkpoints: Saving of checkpoints.
        selection: Choice of the checkpoint to publish.
        curriculum: The order of the questions by difficulty, or None for a random one.
        samples_per_step: Guidance prompts kept with their outcome, for a person to read.
    """

    policy: str = Field(min_length=1)
    prompt_template: str | None = None
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    reward: RewardSetting = "log_score"
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: Literal["auto", "cpu"] = "auto"
    train: Data
    validation: Data
    answer: AnswerConfig = AnswerConfig()
    rollout: RolloutConfig = RolloutConfig()
    update: UpdateConfig
    checkpoints: CheckpointConfig = CheckpointConfig()
    selection: SelectionConfig = SelectionConfig()
    curriculum: CurriculumConfig | None = None
    samples_per_step: int = Field(default=4, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _no_setting_has_a_former_name(cls, section: Any) -> Any:
        if renamed := describe_renamed(section):
            raise ValueError("; ".join(renamed))
        return section

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.train == self.validation:
            raise ValueError("train and validation name the same questions: the choice of a checkpoint needs others")
        if isinstance(self.train, PhantomData) and self.train.split == "test":
            raise ValueError("the test split is for reports: train on another")
        update, checkpoints = self.update, self.checkpoints
        check_replies(self.curriculum, self.answer.temperature)
        if self.curriculum is not None and self.curriculum.steps > update.max_steps - update.num_iterations:
            raise ValueError(
                "curriculum.steps is more than update.max_steps - update.num_iterations: "
                "some questions would never come into play"
            )
        if (update.per_device_train_batch_size * update.gradient_accumulation_steps) % self.rollout.num_generations:
            raise ValueError(
                "per_device_train_batch_size x gradient_accumulation_steps must be a multiple of num_generations: "
                "groups are compared whole"
            )
        # A step that is resumed in the middle of a batch's iterations would sample that batch anew.
        if checkpoints.save_steps % update.num_iterations or update.max_steps % update.num_iterations:
            raise ValueError(
                "max_steps and save_steps must be multiples of num_iterations, so that runs can be resumed"
            )
        return self
