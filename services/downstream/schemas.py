"""Requests of OpenAI's chat completions API, as far as this service serves it.

What would change the reply and is not served is refused, never ignored; what has no effect on it is taken.
https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import PydanticCustomError, core_schema

_MAX_INT = 2**31 - 1
_MAX_STOPS = 16
_MAX_STOP_LENGTH = 256


class _Model(BaseModel):
    # Strict: OpenAI's API takes no "2" for a number either, and the OpenAPI document says so.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(eq=False, slots=True)
class _Unserved:
    """Marks what is not served: only values that ask for nothing are taken, and they become None."""

    neutral: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"enum": [*self.neutral, None], "description": "Not served: taken only where it asks for nothing."}

    def _check(self, value: Any) -> None:
        # In Python False is 0, and in JSON it is not.
        if value is not None and (isinstance(value, bool) or value not in self.neutral):
            raise ValueError("this model does not support it")


def _only(*neutral: Any) -> _Unserved:
    return _Unserved(neutral)


def _fault(param: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("inconsistent", "{message}", {"param": param, "message": message})


class TextPart(_Model):
    """A piece of text.

    Attributes:
        type: Tag of this kind of part.
        text: The text.
    """

    type: Literal["text"]
    text: str


class ImageUrl(_Model):
    """Address of an image.

    Attributes:
        url: The picture as a base64 data: URL, or its address on a host that the service may fetch from.
        detail: Taken, and without effect.
    """

    url: str = Field(min_length=1)
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(_Model):
    """An image.

    Attributes:
        type: Tag of this kind of part.
        image_url: Where the image is.
    """

    type: Literal["image_url"]
    image_url: ImageUrl


UserPart = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class _Message(BaseModel):
    # Clients send back the assistant messages that they received, members without a value included.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)
    name: str | None = Field(default=None, description="Taken, and without effect.")


class InstructionMessage(_Message):
    """Instructions to the model.

    Attributes:
        role: Tag of this kind of message.
        content: The instructions.
    """

    role: Literal["system", "developer"]
    content: str | list[TextPart]


class UserMessage(_Message):
    """A person's message.

    Attributes:
        role: Tag of this kind of message.
        content: Text, or texts and images in order.
    """

    role: Literal["user"]
    content: str | list[UserPart]


class AssistantMessage(_Message):
    """An earlier reply of the model.

    Attributes:
        role: Tag of this kind of message.
        content: Its text.
    """

    role: Literal["assistant"]
    content: str | list[TextPart] | None = None
    tool_calls: Annotated[None, _only([])] = None
    function_call: Annotated[None, _only()] = None
    audio: Annotated[None, _only()] = None


ChatMessage = Annotated[InstructionMessage | UserMessage | AssistantMessage, Field(discriminator="role")]


class StreamOptions(_Model):
    """Options of a stream.

    Attributes:
        include_usage: Whether a last event is to count the tokens.
        include_obfuscation: Taken, and without effect.
    """

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatCompletionRequest(_Model):
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
        logprobs: Whether the tokens' log-probabilities are to be returned.
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
    n: int | None = Field(default=None, ge=1, le=_MAX_INT)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1, le=_MAX_INT)
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
