"""Conversion of OpenAI's requests to the engine's, and of the engine's samples to OpenAI's choices."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prompt4trust.models import Sampling
from services.common.engine.interface import (
    Constraint,
    GenerationRequest,
    GenerationResult,
    Message,
    Penalties,
    TokenLogprob,
    Usage,
)
from services.common.openai.chat_parts import ImagePart
from services.common.openai.schema_in_words import schema_in_words
from services.common.openai.text_forms import StructuredOutputs
from services.common.openai.tools import ForcedTool, call_of
from services.downstream.schemas import ChatCompletionRequest, ChatMessage, InstructionMessage

_ANY_OBJECT = '{"type":"object"}'


def picture_urls(request: ChatCompletionRequest) -> list[str]:
    """List the pictures of a request, in order."""
    return [
        part.image_url.url
        for message in request.messages
        if isinstance(message.content, list)
        for part in message.content
        if isinstance(part, ImagePart)
    ]


def to_generation(
    request: ChatCompletionRequest, pictures: Sequence[str | bytes], timeout_s: float, client: str = ""
) -> GenerationRequest:
    """Translate a request.

    Args:
        request: The request.
        pictures: Its pictures, in order.
        timeout_s: Seconds that it may take.
        client: Who asks.

    Returns:
        The same for the engine, with OpenAI's defaults.
    """
    sampling = Sampling(
        temperature=1.0 if request.temperature is None else request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        top_k=max(0, request.top_k or 0),
        max_tokens=request.token_limit,
        seed=request.seed,
    )
    return GenerationRequest(
        messages=[_message(message) for message in request.messages],
        sampling=sampling,
        pictures=tuple(pictures),
        n=request.n or 1,
        stop=request.stops,
        logprobs=(request.top_logprobs or 0) if request.logprobs else None,
        timeout_s=timeout_s,
        client=client,
        constraint=_constraint(request),
        penalties=_penalties(request),
    )


def _constraint(request: ChatCompletionRequest) -> Constraint | None:
    wanted, form, tool = request.structured_outputs, request.response_format, request.forced_tool
    if wanted is not None:
        return _structured(wanted)
    if tool is not None:
        return Constraint("json", _text(tool.parameters), param=tool.param)
    if form is None or form.type == "text":
        return None
    if form.json_schema is not None:
        return Constraint("json", _text(form.json_schema.form))
    told = _told_schema(request)
    return Constraint("json", _ANY_OBJECT) if told is None else Constraint("json", _text(told), param="messages")


def _told_schema(request: ChatCompletionRequest) -> Mapping[str, Any] | None:
    """Find the schema that a client tells the model in its instructions; None where there is not exactly one."""
    texts = [
        message.content if isinstance(message.content, str) else "".join(part.text for part in message.content)
        for message in request.messages
        if isinstance(message, InstructionMessage)
    ]
    found = [each for each in map(schema_in_words, texts) if each is not None]
    return found[0].schema if len(found) == 1 else None


def _structured(wanted: StructuredOutputs) -> Constraint:
    name = "structured_outputs"
    if wanted.regex is not None:
        return Constraint("regex", wanted.regex, param=name)
    if wanted.choice is not None:
        return Constraint("choice", _text(wanted.choice), param=name)
    if wanted.grammar is not None:
        return Constraint("grammar", wanted.grammar, param=name)
    schema: Any = wanted.document if wanted.document is not None else _ANY_OBJECT
    return Constraint("json", schema if isinstance(schema, str) else _text(schema), wanted.whitespace, name)


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


def _penalties(request: ChatCompletionRequest) -> Penalties:
    return Penalties(
        presence=request.presence_penalty or 0.0,
        frequency=request.frequency_penalty or 0.0,
        repetition=1.0 if request.repetition_penalty is None else request.repetition_penalty,
        bias=tuple((int(token), value) for token, value in (request.logit_bias or {}).items()),
        min_p=request.min_p or 0.0,
    )


def _message(message: ChatMessage) -> Message:
    # Templates know "system"; OpenAI's newer models call it "developer".
    role = "system" if message.role == "developer" else message.role
    if message.content is None or isinstance(message.content, str):
        return {"role": role, "content": message.content or ""}
    parts = [
        {"type": "image"} if isinstance(part, ImagePart) else {"type": "text", "text": part.text}
        for part in message.content
    ]
    return {"role": role, "content": parts}


class ReplyHead:
    """The members that all documents of one reply have in common.

    Args:
        model: Served model name.
    """

    def __init__(self, model: str) -> None:
        self._id = f"chatcmpl-{secrets.token_hex(16)}"
        self._created = int(time.time())
        self._model = model

    def document(self, kind: str, choices: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Make a document of a kind ("chat.completion" or "chat.completion.chunk")."""
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
            **more,
        }


def completion(
    head: ReplyHead, result: GenerationResult, tool: ForcedTool | None = None, *, logprobs: bool
) -> dict[str, Any]:
    """Make the whole reply of a request that is not streamed; `tool` is the function that it must call."""
    choices = [
        {
            "index": sample.index,
            "message": _reply_message(sample.text, tool),
            "logprobs": logprobs_document(sample.logprobs) if logprobs else None,
            "finish_reason": finish_reason(sample.finish_reason, tool),
        }
        for sample in result.samples
    ]
    return head.document("chat.completion", choices, usage=usage_document(result.usage))


def finish_reason(reason: str, tool: ForcedTool | None) -> str:
    """Return why a text ended, in the reply's words: a call that is cut off ends by its length."""
    return tool.finish_reason if tool is not None and reason == "stop" else reason


def _reply_message(text: str, tool: ForcedTool | None) -> dict[str, Any]:
    if tool is None:
        return {"role": "assistant", "content": text, "refusal": None}
    call = call_of(tool.name, text, secrets.token_hex(12))
    return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}


def usage_document(usage: Usage) -> dict[str, int]:
    """Count tokens as OpenAI does."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def logprobs_document(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    """Make the log-probabilities of a choice or a delta."""
    content = [{**_entry(token), "top_logprobs": [_entry(other) for other in token.top]} for token in tokens]
    return {"content": content, "refusal": None}


def _entry(token: TokenLogprob) -> dict[str, Any]:
    # JSON has no infinity; this is OpenAI's stand-in for "all but impossible".
    return {"token": token.text, "logprob": max(token.logprob, -9999.0), "bytes": list(token.data)}
