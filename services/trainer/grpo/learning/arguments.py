"""The configuration of TRL's GRPOTrainer and of peft's adapters, made of a run's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trl.trainer.grpo_config import GRPOConfig

from services.trainer.grpo.config.training_config import LoraSettings, TrainingConfig

_PATIENCE_S = 7200
# All other settings of the sections update and rollout are GRPOConfig's by name.
_OURS = {"lora", "num_decay_steps", "max_prompt_tokens"}


def build_arguments(config: TrainingConfig, output: Path) -> GRPOConfig:
    """Translate a configuration.

    TRL's own defaults differ from the method's (no KL term, scaling by group, an engine in colocated mode), so
    everything that matters is said.

    Args:
        config: The run's configuration.
        output: Folder of the checkpoints.

    Returns:
        The trainer's configuration. Weights are kept in float32 and computed with in the configured precision: with
        steps of 1e-6, updates of shorter weights would be rounded away, and policy and reference must agree.

    Raises:
        ValueError: If the parts do not fit this number of processes.
    """
    update, rollout = config.update, config.rollout
    arguments: dict[str, Any] = {
        **update.model_dump(exclude=_OURS),
        **rollout.model_dump(exclude=_OURS),
        **config.checkpoints.model_dump(),
        "output_dir": str(output),
        "seed": config.seed,
        "use_cpu": config.device == "cpu",
        "dataloader_pin_memory": False,  # rows are text
        "disable_tqdm": True,
        "report_to": [],
        "logging_steps": 1,
        "model_init_kwargs": {"dtype": "float32"},
        # The order of the questions is fixed in the data set itself, and one pass goes through all of it.
        "shuffle_dataset": False,
        "save_strategy": "steps",
        # The other processes wait while one evaluates a checkpoint.
        "ddp_timeout": _PATIENCE_S,
    }
    if update.num_decay_steps:
        arguments["lr_scheduler_kwargs"] = {"num_decay_steps": update.num_decay_steps, "decay_type": "linear"}
    if rollout.use_vllm and rollout.vllm_mode == "colocate" and rollout.max_prompt_tokens is not None:
        # Else vLLM sets memory aside for the longest context that the model could take.
        arguments["vllm_max_model_length"] = rollout.max_prompt_tokens + rollout.max_completion_length
    return GRPOConfig(**arguments)


def build_adapters(lora: LoraSettings | None) -> Any:
    """Translate the settings of adapters, or None where all weights are trained.

    Raises:
        ImportError: If peft is not installed.
    """
    if lora is None:
        return None
    from peft import LoraConfig

    settings = lora.model_dump()
    if not isinstance(lora.target_modules, str):
        settings["target_modules"] = list(lora.target_modules)
    return LoraConfig(**settings, task_type="CAUSAL_LM")
