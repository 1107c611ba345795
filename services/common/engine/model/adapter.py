"""A Hugging Face model behind the few operations that the scheduler needs: prepare a prompt, prefill, step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import structlog
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from services.common.engine.constraints.grammars import GrammarCompiler
from services.common.engine.decoding.detokenizers import Vocabulary
from services.common.engine.decoding.sampling import TIE_SHARE, TIE_TOLERANCE
from services.common.engine.errors import EngineError
from services.common.engine.model.cache import SlotCache, slot_mask, tail_mask
from services.common.engine.model.decoder import Decoder
from services.common.engine.model.last_layer import narrow_last_layer
from services.common.engine.model.loading import load_model
from services.common.engine.model.options import ModelOptions
from services.common.engine.model.prefixes import Beginning, KeptPrompt, PrefixCache
from services.common.engine.model.prompt import Prompt
from services.common.engine.model.prompt_builder import PromptBuilder
from services.common.engine.vision.family import VisionFamily

_TRIED = (9, 6)
"""Tokens of the prompts that the engine's own passes are tried with, of different length so that there is a mask."""
_log = structlog.get_logger(__name__)


class TransformersAdapter:
    """A causal language model (Qwen2, Llama, ...) or a vision-language model of a family in `vision.families`.

    `prompts.build` may be called from any thread; the other methods belong to the one thread that runs the model.

    Args:
        model: The network, in evaluation mode, made with `register_attention()`'s attention for its language model.
        tokenizer: Its tokenizer, with a chat template.
        vision: Its sight; None for a text-only model.
        options: Those that it was loaded with.

    Attributes:
        tie_tolerance: What two of its logits may differ by from rounding alone; 0 for weights of a type so short that
            near ties are too common to be settled.
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
        self.grammars = GrammarCompiler.of_tokenizer(tokenizer, self.width, self.eos)
        self.prompts = PromptBuilder(
            tokenizer, vision, self.max_model_len, options.picture_limits, options.max_pictures
        )
        self._device = torch.device(options.device)
        self._layers: int = text_config.num_hidden_layers
        self._cache = SlotCache(self._layers, self.slots, self.max_model_len)
        self._decoder: Decoder | None = None
        self.tie_tolerance = TIE_TOLERANCE if self.exact else 0.0
        if self.exact and self.max_model_len > max(_TRIED):
            self._try_passes()
        self.prefixes = PrefixCache(options.prefix_entries, options.prefix_bytes)
        self.prefix_bytes = options.prefix_bytes if options.prefix_entries else 0

    @classmethod
    def load(cls, options: ModelOptions) -> TransformersAdapter:
        """Load a model from a local directory; nothing is fetched and no code from the directory is run.

        Raises:
            EngineError: If there is no model there that the engine can run.
        """
        options = options.resolved()
        loaded = load_model(options)
        return cls(loaded.network, loaded.tokenizer, loaded.vision, options)

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
        mask = tail_mask(known, tokens.shape[1], view, self._model.dtype)
        # Pictures are in the beginnings.
        return self._passed(self._model.get_input_embeddings()(tokens), positions, mask, self._cache)

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
        alone = self._decoder is not None and len(rows) == 1  # it sees all of its slot
        mask = None if alone else slot_mask(lengths, view, self._model.dtype)
        if self._decoder is not None:
            return self._decoder.step(self._cache, tokens, positions, mask)
        output = self._model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=positions[:, None].expand(*self._axes, -1, -1),
            past_key_values=self._cache,
            use_cache=True,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    @property
    def steps_along(self) -> bool:
        """Whether it can read several tokens of a sample at once, which takes the engine's own passes."""
        return self._decoder is not None

    def step_along(self, tokens: Sequence[int], length: int, position: int) -> torch.Tensor:
        """Read several tokens in the first slot.

        Args:
            tokens: The tokens.
            length: How many tokens the slot holds before them.
            position: The first one's position.

        Returns:
            Logits of the token after each, float32 [tokens, vocabulary].
        """
        assert self._decoder is not None  # noqa: S101 - see steps_along
        view = self._cache.begin_stretch(length, len(tokens))
        known = torch.tensor([length], device=self._device)
        mask = tail_mask(known, len(tokens), view, self._model.dtype)
        positions = torch.arange(position, position + len(tokens), device=self._device)
        return self._decoder.step_along(self._cache, torch.tensor(tokens, device=self._device), positions, mask)

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

    def _try_passes(self) -> None:
        """Find how far rounding goes, and use the engine's own passes if they are within that of the library's."""
        try:
            with torch.inference_mode():
                prompts = [self._trial(length) for length in _TRIED[: self.slots]]
                following = [(prompt.tokens[1] + 1) % self.width for prompt in prompts]
                after = zip(prompts, following, strict=True)
                read = torch.cat([self.recompute(prompt, ()) for prompt in prompts])
                stepped = torch.cat([self.recompute(prompt, [token]) for prompt, token in after])
                greatest = float(torch.cat([read, stepped]).nan_to_num(0.0, 0.0, 0.0).abs().max())
                self.tie_tolerance = max(TIE_TOLERANCE, TIE_SHARE * greatest)
            self._decoder = Decoder.of(self._model)
            if self._decoder is None:
                return
            with torch.inference_mode():
                difference = max(self._differences(prompts, following, read, stepped))
            if not difference <= self.tie_tolerance / 2:
                self._decoder = None
                _log.warning("the engine's own passes are not the library's, and are not used", difference=difference)
        except Exception:  # whatever it is, the library's passes may do
            self._decoder = None
            _log.warning("the trial of the engine's own passes fails: they are not used", exc_info=True)
        finally:
            self._cache = SlotCache(self._layers, self.slots, self.max_model_len)

    def _differences(
        self, prompts: Sequence[Prompt], following: Sequence[int], read: torch.Tensor, stepped: torch.Tensor
    ) -> Iterator[float]:
        """Yield how far passes' logits are from those that settle near ties, of one prompt and of two."""
        rows = torch.arange(len(prompts), device=self._device)
        tokens, places = (torch.tensor(each, device=self._device) for each in (following, _TRIED[: len(prompts)]))
        for count in range(1, len(prompts) + 1):
            at, longest = places[:count], _TRIED[0]
            yield _distance(self.prefill(prompts[:count], 0), read)
            yield _distance(self.step(tokens[:count], rows[:count], at, at, longest), stepped)
            if count == 1:
                yield _distance(self.step_along(following[:1], longest, longest), stepped)
            beginnings = []
            for slot, prompt in enumerate(prompts[:count]):
                kept = KeptPrompt(np.asarray(prompt.tokens), b"", *self._cache.copy_out(slot, len(prompt.tokens)))
                beginnings.append(Beginning(kept, 2 + slot))
            self._cache = SlotCache(self._layers, self.slots, self.max_model_len)
            yield _distance(self.read_on(prompts[:count], beginnings, 0), read)
            yield _distance(self.step(tokens[:count], rows[:count], at, at, longest), stepped)

    def _trial(self, length: int) -> Prompt:
        """Make a prompt of tokens from the whole vocabulary, its positions others on each axis."""
        tokens = [(place + 1) * self.width // (length + 1) for place in range(length)]
        places = torch.arange(length)
        axes = [places // (axis + 1) for axis in range(math.prod(self._axes))]
        return Prompt(tokens, torch.stack(axes).view(*self._axes, length), length)

    def _read(self, prompts: Sequence[Prompt], cache: SlotCache | None) -> torch.Tensor:
        tokens, positions = self._padded(prompts, [0] * len(prompts))
        embeddings = self._model.get_input_embeddings()(tokens)
        seen = [prompt.pixels for prompt in prompts if prompt.pixels is not None]
        if seen and self._vision is not None:
            embeddings = self._vision.place(embeddings, tokens, seen)
        return self._passed(embeddings, positions, None, cache)

    def _passed(
        self, embeddings: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None, cache: SlotCache | None
    ) -> torch.Tensor:
        """Pass prompts through the language model; without a cache the library's way, which settles what is near."""
        if cache is not None and self._decoder is not None:
            return self._decoder.read(cache, embeddings, positions, mask)
        output = self._model(
            inputs_embeds=embeddings,
            attention_mask=mask,
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


def _distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Greatest difference of logits, those of the first rows; infinite where one is no number."""
    return float((found - wanted[: len(found)]).abs().max().nan_to_num(torch.inf))


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
