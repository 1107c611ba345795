"""A request to the downstream model while the policy still writes: read picture, question and options already.

Guidance comes last in the downstream model's prompt. A server that keeps what it has read then reads only the guidance
when the answer is asked for. What is sent is the answer's own prompt without guidance, for one token, which is thrown
away: it is no answer, nothing of it is recorded, and no answer waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from prompt4trust.models import Downstream, Sampling, TransportError
from prompt4trust.prompts import PromptTemplate, answer_messages
from services.common.clients.errors import PictureEgressRefusedError
from services.gateway.answering.guidance.guidance_ahead import GuidanceAhead
from services.gateway.intake.query import Query

WRITING_S = 0.005
"""Guidance that has not come after so long is being written; out of the policy's cache it comes sooner."""
_ONE_TOKEN = Sampling(max_tokens=1)


@dataclass(frozen=True, slots=True)
class PrefixWarming:
    """Warms the prefix cache of the downstream model's server.

    Attributes:
        downstream: The model, tried once and past the breaker: no answer depends on what comes of it.
        template: Wording of the question.
        has_room: Whether the model has time to spare; under load it would be taken from answers.
        ended: Called with how it ended: "read", "failed", or "given up" with the question.
    """

    downstream: Downstream
    template: PromptTemplate
    has_room: Callable[[], bool]
    ended: Callable[[str], None] = lambda _: None

    async def warm(self, query: Query, ahead: GuidanceAhead) -> None:
        """Have the model read a question up to the guidance, where that is being written."""
        if not ahead.is_pending:
            return
        await asyncio.sleep(max(0.0, WRITING_S - ahead.waited_s))
        if not ahead.is_pending or not self.has_room():
            return
        ask = query.ask
        messages = answer_messages(self.template, ask.question, ask.options, image_url=query.picture.data_url)
        outcome = "given up"
        try:
            await self.downstream.complete(messages, _ONE_TOKEN)
            outcome = "read"
        except (TransportError, PictureEgressRefusedError):
            outcome = "failed"
        finally:
            self.ended(outcome)
