"""Rewards of a TrustVQA trainer for verl: its custom reward function, for which the trainer asks the downstream model.

custom_reward_function.path=examples/verl_reward.py custom_reward_function.name=compute_score

The policy writes guidance (`solution_str`); each row of the data has the right option's letter as `ground_truth`, and
in `extra_info` the question, its options, and the picture's path below the trainer's data directory as `image`.
The signature is that of verl's documentation of 2 June 2025 and of its naive reward manager; verl itself was not run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import httpx

_WITHIN_S = 90.0


def compute_score(
    data_source: str,  # noqa: ARG001 - verl passes it by this name
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> dict[str, float]:
    """Score one guidance prompt.

    Args:
        data_source: The data set's name, which makes no difference.
        solution_str: The guidance prompt.
        ground_truth: The right option's letter.
        extra_info: "question", "options" (a list, an object or either as JSON) and "image".

    Returns:
        "score", which newer versions of verl read, "reward", which older ones do, and "correct" and "confidence" for
        its logs.

    Raises:
        RuntimeError: If the trainer refuses, or the model could not be asked. verl cannot leave a sample out: a number
            in its place would train on the network's mood, so the step fails.
    """
    if extra_info is None:
        raise ValueError("extra_info must hold question, options and image")
    options = extra_info["options"]
    attempt = {
        "question": extra_info["question"],
        "options": json.loads(options) if isinstance(options, str) else options,
        "truth": ground_truth,
        "guidance": solution_str,
        "image": extra_info["image"],
    }
    key = os.environ.get("TRUSTVQA_API_KEY")
    reply = httpx.post(
        f"{os.environ.get('TRUSTVQA_TRAINER_URL', 'http://127.0.0.1:8083')}/v1/rewards",
        json={"reward": json.loads(os.environ.get("TRUSTVQA_REWARD", '"log_score"')), "attempts": [attempt]},
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=_WITHIN_S,
    )
    if reply.status_code != 200:
        raise RuntimeError(f"no reward: {reply.json()['detail']}")
    (found,) = reply.json()["attempts"]
    if found["reward"] is None:
        raise RuntimeError(f"no reward: {found['lost']}")
    reward = float(found["reward"])
    return {
        "score": reward,
        "reward": reward,
        "correct": float(found["correct"] or 0),
        "confidence": float(found["confidence"] or 0),
    }
