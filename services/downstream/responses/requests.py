"""Requests of OpenAI's Responses API, as far as this service serves it.

https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.common.openai.chat_parts import OpenAIModel, inconsistent, unserved
from services.common.openai.text_forms import FormName

_MAX_INT = 2**31 - 1


class _SentBack(BaseModel):
    # Clients send back the items that they received, members without a value and ids included.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class InputText(_SentBack):
    """A piece of text.

    Attributes:
        type: Tag of this kind of part.
        text: The text.
    """

    type: Literal["input_text"]
    text: str


class InputImage(_SentBack):
    """An image.

    Attributes:
        type: Tag of this kind of part.
        image_url: The picture as a base64 data: URL, or its address on a host that the service may fetch from.
        detail: Taken, and without effect.
    """

    type: Literal["input_image"]
    image_url: str = Field(min_length=1)
    detail: Literal["auto", "low", "high", "original"] | None = None
    file_id: Annotated[None, unserved()] = None


class OutputText(_SentBack):
    """A piece of an earlier reply.

    Attributes:
        type: Tag of this kind of part.
        text: The text.
    """

    type: Literal["output_text"]
    text: str


class UserItem(_SentBack):
    """A message of a user.

    Attributes:
        type: Always "message".
        role: Tag of this kind of message.
        content: Text, or texts and images in order.
    """

    type: Literal["message"] = "message"
    role: Literal["user"]
    content: str | list[Annotated[InputText | InputImage, Field(discriminator="type")]]


class OtherItem(_SentBack):
    """Instructions, or an earlier reply of the model.

    Attributes:
        type: Always "message".
        role: Tag of this kind of message.
        content: Text, or its parts in order.
    """

    type: Literal["message"] = "message"
    role: Literal["assistant", "system", "developer"]
    content: str | list[Annotated[InputText | OutputText, Field(discriminator="type")]]


InputItem = Annotated[UserItem | OtherItem, Field(discriminator="role")]


class TextFormat(OpenAIModel):
    """The form that the text is to have.

    Attributes:
        type: "text" for any, "json_object" for any JSON object, "json_schema" for what fits a schema.
        name: Taken, and without effect; a schema needs one.
        form: The schema, under the name `schema`.
        description: Taken, and without effect.
        strict: Taken, and without effect: the text is always held to the schema.
    """

    type: Literal["text", "json_object", "json_schema"]
    name: FormName | None = None
    form: dict[str, Any] | None = Field(default=None, alias="schema", description="The JSON schema.")
    description: str | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> TextFormat:
        if (self.type == "json_schema") != (self.form is not None):
            raise inconsistent("text.format.schema", "it goes with the type 'json_schema', and only with that")
        if self.form is not None and self.name is None:
            raise inconsistent("text.format.name", "a schema needs one")
        return self


class TextOptions(OpenAIModel):
    """Options of the text.

    Attributes:
        format: Its form.
    """

    format: TextFormat | None = None
    verbosity: Annotated[None, unserved()] = None


class ResponseStreamOptions(OpenAIModel):
    """Options of a stream.

    Attributes:
        include_obfuscation: Taken, and without effect.
    """

    include_obfuscation: bool | None = None


class ResponsesRequest(OpenAIModel):
    """Body of POST /v1/responses. Nothing is stored: `store` may be false, and is without being said.

    Attributes:
        model: Name of the model, as GET /v1/models lists it.
        input: The conversation so far, or a text that a user says.
        instructions: Instructions to the model, ahead of the conversation.
        max_output_tokens: Longest text, in tokens; by default what fits.
        temperature: 0 decodes greedily; 1 by default.
        top_p: Nucleus that is sampled from; 1, the default, for all.
        top_k: Candidates that are sampled from, 0 and -1 for all; beyond OpenAI's API, as in vLLM.
        seed: Makes sampling repeatable; beyond OpenAI's API.
        text: Options of the text.
        include: "message.output_text.logprobs" for the tokens' log-probabilities.
        top_logprobs: How many of the most probable tokens in each place; asks for log-probabilities by itself.
        stream: Whether the reply is to come as server-sent events.
        stream_options: Options of that; needs stream.
        store: Only false is taken: nothing is stored.
        background: Only false is taken.
        metadata: Taken, given back, and without effect.
        user: Taken, and without effect.
        safety_identifier: Taken, and without effect.
        prompt_cache_key: Taken, and without effect.
        service_tier: Taken, and without effect.
        parallel_tool_calls: Taken, and without effect.
    """

    model: str
    input: str | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1, le=_MAX_INT)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1, le=_MAX_INT)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    text: TextOptions | None = None
    include: list[Literal["message.output_text.logprobs"]] | None = Field(default=None, max_length=8)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    store: Literal[False] | None = None
    background: Literal[False] | None = None

    # Without effect on the reply's text.
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    parallel_tool_calls: bool | None = None

    # Not served; only values that ask for nothing are taken.
    previous_response_id: Annotated[None, unserved()] = None
    conversation: Annotated[None, unserved()] = None
    prompt: Annotated[None, unserved()] = None
    reasoning: Annotated[None, unserved()] = None
    tools: Annotated[None, unserved([])] = None
    tool_choice: Annotated[None, unserved("none", "auto")] = None
    max_tool_calls: Annotated[None, unserved()] = None
    truncation: Annotated[None, unserved("disabled")] = None

    @model_validator(mode="after")
    def _is_consistent(self) -> ResponsesRequest:
        if self.stream_options is not None and not self.stream:
            raise inconsistent("stream_options", "it is only allowed when 'stream' is true")
        return self

    @property
    def logprobs(self) -> bool:
        """Whether log-probabilities are asked for."""
        return bool(self.include) or bool(self.top_logprobs)

    @property
    def format(self) -> TextFormat:
        """The form that the text is to have."""
        return (self.text and self.text.format) or TextFormat(type="text")
