"""Configurations of training runs: the shipped ones build what TRL takes, and mistakes are told."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from pydantic import BaseModel, ValidationError
from transformers import get_scheduler
from transformers.optimization import get_wsd_schedule
from trl.trainer.grpo_config import GRPOConfig

from services.trainer.grpo.config.config_file import load_training
from services.trainer.grpo.config.training_config import (
    CheckpointConfig,
    LoraSettings,
    RolloutConfig,
    TrainingConfig,
    UpdateConfig,
)
from services.trainer.grpo.learning.arguments import build_adapters, build_arguments
from tests.services.trainer.grpo.conftest import Configure

CONFIGS = Path(__file__).resolve().parents[5] / "configs"


def test_the_embedded_configuration_is_the_documented_recipe(tmp_path: Path) -> None:
    config = load_training(CONFIGS / "embedded.yaml")
    arguments = build_arguments(config, tmp_path)
    assert (arguments.per_device_train_batch_size, arguments.num_generations) == (96, 8)
    assert arguments.generation_batch_size == 12 * 8
    assert (arguments.beta, arguments.epsilon, arguments.temperature) == (0.06, 0.2, 1.0)
    assert arguments.learning_rate == 6e-4
    assert arguments.scale_rewards == "batch"
    assert arguments.use_cpu
    assert not arguments.bf16
    assert not arguments.use_vllm
    assert config.reward == "log_score"


def test_the_paper_s_configuration_builds_the_trainer_s(tmp_path: Path) -> None:
    shipped = load_training(CONFIGS / "pmcvqa.yaml")
    arguments = build_arguments(shipped.model_copy(update={"device": "cpu"}), tmp_path)  # bf16 without a GPU
    assert (arguments.learning_rate, arguments.beta, arguments.num_iterations) == (1e-6, 0.04, 4)
    assert (arguments.num_generations, arguments.per_device_train_batch_size) == (8, 8)
    assert (arguments.temperature, arguments.top_p, arguments.top_k) == (0.6, 0.95, 100)
    assert (arguments.max_completion_length, shipped.rollout.max_prompt_tokens) == (512, 512)
    assert (arguments.scale_rewards, arguments.max_grad_norm) == ("none", 1.0)
    assert (arguments.save_steps, arguments.save_total_limit) == (200, 3)
    assert (arguments.use_vllm, arguments.vllm_mode) == (True, "server")
    assert arguments.vllm_server_base_url == "http://127.0.0.1:8000"
    assert (arguments.use_bias_correction_kl, arguments.vllm_importance_sampling_correction) == (False, False)
    assert arguments.bf16
    answer = shipped.answer.sampling(seed=1)
    assert (answer.temperature, answer.top_p, answer.top_k, answer.max_tokens) == (0.1, 0.95, 50, 256)
    assert (shipped.train.limit, shipped.train.seed, shipped.train.min_side) == (5000, 42, 28)  # type: ignore[union-attr]


def test_a_rate_that_stays_and_then_falls_is_the_trainer_s(
    training: Callable[..., TrainingConfig], tmp_path: Path
) -> None:
    update = {"lr_scheduler_type": "warmup_stable_decay", "max_steps": 8, "warmup_steps": 2, "num_decay_steps": 4}
    arguments = build_arguments(training(update={**update, "learning_rate": 0.5}), tmp_path)
    assert isinstance(arguments.lr_scheduler_kwargs, dict)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=arguments.learning_rate)
    schedule = get_scheduler(
        arguments.lr_scheduler_type,
        optimizer,
        num_warmup_steps=int(arguments.warmup_steps),
        num_training_steps=arguments.max_steps,
        scheduler_specific_kwargs=arguments.lr_scheduler_kwargs,
    )
    rates = []
    for _ in range(8):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0, 0.25, 0.5, 0.5, 0.5, 0.375, 0.25, 0.125])


def test_vllm_may_share_the_training_gpus(training: Callable[..., TrainingConfig], tmp_path: Path) -> None:
    config = training(rollout={"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": 0.4})
    arguments = build_arguments(config, tmp_path)
    assert (arguments.use_vllm, arguments.vllm_mode) == (True, "colocate")
    assert arguments.vllm_gpu_memory_utilization == 0.4
    assert arguments.vllm_max_model_length is None  # prompts of any length were asked for


PAPER_S_WAYS: dict[str, dict[str, Any]] = {
    "server, all weights": {},
    "server, adapters": {"update.lora.r": 16},
    "colocated, all weights": {"rollout.vllm_mode": "colocate", "rollout.vllm_server_base_url": None},
    "colocated, adapters": {"rollout.vllm_mode": "colocate", "update.lora.r": 16},
    "in the process, all weights": {"rollout.use_vllm": False},
}


@pytest.mark.parametrize("way", PAPER_S_WAYS)
@pytest.mark.parametrize("processes", [1, 4])
def test_the_paper_s_configuration_in_every_way_on_one_and_several_gpus(
    way: str, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_training(CONFIGS / "pmcvqa.yaml", PAPER_S_WAYS[way])
    # As `accelerate launch` tells each process; bf16 without a GPU is taken on a CPU only.
    monkeypatch.setattr(GRPOConfig, "world_size", processes)
    arguments = build_arguments(config.model_copy(update={"device": "cpu"}), tmp_path)
    assert arguments.generation_batch_size == 8 * processes
    assert arguments.num_iterations == 4
    assert arguments.bf16
    assert arguments.model_init_kwargs == {"dtype": "float32"}
    assert arguments.ddp_timeout > 1800  # a checkpoint is evaluated by one while the others wait
    assert arguments.use_vllm == (not way.startswith("in the process"))
    if way.startswith("colocated"):
        assert arguments.vllm_mode == "colocate"
        assert arguments.vllm_max_model_length == 512 + 512
    adapters = build_adapters(config.update.lora)
    assert (adapters is not None) == way.endswith("adapters")
    if adapters is not None:
        assert (adapters.r, adapters.lora_alpha) == (16, 32)


def test_adapters_are_peft_s(training: Callable[..., TrainingConfig]) -> None:
    adapters = build_adapters(training(update={"lora": {"r": 4, "lora_alpha": 8}}).update.lora)
    assert (adapters.r, adapters.lora_alpha, adapters.target_modules) == (4, 8, "all-linear")
    assert build_adapters(None) is None


def test_a_reward_may_be_a_weighted_sum(training: Callable[..., TrainingConfig]) -> None:
    weights = {"brier": 1.0, "tail_weighted": 0.5}
    config = training(reward=weights)
    assert config.reward == weights
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config  # as a run's folder keeps it


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reward": {"brier": 1.0, "applause": 1.0}}, "unknown reward 'applause'"),
        ({"reward": {"brier": 0.0}}, "weight of brier must be above 0"),
        ({"curriculum": {"steps": 6}}, "some questions would never come into play"),
        ({"curriculum": {"steps": 2, "replies": 2}}, "greedy replies are all the same"),
        ({"curriculum": {"steps": 2, "replies": 17}}, "replies"),
        ({"curriculum": {"steps": 2, "start_share": 0}}, "start_share"),
        ({"curriculum": {"steps": 2, "by": "length"}}, "curriculum.by"),
        ({"update": {"scale_rewards": "group"}}, "scale_rewards"),
        ({"update": {"per_device_train_batch_size": 9}}, "multiple of num_generations"),
        ({"update": {"num_iterations": 4}}, "multiples of num_iterations"),
        ({"update": {"stepz": 4}}, "stepz"),
        ({"update": {"num_decay_steps": 1}}, "belongs to the schedule warmup_stable_decay"),
        ({"update": {"lr_scheduler_type": "warmup_stable_decay"}}, "which needs it"),
        (
            {"update": {"lr_scheduler_type": "warmup_stable_decay", "warmup_steps": 1, "num_decay_steps": 900}},
            "more than max_steps",
        ),
        ({"rollout": {"use_vllm": True, "vllm_mode": "server"}}, "needs vllm_server_base_url"),
        ({"rollout": {"temperature": 0}}, "temperature"),
        ({"checkpoints": {"save_total_limit": 1}}, "save_total_limit"),
        ({"reward": "praise"}, "there are log_score, brier"),
        ({"version": "../x"}, "version"),
        ({"answer": {"max_lost_share": 1.0}}, "max_lost_share"),
    ],
)
def test_mistakes_are_told(configure: Configure, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TrainingConfig.model_validate(configure(**changes))


def test_the_splits_stay_apart(configure: Configure) -> None:
    section = configure()
    with pytest.raises(ValidationError, match="same questions"):
        TrainingConfig.model_validate({**section, "validation": section["train"]})
    with pytest.raises(ValidationError, match="for reports"):
        TrainingConfig.model_validate({**section, "train": {"kind": "phantoms", "split": "test", "n": 5}})


def test_settings_of_trl_and_peft_have_their_names() -> None:
    ours: dict[type[BaseModel], set[str]] = {
        UpdateConfig: {"num_decay_steps", "lora"},
        RolloutConfig: {"max_prompt_tokens"},
        CheckpointConfig: set(),
    }
    for section, own in ours.items():
        assert section.model_fields.keys() - own <= GRPOConfig.__dataclass_fields__.keys()
        assert not own & GRPOConfig.__dataclass_fields__.keys()
    assert LoraSettings.model_fields.keys() <= LoraConfig.__dataclass_fields__.keys()
    assert "num_decay_steps" in signature(get_wsd_schedule).parameters
