"""Runs that earlier versions wrote are read as what they meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.trainer.errors import RunError
from services.trainer.grpo.config.renamed_settings import RENAMED, describe_renamed, translate_renamed
from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.grpo.spec import read_spec
from services.trainer.run_files.configuration import CONFIG
from tests.services.trainer.grpo.conftest import Configure

SHIPPED = Path(__file__).resolve().parents[5] / "models" / "policy-mini-grpo-1" / "provenance.json"


def earlier() -> dict[str, Any]:
    """The configuration that the shipped policy was trained by, as it was written then."""
    written: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))["config"]
    return written


def test_an_earlier_configuration_means_what_it_meant() -> None:
    written = earlier()
    assert len(describe_renamed(written)) == len(RENAMED) - 3  # it trained no adapters
    read = TrainingConfig.model_validate(translate_renamed(written))
    assert (read.rollout.num_generations, read.rollout.max_completion_length, read.rollout.use_vllm) == (8, 48, False)
    assert (read.update.max_steps, read.update.per_device_train_batch_size, read.update.epsilon) == (300, 96, 0.2)
    assert (read.update.lr_scheduler_type, read.update.bf16) == ("constant_with_warmup", False)
    assert (read.checkpoints.save_steps, read.checkpoints.save_total_limit) == (50, 2)
    assert written == earlier()  # untouched
    present = read.model_dump(mode="json")
    assert describe_renamed(present) == []
    assert translate_renamed(present) == present


def test_values_that_changed_with_their_names_and_adapters() -> None:
    written = earlier()
    written["rollout"] |= {"engine": "vllm-server", "vllm_url": "http://10.0.0.1:8000"}
    written["update"] |= {"precision": "bfloat16", "lora": {"rank": 4, "alpha": 8, "dropout": 0.1}}
    read = TrainingConfig.model_validate(translate_renamed(written))
    assert (read.rollout.use_vllm, read.rollout.vllm_mode) == (True, "server")
    assert read.rollout.vllm_server_base_url == "http://10.0.0.1:8000"
    assert read.update.bf16
    assert read.update.lora is not None
    assert (read.update.lora.r, read.update.lora.lora_alpha, read.update.lora.lora_dropout) == (4, 8, 0.1)


def test_an_earlier_run_s_folder_is_read(configure: Configure, tmp_path: Path) -> None:
    section = configure()
    section["update"] = {"steps": 6, "learning_rate": 1e-2, "batch": 8}
    section["checkpoints"] = {"every": 2}
    connection = {"url": "http://127.0.0.1:9/v1", "model": "m", "template": "t", "registry": "r", "data": "d"}
    (tmp_path / CONFIG).write_text(json.dumps({"config": section, "connection": connection}))
    assert read_spec(tmp_path).config == TrainingConfig.model_validate(configure())


@pytest.mark.parametrize("written", ["", "[]", "{}", '{"config": 3}', '{"config": {"update": 5}}'])
def test_what_is_no_run_is_said_to_be_none(written: str, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(written)
    with pytest.raises(RunError, match="cannot be read"):
        read_spec(tmp_path)
