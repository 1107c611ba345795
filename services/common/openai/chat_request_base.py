"""The part of a chat completion's request that every service takes alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.common.openai.chat_parts import OpenAIModel, StreamOptions, inconsistent, unserved
from services.common.openai.text_forms import ResponseFormat
from services.common.openai.tools import ForcedTool, ToolChoice, Tools, forced_tool

_MAX_INT = 2**31 - 1


class ChatRequestBase(OpenAIModel):
    """Body of POST /v1/chat/completions, without model, messages and what services take differently.

    Attributes:
        n: How many texts.
        seed: Makes sampling repeatable.
        temperature: 0 decodes greedily.
        top_p: Nucleus that is sampled from; 1 for all.
        max_tokens: Longest text, in tokens.
        max_completion_tokens: The same by its newer name.
        response_format: Form that the text is to have.
        tools: Functions, of which `tool_choice` may name the one that the reply calls.
        tool_choice: Which; "required" where there is one. With "none" and "auto" none is called.
        stream: Whether the reply is to come as server-sent events.
        stream_options: Options of that; needs stream.
        service_tier: Taken, and without effect.
        store: Taken, and without effect.
        parallel_tool_calls: Taken, and without effect.
    """

    n: int | None = Field(default=None, ge=1, le=_MAX_INT)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=_MAX_INT)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=_MAX_INT)
    response_format: ResponseFormat | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    # Without effect on the reply.
    service_tier: Literal["auto", "default"] | None = None
    store: Literal[False] | None = None
    parallel_tool_calls: bool | None = None

    # Not served; only values that ask for nothing are taken.
    modalities: Annotated[None, unserved(["text"])] = None
    functions: Annotated[None, unserved([])] = None
    function_call: Annotated[None, unserved("none", "auto")] = None
    audio: Annotated[None, unserved()] = None
    prediction: Annotated[None, unserved()] = None
    reasoning_effort: Annotated[None, unserved()] = None
    verbosity: Annotated[None, unserved()] = None
    web_search_options: Annotated[None, unserved()] = None

    @model_validator(mode="after")
    def _options_fit_each_other(self) -> ChatRequestBase:
        if self.stream_options is not None and not self.stream:
            raise inconsistent("stream_options", "it is only allowed when 'stream' is true")
        if None not in (self.max_tokens, self.max_completion_tokens) and self.max_tokens != self.max_completion_tokens:
            raise inconsistent("max_tokens", "'max_completion_tokens' is another number; give one of them")
        if self.forced_tool is not None and self.response_format not in (None, ResponseFormat(type="text")):
            raise inconsistent("tool_choice", "'response_format' asks for a form as well; give one of them")
        return self

    @property
    def forced_tool(self) -> ForcedTool | None:
        """The function that the reply must call, or None."""
        return forced_tool(self.tools, self.tool_choice)

    @property
    def token_limit(self) -> int | None:
        """Most tokens of the completion."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
