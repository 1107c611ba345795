"""Chats to prompts: the chat template, tokens, positions and pixels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image
from transformers import PreTrainedTokenizerBase

from services.common.engine.errors import ContextOverflowError, InvalidRequestError
from services.common.engine.interface import Message, texts_of
from services.common.engine.model.prompt import Prompt
from services.common.engine.vision.family import Pixels, VisionFamily
from services.common.engine.vision.picture_decoding import (
    EncodedPictureLimits,
    RequestPicture,
    decode_request_picture,
    digest_of,
    read_request_picture,
)


@dataclass(frozen=True, slots=True)
class PromptDraft:
    """A prompt whose pictures have yet to be decoded.

    Attributes:
        tokens: Token numbers, a single one for each picture.
        pictures: The pictures, in order.
        digest: Of the pictures' files; empty where there are none.
    """

    tokens: list[int]
    pictures: tuple[RequestPicture, ...]
    digest: bytes = b""


class PromptBuilder:
    """Builds prompts; safe to use from several threads.

    Args:
        tokenizer: With a chat template.
        vision: The model's sight; None for a text-only model.
        max_model_len: Most tokens of prompt and completion.
        limits: Largest picture.
        max_pictures: Most pictures in a request.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        vision: VisionFamily | None,
        max_model_len: int,
        limits: EncodedPictureLimits,
        max_pictures: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._vision = vision
        self._max_model_len = max_model_len
        self.limits = limits
        self.max_pictures = max_pictures if vision is not None else 0
        special = [text for token in tokenizer.added_tokens_decoder.values() if len(text := token.content) > 1]
        self._special = re.compile("|".join(re.escape(text) for text in special) or "(?!)")

    def build(self, messages: Sequence[Message], pictures: Sequence[str | bytes]) -> Prompt:
        """Build a prompt of pictures that are trusted, for they are decoded in this thread.

        Args:
            messages: The chat.
            pictures: One per image part, in order.

        Returns:
            A prompt with room for at least one more token.

        Raises:
            InvalidRequestError: If the chat does not fit the model's template, or a picture is none.
            ContextOverflowError: If it is too long.
        """
        draft = self.draft(messages, pictures)
        return self.finish(draft, [decode_request_picture(picture, self.limits) for picture in pictures])

    def draft(self, messages: Sequence[Message], pictures: Sequence[str | bytes]) -> PromptDraft:
        """Begin a prompt: all that can be done, and refused, before a picture is decoded; raises what `build` does."""
        if len(pictures) > self.max_pictures:
            known = f"at most {self.max_pictures} images a request" if self.max_pictures else "no images"
            raise InvalidRequestError(f"This model takes {known}.", param="messages", code="too_many_images")
        tokens = self._tokens(messages)
        self._check(len(tokens))
        read = tuple(read_request_picture(each, self.limits) for each in pictures)
        return PromptDraft(tokens, read, digest_of(read))

    def finish(self, draft: PromptDraft, pictures: Sequence[Image.Image] | Pixels) -> Prompt:
        """Make the prompt that was begun; raises what `build` does.

        Args:
            draft: The prompt without pixels.
            pictures: Its pictures' pixels, of mode L or RGB, or what an earlier prompt made of the same files.
        """
        tokens = draft.tokens
        if not draft.pictures or self._vision is None:
            axes = () if self._vision is None else self._vision.position_axes
            return Prompt(tokens, torch.arange(len(tokens)).expand(*axes, -1), len(tokens))
        if not isinstance(pictures, Pixels):
            pictures = self._vision.pixels([each.convert("RGB") for each in pictures])
        tokens = self._vision.expand(tokens, pictures)
        self._check(len(tokens))
        positions = self._vision.positions(tokens, pictures)
        text_from = len(tokens) - tokens[::-1].index(self._vision.picture_token)
        return Prompt(tokens, positions, int(positions.max()) + 1, pictures, draft.digest, text_from)

    def _tokens(self, messages: Sequence[Message]) -> list[int]:
        # A million characters are surely too many tokens and would take seconds to count.
        size = sum(len(part) for message in messages for part in texts_of(message))
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
        if self._vision is None:  # a text model's template need not know parts
            return {**message, "content": clean("\n".join(part["text"] for part in content))}
        # Templates write pieces of text one behind the other: together they may spell what none of them does.
        parts = [{**part, "text": clean(part["text"])} if part["type"] == "text" else part for part in _joined(content)]
        return {**message, "content": parts}

    def _check(self, length: int) -> None:
        if length >= self._max_model_len:
            raise ContextOverflowError(
                f"This model's maximum context length is {self._max_model_len} tokens; the messages have {length}."
            )


def _joined(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make one piece of text of those that follow one another."""
    joined: list[dict[str, Any]] = []
    for part in parts:
        if part["type"] == "text" and joined and joined[-1]["type"] == "text":
            joined[-1] = {**joined[-1], "text": joined[-1]["text"] + part["text"]}
        else:
            joined.append(dict(part))
    return joined
