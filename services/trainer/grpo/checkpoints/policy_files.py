"""Policies made of checkpoints: their files, and one that writes in this process."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prompt4trust.models import Cost, Guidance, Sampling, TransportError
from prompt4trust.prompts import PromptTemplate, guide_messages
from services.common.engine.errors import EngineError
from services.common.engine.interface import GenerationRequest
from services.common.registry.policy_template import TEMPLATE_FILE

_MODEL_FILES = ("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json")
_TOKENIZER_FILES = ("tokenizer*", "vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.jinja")


def export(checkpoint: Path, template: PromptTemplate, target: Path) -> None:
    """Make a policy's directory of a checkpoint: weights, tokenizer and wording, and nothing that could run code.

    Args:
        checkpoint: Folder that the trainer saved; adapters are merged into the model that they belong to.
        template: The policy's wording.
        target: A directory that is not there yet.

    Raises:
        OSError: If it cannot be written.
    """
    target.mkdir(parents=True)
    if (checkpoint / "adapter_config.json").is_file():
        from peft import AutoPeftModelForCausalLM

        merging: Any = AutoPeftModelForCausalLM
        merging.from_pretrained(checkpoint).merge_and_unload().save_pretrained(target)
    else:
        _copy(checkpoint, target, _MODEL_FILES)
    _copy(checkpoint, target, _TOKENIZER_FILES)
    (target / TEMPLATE_FILE).write_text(template.model_dump_json(indent=2) + "\n", encoding="utf-8")


class EnginePolicy:
    """A policy on the in-process engine; implements prompt4trust's Policy protocol, decoding greedily.

    Args:
        engine: The running engine.
        template: The policy's wording.
        version: Name that its guidance carries.
        max_tokens: Longest guidance prompt.
    """

    def __init__(self, engine: Any, template: PromptTemplate, version: str, max_tokens: int) -> None:
        self._engine = engine
        self._template = template
        self._version = version
        self._max_tokens = max_tokens

    async def guide(self, question: str, options: Mapping[str, str], *, seed: int | None = None) -> Guidance:
        """Write one guidance prompt; see `Policy.guide`.

        Raises:
            TransportError: If the engine cannot.
        """
        sampling = Sampling(temperature=0.0 if seed is None else 1.0, max_tokens=self._max_tokens, seed=seed)
        request = GenerationRequest(guide_messages(self._template, question, options), sampling=sampling)
        try:
            result = await self._engine.complete(request)
        except EngineError as error:
            raise TransportError("policy", str(error)) from error
        usage = result.usage
        return Guidance(
            result.samples[0].text.strip(), self._version, Cost(1, usage.prompt_tokens, usage.completion_tokens)
        )


@asynccontextmanager
async def run_policy(
    directory: Path, template: PromptTemplate, max_tokens: int, *, device: str, max_waiting: int
) -> AsyncIterator[EnginePolicy]:
    """Load a policy into the engine that the policy service uses too, so that it writes what it will write there.

    Args:
        directory: In Hugging Face layout.
        template: Its wording.
        max_tokens: Longest guidance prompt.
        device: Device to run on, in torch's words; "auto" is a GPU where there is one, else the CPU.
        max_waiting: Requests that may wait.

    Yields:
        The policy.
    """
    from services.common.engine.model.options import ModelOptions
    from services.common.engine.transformers_engine import EngineOptions, TransformersEngine

    engine = await TransformersEngine.load(
        ModelOptions(directory, device=device, dtype="auto"),
        EngineOptions(max_waiting=max_waiting, timeout_s=600.0),
    )
    async with engine:
        yield EnginePolicy(engine, template, directory.name, max_tokens)


def _copy(source: Path, target: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in source.glob(pattern):
            shutil.copyfile(path, target / path.name)
