"""Requests of OpenAI's chat completions API, as far as they ask the gateway a question.

What would change the reply and is not served is refused, never ignored; what has no effect on it is taken.
https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.common.openai.chat_parts import UserMessage, unserved
from services.common.openai.chat_request_base import ChatRequestBase
from services.gateway.question_schemas import MAX_GROUPS, Options

_Label = Annotated[str, StringConstraints(max_length=512)]
_MetadataKey = Annotated[str, StringConstraints(max_length=64)]
_MetadataValue = Annotated[str, StringConstraints(max_length=20_000)]
"""Longer than OpenAI's 512 characters: a question's options have to fit."""


class OtherMessage(BaseModel):
    """A message that is no question: known so that it can be refused by its name.

    Attributes:
        role: Tag of this kind of message.
        content: Taken where it is empty; of instructions, where a JSON object is asked for, also what tells its form.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    role: Literal["system", "developer", "assistant", "tool", "function"]
    content: Any = None

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return self.content in (None, "", [])


class CalibratedChatRequest(ChatRequestBase):
    """Body of POST /v1/chat/completions: one picture, one question.

    Attributes:
        model: "calibrated-vqa", or "calibrated-vqa/" and a method.
        messages: One message of a user, with one picture and the question's text. Lines at the text's end that begin
            with "A:", "A)" or "A." and go on with B, C, ... are the question's options.
        options: 2 to 26 options, as in /vqa; none in an empty list. Lines of the text are then part of the question.
        max_risk: Largest accepted share of wrong answers, as in /vqa.
        coverage: Rate at which the option set is to hold the right option, as in /vqa.
        groups: Groups that the question belongs to, as in /vqa.
        metadata: The same four by their names as JSON texts, for clients that can send no others; further members are
            taken, and without effect.
        response_format: Words by default; or JSON.
        tools: Functions. The reply calls the one that `tool_choice` names, with the object that its schema asks for, as
            one of `response_format` does.
        tool_choice: Which; "required" where there is one. With "none" and "auto" the reply is in words.
        stream: Whether the reply is to come as server-sent events.
        stream_options: Options of that; needs stream.
        temperature: Taken where it is the gateway's own, which calibration rests on.
        top_p: Taken where it is the gateway's own, or nothing is drawn.
        max_tokens: Taken where it is no less than the gateway's own.
        max_completion_tokens: The same by its newer name.
        seed: Taken where nothing is drawn, which is the same every time.
        n: Taken where it is 1.
        user: Taken, and without effect.
        safety_identifier: Taken, and without effect.
        prompt_cache_key: Taken, and without effect.
        service_tier: Taken, and without effect.
        store: Taken, and without effect.
        parallel_tool_calls: Taken, and without effect.
    """

    model: str
    messages: list[Annotated[UserMessage | OtherMessage, Field(discriminator="role")]] = Field(min_length=1)
    options: Options | None = None
    max_risk: float | None = Field(default=None, ge=0, le=1)
    coverage: float | None = Field(default=None, gt=0, lt=1)
    groups: dict[str, str] | None = Field(default=None, max_length=MAX_GROUPS)
    metadata: Annotated[dict[_MetadataKey, _MetadataValue], Field(max_length=16)] | None = None

    # Without effect on the reply.
    user: _Label | None = None
    safety_identifier: _Label | None = None
    prompt_cache_key: _Label | None = None

    # Not served; only values that ask for nothing are taken.
    stop: Annotated[None, unserved([])] = None
    logprobs: Literal[False] | None = Field(
        default=None, description="Not served: taken only where it asks for nothing."
    )
    top_logprobs: Annotated[None, unserved(0)] = None
    frequency_penalty: Annotated[None, unserved(0)] = None
    presence_penalty: Annotated[None, unserved(0)] = None
    logit_bias: Annotated[None, unserved({})] = None

    def takes_instructions(self, message: OtherMessage) -> bool:
        """Whether a message is one of instructions in a request for a JSON object, whose form it may tell."""
        form = self.response_format
        is_told = message.role in ("system", "developer") and not message.is_empty
        return is_told and form is not None and form.type == "json_object"
