"""The downstream multimodal LLM behind any OpenAI-compatible chat completions API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from prompt4trust.models import Completion, Cost, Generation, Sampling, TransportError
from prompt4trust.prompts import Message
from services.common.clients.errors import LogprobsRefusedError, RefusedError
from services.common.clients.picture_egress import PictureEgress
from services.common.clients.retries import RetrySettings
from services.common.clients.transport import post_json

SERVICE = "downstream"
_NOT_TAKEN = frozenset({400, 403, 422})


class DownstreamClient:
    """Asks the downstream model; implements prompt4trust's Downstream protocol.

    Args:
        http: Pool whose base URL ends in /v1; the caller closes it.
        model: Served model name.
        retry: Deadline and retries of one request.
        egress_hosts: Hosts beyond this machine and dotless (internal) names that may receive pictures.
        vendor_parameters: Whether the server takes parameters beyond OpenAI's own (top_k), as vLLM and the embedded
            engine do.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        model: str,
        retry: RetrySettings,
        *,
        egress_hosts: frozenset[str] = frozenset(),
        vendor_parameters: bool = True,
    ) -> None:
        self._http = http
        self.model = model
        self._retry = retry
        self._vendor_parameters = vendor_parameters
        self._egress = PictureEgress(urlsplit(str(http.base_url)).hostname or "", egress_hosts)

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions of one prompt.

        Args:
            messages: Chat messages in OpenAI's form.
            sampling: How to decode.
            n: Number of completions, at least 1.
            top_logprobs: Alternatives to report for each token, or None for no log-probabilities.

        Returns:
            The completions and what they cost.

        Raises:
            LogprobsRefusedError: If log-probabilities were asked for and the server names them as what it refuses.
            TransportError: If the model could not be asked or its reply has no usable choices.
            PictureEgressRefusedError: If a picture would leave for a host that is not switched on.
        """
        self._egress.check(messages)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "n": n,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        if sampling.max_tokens is not None:
            body["max_tokens"] = sampling.max_tokens
        if sampling.top_k > 0 and self._vendor_parameters:
            body["top_k"] = sampling.top_k
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": top_logprobs}
        started = time.perf_counter()
        try:
            reply = await post_json(self._http, SERVICE, "chat/completions", body, self._retry)
        except RefusedError as error:
            if top_logprobs is not None and error.status in _NOT_TAKEN and "logprob" in error.said.lower():
                raise LogprobsRefusedError(error.status) from error
            raise
        return _generation(reply, n, time.perf_counter() - started)


def _generation(reply: Mapping[str, Any], n: int, seconds: float) -> Generation:
    try:
        completions = [_completion(choice) for choice in sorted(reply["choices"], key=lambda choice: choice["index"])]
        usage = reply.get("usage") or {}
        cost = Cost(1, int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)), seconds)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TransportError(SERVICE, "its reply is not a chat completion", status=200) from error
    if any(completion.finish_reason == "abort" for completion in completions):
        # vLLM's word for requests that it gave up because it is ending: what there is of the text is nobody's answer.
        raise TransportError(SERVICE, "it gave the request up before it was done", status=503)
    if len(completions) != n:
        raise TransportError(SERVICE, f"it returned {len(completions)} choices instead of {n}", status=200)
    return Generation(completions, cost)


def _completion(choice: Mapping[str, Any]) -> Completion:
    content = choice["message"]["content"]
    logprobs = choice.get("logprobs")
    listed = None if logprobs is None else logprobs["content"] or []
    return Completion(
        text=_text_of(content),
        finish_reason=str(choice.get("finish_reason") or "stop"),
        top_logprobs=None if listed is None else list(_alternatives(listed)),
        tokens=None if listed is None else [str(token["token"]) for token in listed],
    )


def _text_of(content: object) -> str:
    """Join a content's parts of text; thoughts and whatever else is a part of its own are no part of the reply."""
    if not isinstance(content, list):
        return "" if content is None else str(content)
    parts = (part for part in content if part.get("type", "text") in ("text", "output_text"))
    return "".join(str(part.get("text") or "") for part in parts)


def _alternatives(tokens: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, float]]:
    for token in tokens:
        # A sampled token need not be among the most likely ones.
        yield {entry["token"]: float(entry["logprob"]) for entry in (*(token.get("top_logprobs") or ()), token)}
