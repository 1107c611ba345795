"""Replies in OpenAI's form as the OpenAPI document shows them; `conversion` makes them, and tests compare the two.

https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from services.common.http.openapi.quantities import Count, Positive
from services.common.openai.replies import ToolCall, UsageReply


class ModelReply(BaseModel):
    """A model that is served.

    Attributes:
        id: Its name.
        object: Always "model".
        created: The service's start, in seconds since 1970.
        owned_by: Always "trustvqa".
        max_model_len: Most tokens of prompt and completion; beyond OpenAI's API, as in vLLM.
    """

    id: str
    object: Literal["model"]
    created: Count
    owned_by: str
    max_model_len: Positive


class ModelListReply(BaseModel):
    """The models that are served.

    Attributes:
        object: Always "list".
        data: The models.
    """

    object: Literal["list"]
    data: list[ModelReply]


class ReplyMessage(BaseModel):
    """A message of the model.

    Attributes:
        role: Always "assistant".
        content: The text; None where a function is called.
        refusal: Always None.
        tool_calls: The call of the function that the request named; left out where it named none.
    """

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[ToolCall] | None = Field(default=None, min_length=1, max_length=1)


class CandidateLogprob(BaseModel):
    """A token that could have been chosen.

    Attributes:
        token: Its text.
        logprob: Natural logarithm of its probability; -9999 for one that is all but impossible.
        bytes: Its text in UTF-8.
    """

    token: str
    logprob: float = Field(le=0)
    bytes: list[int]


class ChosenLogprob(CandidateLogprob):
    """A token of the text.

    Attributes:
        token: Its text.
        logprob: Natural logarithm of its probability; -9999 for one that is all but impossible.
        bytes: Its text in UTF-8.
        top_logprobs: The most probable tokens in its place.
    """

    top_logprobs: list[CandidateLogprob]


class LogprobsReply(BaseModel):
    """Log-probabilities of a choice.

    Attributes:
        content: The tokens of its text, in order.
        refusal: Always None.
    """

    content: list[ChosenLogprob]
    refusal: None


class ChoiceReply(BaseModel):
    """A text that continues the chat.

    Attributes:
        index: Its number, from 0.
        message: The text.
        logprobs: Its log-probabilities, where they were asked for.
        finish_reason: Why it ends: at a natural or given end, or at the longest length; "tool_calls" where a call was
            required and not named.
    """

    index: Count
    message: ReplyMessage
    logprobs: LogprobsReply | None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatCompletionReply(BaseModel):
    """The reply to a request that is not streamed.

    Attributes:
        id: Unique identifier of the reply.
        object: Always "chat.completion".
        created: When it was begun, in seconds since 1970.
        model: Name of the model.
        choices: As many as were asked for.
        usage: Tokens that it cost.
    """

    id: str
    object: Literal["chat.completion"]
    created: Count
    model: str
    choices: list[ChoiceReply]
    usage: UsageReply
