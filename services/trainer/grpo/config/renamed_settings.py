"""Former names of settings of the section `training`: refused where somebody writes them, translated in records.

A configuration or a request with one is refused by a message that names the new one; the run's folder that an earlier
version wrote is read as what it meant. Both go by one table.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

RENAMED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "rollout.generations": ("rollout.num_generations",),
        "rollout.max_tokens": ("rollout.max_completion_length",),
        "rollout.engine": ("rollout.use_vllm", "rollout.vllm_mode"),
        "rollout.vllm_url": ("rollout.vllm_server_base_url",),
        "rollout.vllm_memory": ("rollout.vllm_gpu_memory_utilization",),
        "update.steps": ("update.max_steps",),
        "update.schedule": ("update.lr_scheduler_type",),
        "update.decay_steps": ("update.num_decay_steps",),
        "update.clip": ("update.epsilon",),
        "update.loss": ("update.loss_type",),
        "update.iterations": ("update.num_iterations",),
        "update.batch": ("update.per_device_train_batch_size",),
        "update.accumulation": ("update.gradient_accumulation_steps",),
        "update.precision": ("update.bf16",),
        "update.lora.rank": ("update.lora.r",),
        "update.lora.alpha": ("update.lora.lora_alpha",),
        "update.lora.dropout": ("update.lora.lora_dropout",),
        "checkpoints.every": ("checkpoints.save_steps",),
        "checkpoints.keep": ("checkpoints.save_total_limit",),
    }
)
"""Former name -> the names that its value is under now."""

# Where not only the name but the values changed: former value -> one for each of the new names.
_VALUES: Mapping[str, Mapping[Any, tuple[Any, ...]]] = {
    "rollout.engine": {
        "transformers": (False, "colocate"),
        "vllm-colocate": (True, "colocate"),
        "vllm-server": (True, "server"),
    },
    "update.precision": {"float32": (False,), "bfloat16": (True,)},
}


def describe_renamed(section: Any) -> list[str]:
    """Find former names in a section.

    Args:
        section: The section, not validated.

    Returns:
        A sentence for each, with the new name; none where the section is no group of values.
    """
    return [
        f"training.{former} is now {' and '.join(f'training.{name}' for name in names)}"
        for former, names in RENAMED.items()
        if _last(former) in _group(section, former)
    ]


def translate_renamed(section: Any) -> Any:
    """Put the values of a section that an earlier version wrote under their present names.

    Args:
        section: The section; it stays as it is.

    Returns:
        The section of present names, not validated.
    """
    changed = copy.deepcopy(section)
    for former, names in RENAMED.items():
        group = _group(changed, former)
        if _last(former) in group:
            value = group.pop(_last(former))
            values = _VALUES[former].get(value, (value,)) if former in _VALUES else (value,)
            group.update({_last(name): each for name, each in zip(names, values, strict=False)})
    return changed


def _group(section: Any, name: str) -> dict[str, Any]:
    """Follow a dotted name to the group of values that it is in; {} where there is none."""
    for parent in name.split(".")[:-1]:
        section = section.get(parent) if isinstance(section, dict) else None
    return section if isinstance(section, dict) else {}


def _last(name: str) -> str:
    return name.rpartition(".")[2]
