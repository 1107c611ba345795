"""Places for uploads are shared out fairly among clients."""

from __future__ import annotations

import asyncio

import pytest

from services.common.http.problems import Problem
from services.gateway.admission.controlled_delay import ControlledDelay
from services.gateway.errors import BusyError
from services.gateway.intake.uploads import Uploads
from tests.support.virtual_time import run_in_virtual_time
from tests.support.waiting import until


class Sender:
    """A client's upload in a task of its own."""

    def __init__(self, uploads: Uploads, client: str) -> None:
        self.body: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.receives = False
        self.done = asyncio.ensure_future(self._send(uploads, client))

    async def _send(self, uploads: Uploads, client: str) -> str:
        async with uploads.place(client) as upload:
            self.receives = True
            return await upload.receive(self.body)


async def test_a_place_goes_to_who_holds_the_fewest() -> None:
    uploads = Uploads(2, waiting=4, delay=ControlledDelay(20, 20))
    first = [Sender(uploads, "a"), Sender(uploads, "b")]
    await until(lambda: all(each.receives for each in first))
    waiting = [Sender(uploads, "a"), Sender(uploads, "a"), Sender(uploads, "c")]
    await asyncio.sleep(0)
    first[1].body.set_result("sent")
    assert await first[1].done == "sent"
    await until(lambda: waiting[2].receives)
    assert not any(each.receives for each in waiting[:2])
    for each in (first[0], *waiting):
        each.body.set_result("sent")
    assert await asyncio.gather(*(each.done for each in waiting)) == ["sent"] * 3


async def test_who_holds_many_gives_up_the_one_that_has_taken_longest() -> None:
    uploads = Uploads(3, waiting=4, delay=ControlledDelay(20, 20))
    many = [Sender(uploads, "a") for _ in range(4)]
    await until(lambda: all(each.receives for each in many[:3]))
    other = Sender(uploads, "b")
    await until(lambda: other.receives)
    with pytest.raises(Problem, match="this one had taken the longest"):
        await many[0].done
    # Two against one: nothing more is taken away.
    one_more = Sender(uploads, "b")
    await asyncio.sleep(0)
    assert not one_more.receives
    assert [each.done.done() for each in many] == [True, False, False, False]
    for each in (*many[1:], other, one_more):
        each.body.set_result("sent")
    assert await asyncio.gather(*(each.done for each in (*many[1:], other, one_more))) == ["sent"] * 5


async def test_what_is_received_already_is_not_given_up() -> None:
    uploads = Uploads(2, waiting=1, delay=ControlledDelay(20, 20))
    entered, leave = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        async with uploads.place("a") as upload:
            await upload.receive(asyncio.sleep(0))
            entered.release()
            await leave.wait()

    holding = [asyncio.ensure_future(hold()) for _ in range(2)]
    for _ in holding:
        await entered.acquire()
    other = Sender(uploads, "b")
    await asyncio.sleep(0)
    assert not other.receives
    leave.set()
    await asyncio.gather(*holding)
    other.body.set_result("sent")
    assert await other.done == "sent"


async def test_waiting_places_are_bounded_and_shared() -> None:
    uploads = Uploads(1, waiting=2, delay=ControlledDelay(20, 20))
    many = [Sender(uploads, "a") for _ in range(3)]
    await until(lambda: many[0].receives)
    with pytest.raises(BusyError):
        await Sender(uploads, "a").done
    other = Sender(uploads, "b")
    with pytest.raises(BusyError):
        await many[2].done
    other.done.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other.done
    many[0].body.set_result("sent")
    many[1].body.set_result("sent")
    assert [await each.done for each in many[:2]] == ["sent"] * 2
    assert await asyncio.wait_for(_once(uploads), 20) == "sent"


async def test_nobody_waits_for_ever() -> None:
    uploads = Uploads(1, waiting=2, delay=ControlledDelay(0.05, 0.05))
    first = Sender(uploads, "a")
    await until(lambda: first.receives)
    with pytest.raises(BusyError):
        await Sender(uploads, "b").done
    first.body.set_result("sent")
    assert await first.done == "sent"
    assert await _once(uploads) == "sent"


async def _once(uploads: Uploads) -> str:
    sender = Sender(uploads, "c")
    sender.body.set_result("sent")
    return await sender.done


async def decode(uploads: Uploads, seconds: float) -> str:
    """Send an upload that is there at once and takes some time to decode; return what became of it."""
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with uploads.place("a") as upload:
            await upload.receive(asyncio.sleep(0))
            await asyncio.sleep(seconds)
            return "decoded"
    except BusyError:
        return f"turned away after {clock() - began:.0f} s"


def uploads_of(places: int) -> Uploads:
    clock = asyncio.get_running_loop().time
    return Uploads(places, waiting=100, delay=ControlledDelay(5.0, 1.0, clock), clock=clock)


def test_what_waits_for_decoders_is_turned_away_once_the_line_stands() -> None:
    async def main() -> list[str]:
        uploads = uploads_of(1)
        async with asyncio.TaskGroup() as group:
            sent = []
            for _ in range(60):  # twice what is decoded
                sent.append(group.create_task(decode(uploads, 0.5)))
                await asyncio.sleep(0.25)
        return [each.result() for each in sent]

    ended = run_in_virtual_time(main())
    assert ended.count("decoded") > 25
    late = set(ended[len(ended) // 2 :])
    assert "decoded" in late
    assert len(late) > 1
    assert late <= {"decoded", "turned away after 1 s", "turned away after 2 s"}


def test_while_decoding_takes_too_long_only_a_few_are_taken() -> None:
    async def main() -> tuple[list[str], list[str]]:
        uploads = uploads_of(32)
        await asyncio.gather(*(decode(uploads, 5.0) for _ in range(10)))  # a machine that does too much at once
        crowd = await asyncio.gather(*(decode(uploads, 0.1) for _ in range(10)))
        for _ in range(20):
            await decode(uploads, 0.1)
        return crowd, await asyncio.gather(*(decode(uploads, 0.1) for _ in range(10)))

    crowd, afterwards = run_in_virtual_time(main())
    assert crowd == ["decoded"] * 4 + ["turned away after 0 s"] * 6
    assert afterwards == ["decoded"] * 10
