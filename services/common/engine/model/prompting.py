"""Chats to prompts: the chat template, tokens, positions and pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from services.common.engine.base import ContextOverflowError, InvalidRequestError, Message
from services.common.engine.vision.patches import Pixels
from services.common.engine.vision.pictures import ImageLimits, decode_image
from services.common.engine.vision.qwen2_vl import VisionInputs


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads.

    Attributes:
        tokens: Token numbers, image tokens expanded.
        positions: int64 [tokens], or [3, tokens] where positions have a temporal, a vertical and a horizontal part.
        next_position: Position of the first generated token; those after it count on.
        pixels: The images, None where there are none.
    """

    tokens: list[int]
    positions: torch.Tensor
    next_position: int
    pixels: Pixels | None = None

    def extended(self, generated: Sequence[int]) -> Prompt:
        """Append generated tokens."""
        more = torch.arange(self.next_position, self.next_position + len(generated))
        return replace(
            self,
            tokens=[*self.tokens, *generated],
            positions=torch.cat([self.positions, more.expand(*self.positions.shape[:-1], -1)], dim=-1),
            next_position=self.next_position + len(generated),
        )


class PromptBuilder:
    """Builds prompts; safe to use from several threads.

    Args:
        tokenizer: With a chat template.
        vision: How the model sees; None for a text-only model.
        max_model_len: Most tokens of prompt and completion.
        limits: How large images may be.
        max_images: Most images in a request.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        vision: VisionInputs | None,
        max_model_len: int,
        limits: ImageLimits,
        max_images: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._vision = vision
        self._max_model_len = max_model_len
        self._limits = limits
        self.max_images = max_images if vision is not None else 0
        special = [text for token in tokenizer.added_tokens_decoder.values() if len(text := token.content) > 1]
        self._special = re.compile("|".join(re.escape(text) for text in special) or "(?!)")

    def build(self, messages: Sequence[Message], images: Sequence[str | bytes]) -> Prompt:
        """Build a prompt.

        Args:
            messages: The chat.
            images: One per image part, in order.

        Returns:
            A prompt with room for at least one more token.

        Raises:
            InvalidRequestError: If the chat does not fit the model's template, or an image is no image.
            ContextOverflowError: If it is too long.
        """
        if len(images) > self.max_images:
            known = f"at most {self.max_images} images a request" if self.max_images else "no images"
            raise InvalidRequestError(f"This model takes {known}.", param="messages", code="too_many_images")
        tokens = self._tokens(messages)
        if not images or self._vision is None:
            self._check(len(tokens))
            positions = torch.arange(len(tokens))
            if self._vision is not None:
                positions = positions.expand(3, -1)
            return Prompt(tokens, positions, len(tokens))
        pixels = self._vision.pixels([decode_image(image, self._limits) for image in images])
        tokens = self._vision.expand(tokens, pixels)
        self._check(len(tokens))
        positions = self._vision.positions(tokens, pixels)
        return Prompt(tokens, positions, int(positions.max()) + 1, pixels)

    def _tokens(self, messages: Sequence[Message]) -> list[int]:
        # A million characters are surely too many tokens and would take seconds to count.
        size = sum(len(part) for message in messages for part in _texts(message))
        if size > 64 * self._max_model_len:
            raise ContextOverflowError(
                f"This model's maximum context length is {self._max_model_len} tokens; "
                f"the messages have {size} characters."
            )
        try:
            text = self._tokenizer.apply_chat_template(
                [self._harmless(message) for message in messages], tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise InvalidRequestError(
                f"The messages do not fit the model's chat template: {error}", param="messages"
            ) from None
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _harmless(self, message: Message) -> dict[str, Any]:
        """Keep text that spells a control token from becoming one, and text that is no Unicode from failing."""

        def clean(text: str) -> str:
            text = text.encode("utf-8", "replace").decode()
            return self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

        content = message["content"]
        if isinstance(content, str):
            return {**message, "content": clean(content)}
        parts = [{**part, "text": clean(part["text"])} if part["type"] == "text" else part for part in content]
        if self._vision is None:  # a text model's template need not know parts
            return {**message, "content": "\n".join(part["text"] for part in parts)}
        return {**message, "content": parts}

    def _check(self, length: int) -> None:
        if length >= self._max_model_len:
            raise ContextOverflowError(
                f"This model's maximum context length is {self._max_model_len} tokens; the messages have {length}."
            )


def _texts(message: Message) -> list[str]:
    content = message["content"]
    return [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]
