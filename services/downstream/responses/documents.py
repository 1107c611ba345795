"""Responses as documents, whole and while they grow."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

from services.common.engine.errors import EngineError, InvalidRequestError
from services.common.engine.interface import TokenLogprob, Usage
from services.downstream.conversion import logprobs_document
from services.downstream.responses.chat_translation import reworded
from services.downstream.responses.requests import ResponsesRequest


class ResponseDocuments:
    """The documents of one response, which repeat what was asked.

    Args:
        request: The request.
    """

    def __init__(self, request: ResponsesRequest) -> None:
        self._request = request
        self._id = f"resp_{secrets.token_hex(16)}"
        self.item_id = f"msg_{secrets.token_hex(16)}"
        self._created = int(time.time())

    def begun(self) -> dict[str, Any]:
        """Make the document of a response that is being written."""
        return self._document("in_progress", [])

    def ended(self, text: str, reason: str, usage: Usage, logprobs: Iterable[TokenLogprob]) -> dict[str, Any]:
        """Make the document of a response that is written.

        Args:
            text: Its text.
            reason: Why it ends: "stop", or "length" for one that is cut off.
            usage: Its tokens.
            logprobs: Its tokens' log-probabilities.
        """
        status = "completed" if reason == "stop" else "incomplete"
        return self._document(
            status,
            [self.item(status, [self.part(text, logprobs)])],
            completed_at=int(time.time()) if status == "completed" else None,
            incomplete_details=None if status == "completed" else {"reason": "max_output_tokens"},
            usage={
                "input_tokens": usage.prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": usage.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            },
        )

    def failed(self, error: EngineError) -> dict[str, Any]:
        """Make the document of a response that could not be written to its end."""
        code = "invalid_prompt" if isinstance(error, InvalidRequestError) else "server_error"
        return self._document("failed", [], error={"code": code, "message": reworded(str(error))})

    def item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        """Make the document of the one message that a response holds."""
        return {"id": self.item_id, "type": "message", "status": status, "role": "assistant", "content": content}

    def part(self, text: str, logprobs: Iterable[TokenLogprob] = ()) -> dict[str, Any]:
        """Make the document of that message's one part."""
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": self.logprobs(logprobs)}

    def logprobs(self, tokens: Iterable[TokenLogprob]) -> list[dict[str, Any]]:
        """Make the log-probabilities, where they were asked for."""
        return logprobs_document(tokens)["content"] if self._request.logprobs else []

    def _document(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        request = self._request
        nothing = {"completed_at": None, "error": None, "incomplete_details": None, "usage": None}
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": request.model,
            "output": output,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "temperature": 1.0 if request.temperature is None else request.temperature,
            "top_p": 1.0 if request.top_p is None else request.top_p,
            "top_logprobs": request.top_logprobs or 0,
            "text": {"format": request.format.model_dump(by_alias=True, exclude_none=True)},
            "metadata": request.metadata or {},
            "user": request.user,
            "store": False,
            "background": False,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "tool_choice": "auto",
            "tools": [],
            "truncation": "disabled",
            **nothing,
            **more,
        }
