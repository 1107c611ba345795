"""Replies of the Responses API as the OpenAPI document shows them; `documents` makes them, and tests compare the two.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from services.common.http.openapi.quantities import Count, Positive, Share
from services.downstream.replies import ChosenLogprob


class OutputTextReply(BaseModel):
    """A text that the model wrote.

    Attributes:
        type: Always "output_text".
        text: The text.
        annotations: Always empty.
        logprobs: Its tokens with their log-probabilities, where they were asked for.
    """

    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, Any]]
    logprobs: list[ChosenLogprob]


class OutputMessageReply(BaseModel):
    """A message that the model wrote.

    Attributes:
        id: Unique identifier of the message.
        type: Always "message".
        status: "incomplete" for one that is cut off at the longest length.
        role: Always "assistant".
        content: Its text.
    """

    id: str
    type: Literal["message"]
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"]
    content: list[OutputTextReply]


class ResponsesUsageReply(BaseModel):
    """Tokens of a response.

    Attributes:
        input_tokens: Tokens of the prompt.
        input_tokens_details: None of them is counted apart.
        output_tokens: Tokens of the text.
        output_tokens_details: None of them is counted apart.
        total_tokens: Both together.
    """

    input_tokens: Count
    input_tokens_details: dict[str, int]
    output_tokens: Count
    output_tokens_details: dict[str, int]
    total_tokens: Count


class ResponseErrorReply(BaseModel):
    """The reason why a response was not written to its end.

    Attributes:
        code: OpenAI's code.
        message: What is wrong, for a person.
    """

    code: Literal["invalid_prompt", "server_error"]
    message: str


class ResponsesReply(BaseModel):
    """A response.

    Attributes:
        id: Unique identifier of the response; it is not stored, and cannot be looked up.
        object: Always "response".
        created_at: When it was begun, in seconds since 1970.
        completed_at: When it was written, in seconds since 1970.
        status: "incomplete" for one that is cut off at the longest length.
        error: Why it was not written, in events of a stream.
        incomplete_details: Why it is incomplete.
        model: Name of the model.
        output: One message.
        usage: Tokens that it cost.
        instructions: As asked.
        max_output_tokens: As asked.
        temperature: As asked.
        top_p: As asked.
        top_logprobs: As asked.
        text: As asked.
        metadata: As asked.
        user: As asked.
        store: Always false.
        background: Always false.
        previous_response_id: Always None.
        reasoning: Always without effort and summary.
        parallel_tool_calls: As asked.
        tool_choice: Always "auto".
        tools: Always empty.
        truncation: Always "disabled".
    """

    id: str
    object: Literal["response"]
    created_at: Count
    completed_at: Count | None
    status: Literal["completed", "incomplete", "in_progress", "failed"]
    error: ResponseErrorReply | None
    incomplete_details: dict[str, str] | None
    model: str
    output: list[OutputMessageReply]
    usage: ResponsesUsageReply | None
    instructions: str | None
    max_output_tokens: Positive | None
    temperature: Annotated[float, Field(ge=0, le=2)]
    top_p: Share
    top_logprobs: Count
    text: dict[str, Any]
    metadata: dict[str, str]
    user: str | None
    store: Literal[False]
    background: Literal[False]
    previous_response_id: None
    reasoning: dict[str, None]
    parallel_tool_calls: bool
    tool_choice: Literal["auto"]
    tools: list[dict[str, Any]]
    truncation: Literal["disabled"]
