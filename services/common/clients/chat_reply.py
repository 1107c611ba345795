"""Chat completions as servers send them: of OpenAI's shape, of its older one, or with parts left out.

A missing text or choice is an error, since there is no answer then. Whatever is only about the answer, its
log-probabilities and what it cost, is read as far as it can be and is otherwise none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from prompt4trust.models import Completion, Cost, TransportError
from services.common.clients.http_pool import Reply

SERVICE = "downstream"
# vLLM's word for requests that it gave up because it is ending, and routers' word for a server that broke: what there
# is of the text is nobody's answer.
_GIVEN_UP = frozenset({"abort", "error"})


def read_reply(
    reply: Mapping[str, Any], seconds: float, *, max_tokens: int | None = None
) -> tuple[list[Completion], Cost]:
    """Read a reply.

    Args:
        reply: The parsed JSON.
        seconds: Duration of the request.
        max_tokens: Longest text that was asked for, by which one without a finish reason is known to be cut off.

    Returns:
        The completions by index, or in order of arrival where indices are missing or double; and the cost.

    Raises:
        TransportError: If there is no choice, one has no message, or the server gave up.
    """
    cost = _cost(reply.get("usage"), seconds)
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        raise TransportError(SERVICE, "its reply holds no choices", status=200)
    try:
        completions = [_completion(choice) for choice in _in_order(choices)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TransportError(SERVICE, "its reply is not a chat completion", status=200) from error
    if any(completion.finish_reason.lower() in _GIVEN_UP for completion in completions):
        raise TransportError(SERVICE, "it gave the request up before it was done", status=503)
    if len(completions) == 1 and not choices[0].get("finish_reason"):
        completions = [_ended(completions[0], cut=max_tokens is not None and cost.completion_tokens >= max_tokens)]
    return completions, cost


def lists_model(reply: Reply, model: str) -> bool:
    """Whether a server lists a model under /v1/models, as far as its list can be read."""
    try:
        listed = [each["id"] for each in reply.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return True
    return model in listed or not listed


def _ended(completion: Completion, *, cut: bool) -> Completion:
    reason = "length" if cut else completion.finish_reason
    return Completion(completion.text, reason, completion.top_logprobs, completion.tokens)


def _in_order(choices: list[Any]) -> list[Any]:
    places = [_count(choice.get("index"), missing=-1) for choice in choices]
    if -1 in places or len(set(places)) < len(places):
        return choices
    return [choice for _, choice in sorted(zip(places, choices, strict=True), key=lambda pair: pair[0])]


def _completion(choice: Mapping[str, Any]) -> Completion:
    message = choice["message"]
    text, reason = _text_of(message.get("content")), choice.get("finish_reason")
    if not text and message.get("refusal"):
        text, reason = str(message["refusal"]), "refusal"
    tokens, alternatives = _logprobs(choice.get("logprobs"))
    return Completion(text, str(reason or "stop"), alternatives, tokens)


def _text_of(content: object) -> str:
    """Join a content's parts of text; thoughts and whatever else is a part of its own are no part of the reply."""
    if not isinstance(content, list):
        return "" if content is None else str(content)
    parts = (part for part in content if part.get("type", "text") in ("text", "output_text"))
    return "".join(str(part.get("text") or "") for part in parts)


# --- Log-probabilities ------------------------------------------------------------------------------------------------


def _logprobs(found: Any) -> tuple[list[str] | None, list[Mapping[str, float]] | None]:
    """Read tokens and their alternatives from either shape; (None, None) where there are none that can be read."""
    try:
        read = list(_old_shape(found) if isinstance(found, dict) and "tokens" in found else _new_shape(found))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None, None
    return ([token for token, _ in read], [likely for _, likely in read]) if read else (None, None)


def _new_shape(found: Any) -> Iterator[tuple[str, Mapping[str, float]]]:
    listed = found.get("content") if isinstance(found, dict) else found
    for token in listed or ():
        # A sampled token need not be among the most likely ones.
        yield str(token["token"]), {**_likely(token.get("top_logprobs")), **_likely([token])}


def _old_shape(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, float]]]:
    tokens = found["tokens"] or []
    own, others = found.get("token_logprobs") or [None] * len(tokens), found.get("top_logprobs") or [None] * len(tokens)
    for token, logprob, alternatives in zip(tokens, own, others, strict=True):
        yield str(token), {**_likely(alternatives), **_likely({str(token): logprob})}


def _likely(found: Any) -> dict[str, float]:
    """Read alternatives: {token: log-probability}, or a list of {"token": ..., "logprob": ...}."""
    pairs = found.items() if isinstance(found, dict) else ((each["token"], each.get("logprob")) for each in found or ())
    read = {str(token): float(logprob) for token, logprob in pairs if logprob is not None}
    return {token: logprob for token, logprob in read.items() if math.isfinite(logprob)}


# --- Usage ------------------------------------------------------------------------------------------------------------


def _cost(usage: object, seconds: float) -> Cost:
    counts = usage if isinstance(usage, dict) else {}
    return Cost(1, _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")), seconds)


def _count(value: Any, *, missing: int = 0) -> int:
    """Read a count that may be missing, null, a string or nonsense."""
    try:
        return max(int(value), 0)
    except (TypeError, ValueError, OverflowError):
        return missing
