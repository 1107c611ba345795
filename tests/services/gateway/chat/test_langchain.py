"""LangChain against a gateway, as apps use it that know OpenAI's models only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import BaseModel

from tests.services.gateway.chat.chats import MODEL, content
from tests.services.gateway.upstream import Upstream

if TYPE_CHECKING:  # its import takes three seconds, which every process that reads the tests would spend
    from langchain_openai import ChatOpenAI

QUESTION = [{"role": "user", "content": content()}]


class Finding(BaseModel):
    """A finding."""

    decision: str
    answer: str | None
    confidence: float | None


@pytest.fixture
def model(gateway_url: str, upstream: Upstream) -> Any:
    """Make a chat model with an accepted risk."""
    from langchain_openai import ChatOpenAI

    def make(max_risk: float = 0.6, **more: Any) -> ChatOpenAI:
        return ChatOpenAI(
            model=MODEL,
            base_url=f"{gateway_url}/v1",
            api_key="none",
            max_retries=0,
            timeout=20,
            extra_body={"max_risk": max_risk},
            **more,
        )

    return make


def test_an_answer_and_a_deferral(model: Any, upstream: Upstream) -> None:
    upstream.more = {"usage": {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}}
    reply = model().invoke(QUESTION)
    assert reply.text.startswith("B (Oval). Of 100 answers like this one about ")
    assert reply.usage_metadata["total_tokens"] == 320
    assert model(0.1).invoke(QUESTION).text.startswith("There is no reliable answer")


def test_a_stream(model: Any) -> None:
    chunks = list(model().stream(QUESTION))
    assert "".join(each.text for each in chunks) == model().invoke(QUESTION).text


async def test_several_at_once(model: Any) -> None:
    # Else its connections were those of a client that is kept for good, and that this event loop would leave behind.
    async with httpx.AsyncClient(timeout=20) as http:
        replies = await model(http_async_client=http).abatch([QUESTION] * 3)
    assert len({reply.text for reply in replies}) == 1


def test_structured_output(model: Any) -> None:
    given = model().with_structured_output(Finding).invoke(QUESTION)
    assert (given.decision, given.answer) == ("answer", "Oval")
    assert 0.4 < given.confidence < 0.7
    left = model(0.1).with_structured_output(Finding).invoke(QUESTION)
    assert (left.decision, left.answer, left.confidence) == ("defer", None, None)
    as_object = model().with_structured_output(Finding, method="json_mode").invoke(QUESTION)
    assert as_object == given
