"""Completions that carry a calibrated answer, in OpenAI's form, and the models by which they are documented.

https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.common.http.openapi.quantities import Count, Share
from services.common.openai.replies import ToolCall, UsageReply
from services.common.openai.tools import call_of, further_arguments
from services.gateway.chat.reader import ReadChat
from services.gateway.chat.reply_form import ReplyText
from services.gateway.schemas import (
    Atypicality,
    Calibration,
    ChosenAnswer,
    DecisionBasis,
    Lack,
    ModelsUsed,
    OptionSetReply,
    Timing,
    VqaReply,
)


class CompletionCalibration(BaseModel):
    """The decision on an answer and what it rests on, for programs. Parts are those of the reply of POST /vqa.

    Attributes:
        id: Id of the answer, for feedback: POST /vqa/{id}/feedback.
        decision: "answer", or "defer" to a person.
        answer: The answer; None where the question is left to a person.
        confidence: Its confidence; calibrated only where `calibrated` says so. None without an answer.
        calibrated: Whether the confidence is calibrated.
        guarantee: Whether the rule that decided bounds the share of wrong answers with a proof.
        reason: The decision's reason for a person.
        method: The method that was asked for.
        basis: Why it was decided so.
        origin: Where the confidence comes from.
        option_set: Options that hold the right one at a known rate, or None.
        atypicality: How unlike the questions that its promises rest on this one is, or None.
        models: Who answered.
        degraded: Parts that it was done without.
        timing_ms: How long it took.
        recorded: Whether the answer is kept, so that feedback on it can be.
    """

    id: str
    decision: Literal["answer", "defer"]
    answer: ChosenAnswer | None
    confidence: Share | None
    calibrated: bool
    guarantee: bool
    reason: str
    method: str
    basis: DecisionBasis
    origin: Calibration
    option_set: OptionSetReply | None
    atypicality: Atypicality | None
    models: ModelsUsed
    degraded: list[Lack]
    timing_ms: Timing
    recorded: bool


class CalibratedMessage(BaseModel):
    """The reply's message.

    Attributes:
        role: Always "assistant".
        content: The answer with its confidence, or that there is none: in words, or as JSON. None with a refusal or a
            call.
        refusal: Words in place of a JSON text that the client's schema has no room for: a deferral, where an answer
            must be there. None else.
        reasoning_content: The guidance that the model was asked with, or None; it names no answer.
        tool_calls: The call of the function that the request named, with the answer or the deferral as its schema has
            them; left out where there is none.
    """

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    reasoning_content: str | None
    tool_calls: list[ToolCall] | None = Field(
        default=None, min_length=1, max_length=1, exclude_if=lambda calls: not calls
    )


class CalibratedChoice(BaseModel):
    """The one choice.

    Attributes:
        index: Always 0.
        message: The message.
        logprobs: Always None.
        finish_reason: "stop"; "tool_calls" where a call was required and not named.
    """

    index: Literal[0]
    message: CalibratedMessage
    logprobs: None
    finish_reason: Literal["stop", "tool_calls"]


class CalibratedCompletion(BaseModel):
    """The reply to a chat completion that is not streamed.

    Attributes:
        id: Unique identifier of the reply.
        object: Always "chat.completion".
        created: When it was made, in seconds since 1970.
        model: Name of the model, as it was asked for.
        choices: The one choice.
        usage: Tokens of all that the models read and wrote for it, as their servers count them.
        calibration: The decision and what it rests on.
    """

    id: str
    object: Literal["chat.completion"]
    created: Count
    model: str
    choices: list[CalibratedChoice]
    usage: UsageReply
    calibration: CompletionCalibration


class CalibratedModel(BaseModel):
    """A model that can be asked: a method of the gateway.

    Attributes:
        id: Its name.
        object: Always "model".
        created: The gateway's start, in seconds since 1970.
        owned_by: Always "trustvqa".
        description: What the method does.
    """

    id: str
    object: Literal["model"]
    created: Count
    owned_by: Literal["trustvqa"]
    description: str


class CalibratedModelList(BaseModel):
    """The models that can be asked, the default one first.

    Attributes:
        object: Always "list".
        data: The models.
    """

    object: Literal["list"]
    data: list[CalibratedModel]


def calibration_of(reply: VqaReply, method: str) -> CompletionCalibration:
    """Sum up a reply for programs; what the model guessed where a question is left to a person is not in it."""
    answer = reply.answer
    return CompletionCalibration(
        id=reply.id,
        decision=reply.decision,
        answer=answer,
        confidence=None if answer is None else reply.confidence,
        calibrated=answer is not None and reply.calibration.calibrated,
        guarantee=reply.decision_basis.guarantee,
        reason=reply.decision_basis.reason,
        method=method,
        basis=reply.decision_basis,
        origin=reply.calibration,
        option_set=reply.option_set,
        atypicality=reply.atypicality,
        models=reply.models,
        degraded=reply.degraded,
        timing_ms=reply.timing_ms,
        recorded=reply.recorded,
    )


def completion(reply: VqaReply, chat: ReadChat) -> CalibratedCompletion:
    """Make the whole reply of a request that is not streamed."""
    text = chat.form.write(reply, chat.method)
    calls = None
    if text.tool is not None:
        calls = [ToolCall.model_validate(call_of(text.tool.name, text.content or "", reply.id))]
    message = CalibratedMessage(
        role="assistant",
        content=text.content if calls is None else None,
        refusal=text.refusal,
        reasoning_content=reply.guidance_prompt,
        tool_calls=calls,
    )
    return CalibratedCompletion(
        id=f"chatcmpl-{reply.id}",
        object="chat.completion",
        created=int(time.time()),
        model=chat.request.model,
        choices=[CalibratedChoice(index=0, message=message, logprobs=None, finish_reason=_finish_reason(text))],
        usage=_usage(reply),
        calibration=calibration_of(reply, chat.method),
    )


class Chunks:
    """The chunks of a streamed completion; guidance may come before the decision, nothing else of the answer does.

    Args:
        chat: The chat.
    """

    def __init__(self, chat: ReadChat) -> None:
        options = chat.request.stream_options
        self._chat = chat
        self._counts = bool(options and options.include_usage)
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4()}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": chat.request.model,
        }

    def begin(self) -> Mapping[str, Any]:
        """Make the first chunk."""
        content = "" if self._chat.form.tool is None else None
        return self._chunk({"role": "assistant", "content": content, "refusal": None})

    def guidance(self, text: str) -> Mapping[str, Any]:
        """Make the chunk with the guidance."""
        return self._chunk({"reasoning_content": text})

    def end(self, reply: VqaReply) -> list[Mapping[str, Any]]:
        """Make the chunks from the decision on: the text, the end with the calibration, and the usage if wanted."""
        text: ReplyText = self._chat.form.write(reply, self._chat.method)
        calibration = calibration_of(reply, self._chat.method).model_dump(mode="json")
        said = [self._chunk(delta) for delta in _deltas(text, reply.id)]
        chunks = [*said, {**self._chunk({}, _finish_reason(text)), "calibration": calibration}]
        if self._counts:
            chunks.append({**self._head, "choices": [], "usage": _usage(reply).model_dump()})
        return chunks

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> Mapping[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._head, "choices": [choice], **({"usage": None} if self._counts else {})}


def _deltas(text: ReplyText, number: str) -> list[Mapping[str, Any]]:
    if text.refusal is not None:
        return [{"refusal": text.refusal}]
    if text.tool is None:
        return [{"content": text.content}]
    begun = call_of(text.tool.name, "", number, index=0)
    return [{"tool_calls": [begun]}, {"tool_calls": [further_arguments(text.content or "")]}]


def _finish_reason(text: ReplyText) -> Literal["stop", "tool_calls"]:
    return "stop" if text.tool is None else text.tool.finish_reason


def _usage(reply: VqaReply) -> UsageReply:
    read, written = reply.usage.prompt_tokens, reply.usage.completion_tokens
    return UsageReply(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
