"""Requests of OpenAI's chat completions API, as far as this service serves it.

What would change the reply and is not served is refused, never ignored; what has no effect on it is taken.
https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

_MAX_INT = 2**31 - 1
_MAX_STOPS = 16
_MAX_STOP_LENGTH = 256


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _only(*neutral: Any) -> BeforeValidator:
    """Accept values that change nothing."""

    def check(value: Any) -> Any:
        if value in neutral or value is None:
            return None
        raise ValueError("this model does not support it")

    return BeforeValidator(check)


def _fault(param: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("inconsistent", "{message}", {"param": param, "message": message})


class TextPart(_Model):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImageUrl(_Model):
    """Address of an image; ``detail`` is taken and has no effect."""

    url: str = Field(min_length=1)
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(_Model):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


UserPart = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class _Message(BaseModel):
    # Clients send back the assistant messages that they received, members without a value included.
    model_config = ConfigDict(extra="ignore", frozen=True)
    name: str | None = None


class InstructionMessage(_Message):
    """Instructions to the model."""

    role: Literal["system", "developer"]
    content: str | list[TextPart]


class UserMessage(_Message):
    """A person's message: text and images."""

    role: Literal["user"]
    content: str | list[UserPart]


class AssistantMessage(_Message):
    """An earlier reply of the model."""

    role: Literal["assistant"]
    content: str | list[TextPart] | None = None
    tool_calls: Annotated[None, _only([])] = None
    function_call: Annotated[None, _only()] = None
    audio: Annotated[None, _only()] = None


ChatMessage = Annotated[InstructionMessage | UserMessage | AssistantMessage, Field(discriminator="role")]


class StreamOptions(_Model):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatCompletionRequest(_Model):
    """Body of POST /v1/chat/completions."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    n: int | None = Field(default=None, ge=1, le=_MAX_INT)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(
        default=None, ge=-1, le=_MAX_INT, description="Beyond OpenAI's API, as in vLLM; 0 and -1 are all."
    )
    max_tokens: int | None = Field(default=None, ge=1, le=_MAX_INT)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=_MAX_INT)
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    # Without effect on the reply.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    store: Literal[False] | None = None
    parallel_tool_calls: bool | None = None

    # Not served; only values that ask for nothing are taken.
    frequency_penalty: Annotated[None, _only(0)] = None
    presence_penalty: Annotated[None, _only(0)] = None
    logit_bias: Annotated[None, _only({})] = None
    response_format: Annotated[None, _only({"type": "text"})] = None
    modalities: Annotated[None, _only(["text"])] = None
    tools: Annotated[None, _only([])] = None
    tool_choice: Annotated[None, _only("none", "auto")] = None
    functions: Annotated[None, _only([])] = None
    function_call: Annotated[None, _only("none", "auto")] = None
    audio: Annotated[None, _only()] = None
    prediction: Annotated[None, _only()] = None
    reasoning_effort: Annotated[None, _only()] = None
    verbosity: Annotated[None, _only()] = None
    web_search_options: Annotated[None, _only()] = None

    @model_validator(mode="after")
    def _is_consistent(self) -> ChatCompletionRequest:
        if self.top_logprobs is not None and not self.logprobs:
            raise _fault("top_logprobs", "it needs 'logprobs' to be true")
        if self.stream_options is not None and not self.stream:
            raise _fault("stream_options", "it is only allowed when 'stream' is true")
        if None not in (self.max_tokens, self.max_completion_tokens) and self.max_tokens != self.max_completion_tokens:
            raise _fault("max_tokens", "'max_completion_tokens' is another number; give one of them")
        if len(self.stops) > _MAX_STOPS or any(not 1 <= len(text) <= _MAX_STOP_LENGTH for text in self.stops):
            raise _fault("stop", f"up to {_MAX_STOPS} strings of 1 to {_MAX_STOP_LENGTH} characters are taken")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def token_limit(self) -> int | None:
        """Most tokens of the completion."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
