"""Configuration files of training runs: mistakes are told, and options lie over them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.trainer.errors import ConfigError
from services.trainer.grpo.config.config_file import load_training
from tests.services.trainer.grpo.conftest import Configure

CONFIGS = Path(__file__).resolve().parents[5] / "configs"


def test_a_file_without_the_section_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("trainer: {}\n")
    with pytest.raises(ConfigError, match="has no section 'training'"):
        load_training(tmp_path / "mine.yaml")
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_training(tmp_path / "absent.yaml")


def test_a_former_name_is_refused_with_the_new_one(configure: Configure, tmp_path: Path) -> None:
    section = configure()
    section["update"]["batch"] = section["update"].pop("per_device_train_batch_size")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"training": section}))
    says = "training.update.batch is now training.update.per_device_train_batch_size"
    with pytest.raises(ConfigError, match=says):
        load_training(tmp_path / "mine.yaml")
    with pytest.raises(ConfigError, match=r"rollout\.engine is now training\.rollout\.use_vllm and "):
        load_training(CONFIGS / "embedded.yaml", {"rollout.engine": "vllm-server"})


def test_options_lie_over_the_file() -> None:
    config = load_training(CONFIGS / "embedded.yaml", {"update.max_steps": 10, "seed": 7})
    assert (config.update.max_steps, config.seed, config.update.beta) == (10, 7, 0.06)


def test_a_run_of_fewer_steps_than_the_warm_up_shortens_it_in_proportion() -> None:
    whole = load_training(CONFIGS / "embedded.yaml").update
    assert whole.warmup_steps > 1
    assert load_training(CONFIGS / "embedded.yaml", {"update.max_steps": 1}).update.warmup_steps == 0
    near = load_training(CONFIGS / "embedded.yaml", {"update.max_steps": whole.warmup_steps}).update
    assert near.warmup_steps == whole.warmup_steps
    with pytest.raises(ConfigError, match="together are more than max_steps"):
        load_training(CONFIGS / "embedded.yaml", {"update.max_steps": 5, "update.warmup_steps": 6})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "rollout.num_generation",
            8,
            r"rollout\.num_generation .*: there is no such setting \(is num_generations meant\?\)",
        ),
        ("versoin", "x", r"versoin .*: there is no such setting \(is version meant\?\)"),
        ("train.seeed", 1, r"seeed.*: there is no such setting"),
        ("version", "a/b", r"version \(given over the file's\): String should match"),
    ],
)
def test_a_wrong_value_is_told_by_its_name_and_where_it_was_given(name: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_training(CONFIGS / "embedded.yaml", {name: value})
