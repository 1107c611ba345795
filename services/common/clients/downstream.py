"""The downstream multimodal LLM behind any OpenAI-compatible chat completions API."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from prompt4trust.models import Completion, Cost, Generation, Sampling, TransportError
from prompt4trust.prompts import Message
from services.common.clients.transport import RefusedError, RetrySettings, post_json
from services.common.settings import LOOPBACK

SERVICE = "downstream"
_NOT_TAKEN = frozenset({400, 403, 422})
# Begins with a letter: 3405803781 and 0xcb007105 are addresses, and so is what holds colons.
_NEIGHBOUR = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def is_near(host: str) -> bool:
    """Say whether a host is this machine, or has a plain name as services have that run next to each other."""
    return host in LOOPBACK or bool(_NEIGHBOUR.fullmatch(host))


class ImageEgressRefusedError(Exception):
    """A picture would have left for a host that was not switched on by name."""


class LogprobsRefusedError(TransportError):
    """The server answers, but not with log-probabilities."""

    def __init__(self, status: int | None) -> None:
        super().__init__(SERVICE, "it refuses log-probabilities", status=status)


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
        host = urlsplit(str(http.base_url)).hostname or ""
        # A plain name is a compose or cluster service next door; a picture for any other host is data leaving.
        self._images_allowed = is_near(host) or host in egress_hosts
        self._host = host

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
            ImageEgressRefusedError: If a picture would leave for a host that is not switched on.
        """
        if not self._images_allowed and any(_has_image(message) for message in messages):
            raise ImageEgressRefusedError(
                f"pictures may not be sent to {self._host}: name it in egress_hosts to allow this"
            )
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "n": n,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
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


def _has_image(message: Message) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "image_url" for part in content)


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
        text="" if content is None else str(content),
        finish_reason=str(choice.get("finish_reason") or "stop"),
        top_logprobs=None if listed is None else list(_alternatives(listed)),
        tokens=None if listed is None else [str(token["token"]) for token in listed],
    )


def _alternatives(tokens: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, float]]:
    for token in tokens:
        # A sampled token need not be among the most likely ones.
        yield {entry["token"]: float(entry["logprob"]) for entry in (*(token.get("top_logprobs") or ()), token)}
