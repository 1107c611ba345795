"""A Hugging Face model behind the few operations that the scheduler needs: prepare a prompt, prefill, step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from services.common.engine.constraints.grammars import GrammarCompiler
from services.common.engine.decoding.detokenizers import Vocabulary
from services.common.engine.errors import EngineError
from services.common.engine.model.cache import SlotCache, register_attention, slot_mask, tail_mask
from services.common.engine.model.last_layer import narrow_last_layer
from services.common.engine.model.prefixes import Beginning, PrefixCache
from services.common.engine.model.prompt import Prompt
from services.common.engine.model.prompt_builder import PromptBuilder
from services.common.engine.vision.families import family_of
from services.common.engine.vision.family import VisionFamily
from services.common.engine.vision.picture_decoding import EncodedPictureLimits

DType = Literal["float32", "bfloat16", "float16", "auto"]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """A model, and how it is loaded.

    Attributes:
        path: Directory in Hugging Face layout.
        dtype: Of the weights; "auto" is float32 on a CPU, else as saved. Only float32 makes sampling independent of the
            batch.
        device: In torch's words; "auto" is a GPU where there is one, else the CPU.
        max_model_len: Most tokens of prompt and completion; None for as many as the model was made for.
        slots: Most samples that run at once.
        picture_limits: Largest picture.
        max_pictures: Most pictures in a request.
        prefix_entries: Most prompts with pictures that are kept for others that begin alike; 0 for none.
        prefix_bytes: Most bytes of their keys and values, and as many again of their pictures.
    """

    path: Path
    dtype: DType = "float32"
    device: str = "cpu"
    max_model_len: int | None = None
    slots: int = 32
    picture_limits: EncodedPictureLimits = field(default_factory=EncodedPictureLimits)
    max_pictures: int = 4
    prefix_entries: int = 64
    prefix_bytes: int = 256 << 20

    def resolved(self) -> ModelOptions:
        """Settle the device and the weights' type for this machine."""
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype: DType = "float32" if self.dtype == "auto" and device == "cpu" else self.dtype
        return replace(self, device=device, dtype=dtype)


