"""From a run's configuration to that of TRL's GRPOTrainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trl.trainer.grpo_config import GRPOConfig

from services.trainer.grpo.config import LoraSettings, TrainingConfig

_PATIENCE_S = 7200


def build_arguments(config: TrainingConfig, output: Path) -> GRPOConfig:
    """Translate a configuration.

    TRL's own defaults differ from the method's (no KL term, scaling by group, an engine in colocated mode), so
    everything that matters is said.

    Args:
        config: The run's configuration.
        output: Where checkpoints go.

    Returns:
        The trainer's configuration. Weights are kept in float32 and computed with in the configured precision: with
        steps of 1e-6, updates of shorter weights would be rounded away, and policy and reference must agree.

    Raises:
        ValueError: If the parts do not fit this number of processes.
    """
    update, rollout = config.update, config.rollout
    cpu = config.device == "cpu"
    arguments: dict[str, Any] = {
        "output_dir": str(output),
        "seed": config.seed,
        "use_cpu": cpu,
        "dataloader_pin_memory": False,  # rows are text
        "disable_tqdm": True,
        "report_to": [],
        "logging_steps": 1,
        "model_init_kwargs": {"dtype": "float32"},
        "bf16": update.precision == "bfloat16",
        "gradient_checkpointing": update.gradient_checkpointing,
        # The order of the questions is fixed in the data set itself, and one pass goes through all of it.
        "shuffle_dataset": False,
        "max_steps": update.steps,
        "learning_rate": update.learning_rate,
        "lr_scheduler_type": update.schedule,
        "warmup_steps": update.warmup_steps,
        "weight_decay": update.weight_decay,
        "max_grad_norm": update.max_grad_norm,
        "per_device_train_batch_size": update.batch,
        "gradient_accumulation_steps": update.accumulation,
        "num_iterations": update.iterations,
        "beta": update.beta,
        "epsilon": update.clip,
        "scale_rewards": update.scale_rewards,
        "loss_type": update.loss,
        "num_generations": rollout.generations,
        "max_completion_length": rollout.max_tokens,
        "temperature": rollout.temperature,
        "top_p": rollout.top_p,
        "top_k": rollout.top_k,
        "save_strategy": "steps",
        "save_steps": config.checkpoints.every,
        "save_total_limit": config.checkpoints.keep,
        # The other processes wait while one evaluates a checkpoint.
        "ddp_timeout": _PATIENCE_S,
    }
    if update.decay_steps:
        arguments["lr_scheduler_kwargs"] = {"num_decay_steps": update.decay_steps, "decay_type": "linear"}
    if rollout.engine != "transformers":
        arguments |= {"use_vllm": True, "vllm_mode": rollout.engine.removeprefix("vllm-")}
        if rollout.engine == "vllm-server":
            arguments["vllm_server_base_url"] = rollout.vllm_url
        else:
            arguments["vllm_gpu_memory_utilization"] = rollout.vllm_memory
            if rollout.max_prompt_tokens is not None:
                # Else vLLM sets memory aside for the longest context that the model could take.
                arguments["vllm_max_model_length"] = rollout.max_prompt_tokens + rollout.max_tokens
    return GRPOConfig(**arguments)


def build_adapters(lora: LoraSettings | None) -> Any:
    """Translate the settings of adapters, or None where all weights are trained.

    Raises:
        ImportError: If peft is not installed.
    """
    if lora is None:
        return None
    from peft import LoraConfig

    targets = lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules)
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
