"""A run's attempt: what it sees to before it begins."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from services.trainer.errors import RunError
from services.trainer.grpo.attempt import check_sampler
from services.trainer.grpo.config.training_config import RolloutConfig


def test_a_configuration_that_samples_by_vllm_says_how_to_install_it() -> None:
    check_sampler(RolloutConfig(use_vllm=False))
    if find_spec("vllm") is not None:
        pytest.skip("vLLM is installed")
    with pytest.raises(RunError, match=r"extra train-gpu with constraints-gpu-trainer\.txt"):
        check_sampler(RolloutConfig(use_vllm=True, vllm_mode="colocate"))
