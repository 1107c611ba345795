"""The adapters of other trainers, called as those call them, against the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from PIL import Image

from services.trainer.app import trainer_app
from tests.services.trainer.conftest import make_settings
from tests.support.openai_app import ScriptedServer
from tests.support.servers import running

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
INFO = {"question": "Which side?", "options": ["left", "right"], "image": "a.png"}


def load(name: str) -> ModuleType:
    """Load an example from its file, as verl loads a custom reward function."""
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(prompt: str) -> str | int:
    if "fail" in prompt:
        return 400
    return f"The answer is {'A' if 'edges' in prompt else 'B'} with confidence 80."


@pytest.fixture(autouse=True)
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A trainer service whose downstream model is right under guidance that names the edges."""
    with running(ScriptedServer(script).app) as model:
        settings = make_settings(tmp_path, downstream_url=f"{model}/v1", downstream_model="scripted")
        Image.new("L", (8, 8), 3).save(tmp_path / "data" / "a.png")
        with running(trainer_app(settings)) as url:
            monkeypatch.setenv("TRUSTVQA_TRAINER_URL", url)
            monkeypatch.setenv("TRUSTVQA_REWARD", '{"brier": 1.0}')
            monkeypatch.delenv("TRUSTVQA_API_KEY", raising=False)
            yield


def test_verl_gets_a_score_for_each_guidance_prompt() -> None:
    compute_score = load("verl_reward").compute_score
    # By name, as verl's reward managers pass them; parquet files may keep the options as JSON.
    right = compute_score(data_source="phantoms", solution_str="Weigh the edges.", ground_truth="A", extra_info=INFO)
    as_json = {**INFO, "options": json.dumps(INFO["options"])}
    wrong = compute_score(data_source="phantoms", solution_str="Look.", ground_truth="A", extra_info=as_json)
    assert right == pytest.approx({"score": 0.96, "reward": 0.96, "correct": 1.0, "confidence": 0.8})
    assert wrong == pytest.approx({"score": -0.64, "reward": -0.64, "correct": 0.0, "confidence": 0.8})


@pytest.mark.parametrize(
    ("guidance", "truth", "says"),
    [("fail", "A", "could not be reached"), ("Look.", "Z", "truth is none of the options")],
)
def test_verl_gets_no_number_for_what_could_not_be_rewarded(guidance: str, truth: str, says: str) -> None:
    with pytest.raises(RuntimeError, match=says):
        load("verl_reward").compute_score("phantoms", guidance, truth, INFO)


def test_openrlhf_gets_the_rewards_of_a_batch() -> None:
    label = json.dumps({**INFO, "truth": "A"})
    prompt = "<|user|>Which side?<|assistant|>"
    guidance = ["Weigh the edges.", "Look."] * 70  # more than the trainer takes at once
    posted: dict[str, Any] = {
        "query": [prompt + each for each in guidance],
        "prompts": [prompt] * len(guidance),
        "labels": [label] * len(guidance),
    }
    with running(load("openrlhf_reward").relay) as url:
        reply = httpx.post(f"{url}/get_reward", json=posted, timeout=60)
        assert reply.status_code == 200, reply.text
        assert reply.json()["rewards"] == pytest.approx([0.96, -0.64] * 70)
        lost = {"query": [prompt + "fail"], "prompts": [prompt], "labels": [label]}
        assert httpx.post(f"{url}/get_reward", json=lost).status_code == 503
        wrongs: list[Any] = [
            [],
            {"query": ["x"]},
            {"query": ["x"], "prompts": ["y"], "labels": [label]},
            {"query": ["x"], "prompts": ["x"], "labels": ["[]"]},
            {"query": ["x"], "prompts": ["x"], "labels": ["no JSON"]},
            {"query": ["x"], "prompts": ["x"], "labels": []},
            {"query": ["x"], "prompts": ["x"], "labels": [json.dumps({"question": "?"})]},
        ]
        for wrong in wrongs:
            assert httpx.post(f"{url}/get_reward", json=wrong).status_code == 422, wrong
