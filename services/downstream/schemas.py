"""Requests of OpenAI's chat completions API, as far as this service serves it.

What would change the reply and is not served is refused, never ignored; what has no effect on it is taken.
https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from services.common.openai.chat_parts import (
    MessageBase,
    TextPart,
    UserMessage,
    inconsistent,
    unserved,
)
from services.common.openai.chat_request_base import ChatRequestBase
from services.common.openai.text_forms import ResponseFormat, StructuredOutputs

_MAX_INT = 2**31 - 1
_MAX_STOPS = 16
_MAX_STOP_LENGTH = 256
_MAX_BIASES = 300

TokenNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]


class InstructionMessage(MessageBase):
    """Instructions to the model.

    Attributes:
        role: Tag of this kind of message.
        content: The instructions.
    """

    role: Literal["system", "developer"]
    content: str | list[TextPart]


class AssistantMessage(MessageBase):
    """An earlier reply of the model.

    Attributes:
        role: Tag of this kind of message.
        content: Its text.
    """

    role: Literal["assistant"]
    content: str | list[TextPart] | None = None
    tool_calls: Annotated[None, unserved([])] = None
    function_call: Annotated[None, unserved()] = None
    audio: Annotated[None, unserved()] = None


ChatMessage = Annotated[InstructionMessage | UserMessage | AssistantMessage, Field(discriminator="role")]


class ChatCompletionRequest(ChatRequestBase):
    """Body of POST /v1/chat/completions.

    Attributes:
        model: Name of the model, as GET /v1/models lists it.
        messages: The chat so far.
        n: How many texts, 1 by default.
        seed: Makes sampling repeatable.
        temperature: 0 decodes greedily; 1 by default.
        top_p: Nucleus that is sampled from; 1, the default, for all.
        top_k: Candidates that are sampled from, 0 and -1 for all; beyond OpenAI's API, as in vLLM.
        max_tokens: Longest text, in tokens; by default what fits.
        max_completion_tokens: The same by its newer name.
        stop: Up to 16 texts of 1 to 256 characters, each of which ends the reply where it comes.
        frequency_penalty: Taken from a token's logit as often as the text holds it.
        presence_penalty: Taken from a token's logit once the text holds it.
        repetition_penalty: Weakens the logits of tokens that text or prompt hold, 1 by default; beyond OpenAI's API,
            as in vLLM.
        logit_bias: Token number -> what is added to its logit; up to 300.
        min_p: Least probability of a token to be drawn, as a share of the most likely one's; beyond OpenAI's API, as
            in vLLM.
        response_format: Form that the text is to have; any JSON object is held to the one schema that messages of the
            system tell, if there is one.
        tools: Functions, of which `tool_choice` names the one whose arguments the text is; the model is told of none.
        tool_choice: Which; "required" where there is one. "auto" is refused where there are functions.
        structured_outputs: The same in vLLM's words; beyond OpenAI's API.
        logprobs: Whether the tokens' log-probabilities are to be returned: before temperature, penalties and biases,
            and where the text has a form among the tokens that this allows.
        top_logprobs: How many of the most probable tokens in each place; needs logprobs.
        stream: Whether the reply is to come as server-sent events.
        stream_options: Options of that; needs stream.
        user: Taken, and without effect.
        metadata: Taken, and without effect.
        safety_identifier: Taken, and without effect.
        prompt_cache_key: Taken, and without effect.
        service_tier: Taken, and without effect.
        store: Taken, and without effect.
        parallel_tool_calls: Taken, and without effect.
    """

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    top_k: int | None = Field(default=None, ge=-1, le=_MAX_INT)
    stop: str | list[str] | None = None
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    repetition_penalty: float | None = Field(default=None, gt=0, le=2)
    logit_bias: dict[TokenNumber, Bias] | None = Field(default=None, max_length=_MAX_BIASES)
    min_p: float | None = Field(default=None, ge=0, le=1)
    structured_outputs: StructuredOutputs | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)

    # Without effect on the reply.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> ChatCompletionRequest:
        if self.top_logprobs is not None and not self.logprobs:
            raise inconsistent("top_logprobs", "it needs 'logprobs' to be true")
        if self.structured_outputs is not None and self.response_format not in (None, ResponseFormat(type="text")):
            raise inconsistent("structured_outputs", "'response_format' asks for a form as well; give one of them")
        if self.structured_outputs is not None and self.forced_tool is not None:
            raise inconsistent("structured_outputs", "'tool_choice' asks for a form as well; give one of them")
        if self.tools and self.tool_choice in (None, "auto"):
            raise inconsistent("tool_choice", "this model chooses no function by itself: name one, or say 'none'")
        if len(self.stops) > _MAX_STOPS or any(not 1 <= len(text) <= _MAX_STOP_LENGTH for text in self.stops):
            raise inconsistent("stop", f"up to {_MAX_STOPS} strings of 1 to {_MAX_STOP_LENGTH} characters are taken")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
