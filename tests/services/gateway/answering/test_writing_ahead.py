"""A reply that is written while its record is being stored: told no sooner, and only as what became of the record."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from services.gateway.answering.pipeline import Pipeline
from services.gateway.answering.reply import Answered
from tests.services.gateway.results.answers import answers
from tests.support.waiting import until


def one() -> Answered:
    """The same answer each time."""
    return next(answers(1))


@dataclass
class Recorder:
    """Stores when it is told to, or does not."""

    is_stored: bool
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self, _: Answered) -> bool:
        await self.go.wait()
        return self.is_stored


@pytest.mark.parametrize("is_stored", [True, False])
async def test_the_reply_says_what_became_of_the_record(is_stored: bool) -> None:
    answer, recorder = one(), Recorder(is_stored)
    told = asyncio.create_task(Pipeline._kept_first(answer, recorder))  # type: ignore[arg-type]
    await until(lambda: "_recorded" in vars(answer))  # it is written
    assert not told.done()
    recorder.go.set()
    assert await told is is_stored
    reply = answer.reply(recorded=is_stored)
    assert reply.recorded is is_stored
    assert reply == one().reply(recorded=is_stored)


async def test_a_client_that_leaves_takes_the_writing_with_it() -> None:
    answer, recorder = one(), Recorder(is_stored=True)
    told = asyncio.create_task(Pipeline._kept_first(answer, recorder))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    told.cancel()
    with pytest.raises(asyncio.CancelledError):
        await told


async def test_a_reply_that_cannot_be_written_fails_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    answer = one()
    monkeypatch.setattr(Answered, "_reply", broken)
    answer.write_ahead()
    with pytest.raises(ZeroDivisionError):
        answer.reply(recorded=True)