class TransformersAdapter:
    """A causal language model (Qwen2, Llama, ...) or a vision-language model of a family in `vision.families`.

    `prompts.build` may be called from any thread; the other methods belong to the one thread that runs the model.

    Args:
        model: The network, in evaluation mode, made with `register_attention()`'s attention for its language model.
        tokenizer: Its tokenizer, with a chat template.
        vision: Its sight; None for a text-only model.
        options: Those that it was loaded with.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        vision: VisionFamily | None,
        options: ModelOptions,
    ) -> None:
        text_config = model.config.get_text_config()
        narrow_last_layer(model)
        self._model = model
        self._vision = vision
        self._axes = () if vision is None else vision.position_axes
        self.vocabulary = Vocabulary(tokenizer)
        self.max_model_len = _context_length(text_config, options.max_model_len)
        self.slots = options.slots
        self.eos = _end_tokens(model, tokenizer)
        self.width: int = text_config.vocab_size
        self.grammars = GrammarCompiler(tokenizer, self.width, self.eos)
        self.prompts = PromptBuilder(
            tokenizer, vision, self.max_model_len, options.picture_limits, options.max_pictures
        )
        self._device = torch.device(options.device)
        self._layers: int = text_config.num_hidden_layers
        self._cache = SlotCache(self._layers, self.slots, self.max_model_len)
        self.prefixes = PrefixCache(options.prefix_entries, options.prefix_bytes)
        self.prefix_bytes = options.prefix_bytes if options.prefix_entries else 0

    @classmethod
    def load(cls, options: ModelOptions) -> TransformersAdapter:
        """Load a model from a local directory; nothing is fetched and no code from the directory is run.

        Raises:
            EngineError: If there is no model there that the engine can run.
        """
        if not (options.path / "config.json").is_file():
            raise EngineError(f"there is no model in {options.path}")
        options = options.resolved()
        config = AutoConfig.from_pretrained(options.path, local_files_only=True)
        attention: Any = register_attention()
        loader: Any = AutoModelForCausalLM
        family = family_of(config.model_type) if hasattr(config, "vision_config") else None
        if family is not None:
            loader = AutoModelForImageTextToText
            attention = {"text_config": attention, "vision_config": family.tower_attention()}
        tokenizer = AutoTokenizer.from_pretrained(options.path, local_files_only=True)
        # The loader's progress bar would be a line of noise in a service's log.
        progress: Any = transformers_logging
        progress.disable_progress_bar()
        model, report = loader.from_pretrained(
            options.path,
            dtype=options.dtype if options.dtype == "auto" else getattr(torch, options.dtype),
            attn_implementation=attention,
            local_files_only=True,
            use_safetensors=True,  # other formats can run code
            output_loading_info=True,
        )
        if report["missing_keys"]:
            # transformers would fill them with random numbers and only warn.
            raise EngineError(f"the weights lack {len(report['missing_keys'])} of the model's tensors")
        model = model.to(options.device).eval()
        vision = None if family is None else family.load(options.path, model)
        return cls(model, tokenizer, vision, options)

    @property
    def device(self) -> torch.device:
        """Device that the model runs on."""
        return self._device

    @property
    def exact(self) -> bool:
        """Whether rounding noise is small enough for near ties to be rare."""
        return self._model.dtype in (torch.float32, torch.float64)

    def prefill(self, prompts: Sequence[Prompt], first: int) -> torch.Tensor:
        """Read prompts into slots.

        Args:
            prompts: One or more.
            first: Slot of the first; the others follow.

        Returns:
            Logits of each prompt's next token, float32 [prompts, vocabulary].
        """
        last = torch.tensor([len(prompt.tokens) - 1 for prompt in prompts], device=self._device)
        self._cache.begin_prefill(first, last, max(len(prompt.tokens) for prompt in prompts))
        return self._read(prompts, self._cache)

    def read_on(self, prompts: Sequence[Prompt], beginnings: Sequence[Beginning], first: int) -> torch.Tensor:
        """Read prompts into slots whose beginnings were read before; see `prefill`."""
        for slot, found in enumerate(beginnings, start=first):
            self._cache.copy_in(slot, found.kept.keys, found.kept.values, found.length)
        starts = [found.length for found in beginnings]
        tokens, positions = self._padded(prompts, starts)
        known = torch.tensor(starts, device=self._device)
        lengths = torch.tensor([len(prompt.tokens) for prompt in prompts], device=self._device) - known
        view = self._cache.begin_tails(first, known, lengths)
        output = self._model(
            inputs_embeds=self._model.get_input_embeddings()(tokens),  # pictures are in the beginnings
            attention_mask=tail_mask(known, tokens.shape[1], view, self._model.dtype),
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def keep(self, prompt: Prompt, slot: int) -> None:
        """Keep what a slot holds of a prompt that was read into it, for others that begin alike."""
        self.prefixes.keep(prompt, *self._cache.copy_out(slot, len(prompt.tokens)))

    def fork(self, source: int, targets: Sequence[int], length: int) -> None:
        """Copy a slot's first tokens into other slots that follow one another."""
        self._cache.fork(source, targets, length)

    def move(self, source: int, target: int, length: int) -> None:
        """Move a slot to another place."""
        self._cache.move(source, target, length)

    def step(
        self, tokens: torch.Tensor, rows: torch.Tensor, lengths: torch.Tensor, positions: torch.Tensor, longest: int
    ) -> torch.Tensor:
        """Read one more token in each of the first slots.

        Args:
            tokens: The tokens, int64 [batch].
            rows: 0, 1, ... as int64 [batch].
            lengths: How many tokens each slot holds, int64 [batch].
            positions: The tokens' positions, int64 [batch].
            longest: The greatest length.

        Returns:
            Logits of the next tokens, float32 [batch, vocabulary].
        """
        view = self._cache.begin_step(rows, lengths, longest)
        output = self._model(
            input_ids=tokens[:, None],
            attention_mask=slot_mask(lengths, view, self._model.dtype),
            position_ids=positions[:, None].expand(*self._axes, -1, -1),
            past_key_values=self._cache,
            use_cache=True,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def recompute(self, prompt: Prompt, generated: Sequence[int]) -> torch.Tensor:
        """Compute a sample's next logits from nothing and alone, so that they depend on its tokens only.

        Args:
            prompt: Its prompt.
            generated: Its tokens so far.

        Returns:
            float32 [1, vocabulary].
        """
        return self._read([prompt.extended(generated)], None)

    def reset(self) -> None:
        """Forget all slots, after a failure."""
        self._cache = SlotCache(self._layers, self.slots, self.max_model_len)
        self.prefixes.clear()

    def _read(self, prompts: Sequence[Prompt], cache: SlotCache | None) -> torch.Tensor:
        tokens, positions = self._padded(prompts, [0] * len(prompts))
        embeddings = self._model.get_input_embeddings()(tokens)
        seen = [prompt.pixels for prompt in prompts if prompt.pixels is not None]
        if seen and self._vision is not None:
            embeddings = self._vision.place(embeddings, tokens, seen)
        output = self._model(
            inputs_embeds=embeddings,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=1,  # into a cache, there is no other token of a prompt; without one, there is one prompt
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _padded(self, prompts: Sequence[Prompt], starts: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Lay out tokens and positions from each prompt's start on, int64 [*axes, prompts, longest], padded with 0."""
        longest = max(len(prompt.tokens) - start for prompt, start in zip(prompts, starts, strict=True))
        tokens = torch.zeros((len(prompts), longest), dtype=torch.int64)
        positions = torch.zeros((*self._axes, len(prompts), longest), dtype=torch.int64)
        for row, (prompt, start) in enumerate(zip(prompts, starts, strict=True)):
            length = len(prompt.tokens) - start
            tokens[row, :length] = torch.tensor(prompt.tokens[start:])
            positions[..., row, :length] = prompt.positions[..., start:]
        return tokens.to(self._device), positions.to(self._device)


def _context_length(text_config: Any, asked: int | None) -> int:
    kinds = set(getattr(text_config, "layer_types", None) or ())
    if kinds - {"full_attention", "sliding_attention"}:
        raise EngineError(f"models with {', '.join(sorted(kinds))} layers need the vLLM engine")
    length = int(text_config.max_position_embeddings)
    if "sliding_attention" in kinds:
        length = min(length, int(text_config.sliding_window))  # within the window both kinds are the same
    return length if asked is None else min(length, asked)


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    generation = getattr(model, "generation_config", None)
    found = getattr(generation, "eos_token_id", None)
    ends = set(found if isinstance(found, list) else [] if found is None else [found])
    if isinstance(tokenizer.eos_token_id, int):
        ends.add(tokenizer.eos_token_id)
    return frozenset(ends)
