"""A stand-in for the servers that speak OpenAI's chat completions each in their own way: one switch a habit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

VERDICT = "Finding: Oval. In conclusion, the answer is B with confidence 95."
TOKENS = ("Finding:", " Oval.", " In", " conclusion,", " the", " answer", " is", " B", " with", " confidence", " 95.")

Body = dict[str, Any]


def unsupported(name: str, message: str) -> Body:
    """An error as OpenAI words it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": name, "code": "unsupported"}}


def extra(name: str, value: Any) -> Body:
    """A validation error as pydantic words it, with the refused input."""
    return {"detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Not permitted", "input": value}]}


def _roles(body: Body) -> list[str]:
    return [message["role"] for message in body["messages"]]


def _form(body: Body) -> str:
    return str((body.get("response_format") or {}).get("type", ""))


# Habit -> when a request is refused, the status, and the error.
REFUSALS: dict[str, tuple[Callable[[Body], bool], int, Callable[[Body], Body | str]]] = {
    "refuses max_tokens": (
        lambda body: "max_tokens" in body,
        400,
        lambda _: unsupported("max_tokens", "'max_tokens' is not supported here. Use 'max_completion_tokens'."),
    ),
    "refuses max_completion_tokens": (
        lambda body: "max_completion_tokens" in body,
        400,
        lambda _: {"error": "unknown field max_completion_tokens, did you mean max_tokens?"},
    ),
    "refuses logprobs": (
        lambda body: "logprobs" in body,
        403,
        lambda _: {"error": {"message": "This model may not be asked for logprobs.", "param": None}},
    ),
    "refuses top_k": (
        lambda body: "top_k" in body,
        400,
        lambda _: {"error": {"message": "Unrecognized request argument supplied: top_k", "param": None}},
    ),
    "refuses seed": (lambda body: "seed" in body, 422, lambda body: extra("seed", body["seed"])),
    "refuses temperature": (
        lambda body: body.get("temperature", 1) != 1,
        400,
        lambda _: unsupported("temperature", "Only the default (1) value of 'temperature' is supported."),
    ),
    "refuses top_p": (
        lambda body: "top_p" in body,
        422,
        lambda _: {"error": "Input validation error: `top_p` must be > 0.0 and < 1.0", "error_type": "validation"},
    ),
    "refuses a system message": (
        lambda body: "system" in _roles(body),
        400,
        lambda _: {"object": "error", "message": "System role not supported", "type": "BadRequestError", "code": 400},
    ),
    "refuses n": (lambda body: body.get("n", 1) != 1, 400, lambda _: "Only one completion choice is allowed"),
    "refuses any n": (lambda body: "n" in body, 422, lambda body: extra("n", body["n"])),
    "refuses json_schema": (
        lambda body: _form(body) == "json_schema",
        400,
        lambda _: unsupported("response_format", "This response_format type is unavailable now"),
    ),
    "refuses response_format": (
        lambda body: bool(_form(body)),
        400,
        lambda _: {"error": {"message": "response_format is not supported", "param": None}},
    ),
    "refuses logprobs and seed in one text": (
        lambda body: "logprobs" in body or "seed" in body,
        400,
        lambda _: {"error": {"message": "this model does not support parameters: ['logprobs', 'seed']"}},
    ),
    "refuses top_k under the id of each request": (
        lambda body: "top_k" in body,
        400,
        lambda _: {
            "error": {"message": f"seed, top_k: one is unknown (request id: {uuid4()})"},
            "request_id": f"req_{uuid4().hex}",
        },
    ),
    "refuses for another reason": (
        lambda _: True,
        400,
        lambda _: {"error": {"message": "The context has room for 100 tokens, 99 of them asked for by max_tokens."}},
    ),
}


class HabitsServer:
    """Answers as a server with certain habits does.

    Attributes:
        habits: The habits that are switched on: those of `REFUSALS`, and those of `_reply` by name.
        text: What the model writes.
        asked: Bodies of requests, oldest first.
    """

    def __init__(self) -> None:
        self.habits: set[str] = set()
        self.text = VERDICT
        self.asked: list[Body] = []
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/cgp", self._guide, methods=["POST"]),
                Route("/health/ready", self._models),
            ]
        )

    def behave(self, *habits: str, text: str = VERDICT) -> None:
        """Take on habits in place of others, and forget what was asked."""
        self.habits, self.text, self.asked = set(habits), text, []

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "model-1", "object": "model"}]})

    async def _guide(self, _: Request) -> Response:
        prompt = {"text": "Weigh the border.", "finish_reason": "stop"}
        return JSONResponse({"id": "1", "version": "policy-1", "prompts": [prompt]})

    async def _complete(self, request: Request) -> Response:
        body: Body = await request.json()
        self.asked.append(body)
        for habit in sorted(self.habits & REFUSALS.keys()):
            refused, status, error = REFUSALS[habit]
            if refused(body):
                said = error(body)
                return Response(said, status) if isinstance(said, str) else JSONResponse(said, status)
        return JSONResponse(self._reply(body))

    def _reply(self, body: Body) -> Body:
        number = 1 if "returns one choice" in self.habits else body.get("n", 1)
        choices = [self._choice(place, body) for place in range(number)]
        if "sends choices in another order" in self.habits:
            choices.reverse()
        reply: Body = {"id": "1", "object": "chat.completion", "choices": choices}
        usage: dict[str, Any] = {
            "counts in nulls": {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
            "counts in strings": {"prompt_tokens": "9", "completion_tokens": "4"},
            "usage is null": None,
        }
        chosen = [usage[habit] for habit in usage if habit in self.habits]
        if "has no usage" not in self.habits:
            reply["usage"] = chosen[0] if chosen else {"prompt_tokens": 9, "completion_tokens": 4}
        return reply

    def _choice(self, place: int, body: Body) -> Body:
        message: Body = {"role": "assistant", "content": self.text}
        choice: Body = {"index": place, "message": message, "finish_reason": "stop"}
        if "has no index" in self.habits:
            del choice["index"]
        if "numbers all choices 0" in self.habits:
            choice["index"] = 0
        if "gives no finish reason" in self.habits:
            choice["finish_reason"] = None
        if "refuses in a field of its own" in self.habits:
            choice["message"] = {"role": "assistant", "content": None, "refusal": self.text}
        if "writes in parts" in self.habits:
            message["content"] = [{"type": "thinking", "thinking": "A?"}, {"type": "text", "text": self.text}]
        for reason in ("length", "content_filter", "tool_calls"):
            if f"ends by {reason}" in self.habits:
                choice["finish_reason"] = reason
        if body.get("logprobs"):
            choice["logprobs"] = self._logprobs()
        return choice

    def _logprobs(self) -> Any:
        none: dict[str, Any] = {
            "logprobs are {}": {},
            "logprobs are []": [],
            "logprobs are null": None,
            "logprobs hold null": {"content": None},
            "logprobs cannot be read": {"content": [{"token": "B"}, 7]},
        }
        for habit, found in none.items():
            if habit in self.habits:
                return found
        if "logprobs in the old shape" in self.habits:
            likely = [{token: -0.5} for token in TOKENS]
            return {"tokens": [*TOKENS], "token_logprobs": [-0.5] * len(TOKENS), "top_logprobs": likely}
        number: Any = "-0.5" if "logprobs are strings" in self.habits else -0.5
        entries = [{"token": token, "logprob": number} for token in TOKENS]
        return {"content": [{**entry, "top_logprobs": [entry]} for entry in entries]}
