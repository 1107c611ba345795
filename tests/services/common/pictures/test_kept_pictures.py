"""Prepared pictures are kept within bounds of memory and time, for their owner alone, and are those that were made."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import pytest

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureOrigin, PreparedPicture
from services.common.pictures.kept_pictures import Found, KeptPictures, Prepared, fingerprint
from tests.support.virtual_time import run_in_virtual_time

BESIDE = 16_000


def prepared(size: int = 1_000, seen: Coroutine[Any, Any, Mapping[str, Any]] | None = None) -> Prepared:
    """A picture of so many bytes."""
    picture = PreparedPicture(bytes(size), "image/png", "0" * 64, 8, 8, PictureOrigin("PNG", (8, 8), None, 1.0))
    return Prepared(picture, None if seen is None else asyncio.create_task(seen))


def making(*made: Prepared) -> Callable[[], Awaitable[Prepared]]:
    """Prepares these, one after the other, and no more."""
    left = iter(made)

    async def make() -> Prepared:
        return next(left)

    return make


class Slow:
    """A preparation that takes a second, and then fails where it is told to."""

    def __init__(self, fault: bool = False) -> None:
        self.begun = 0
        self.fault = fault

    async def __call__(self) -> Prepared:
        self.begun += 1
        await asyncio.sleep(1)
        if self.fault:
            raise PictureError("damaged-image", "The image cannot be decoded.")
        return prepared()


async def keep(pictures: KeptPictures, owner: str, name: bytes, size: int = 1_000) -> None:
    await pictures.get(owner, name, making(prepared(size)))


class AbsentError(Exception):
    """There was nothing kept."""


async def is_kept(pictures: KeptPictures, owner: str, name: bytes) -> bool:
    """Whether it is there; where it is not nothing is put there."""

    async def make() -> Prepared:
        raise AbsentError

    try:
        await pictures.get(owner, name, make)
    except AbsentError:
        return False
    return True


def test_a_picture_is_made_once_for_its_owner_and_never_found_by_another() -> None:
    async def ask() -> None:
        counted: list[Found] = []
        pictures = KeptPictures(1_000_000, 60, counted.append)
        one, other = prepared(), prepared()
        make = making(one, other)
        assert await pictures.get("key-1", b"a", make) is one
        assert await pictures.get("key-1", b"a", make) is one
        assert await pictures.get("key-2", b"a", make) is other
        assert await pictures.get("key-2", b"a", make) is other
        assert counted == ["made", "kept", "made", "kept"]
        assert (pictures.count, pictures.held_bytes) == (2, 2 * (1_000 + BESIDE))

    run_in_virtual_time(ask())


def test_a_picture_is_let_go_of_after_its_time_though_nobody_asks_and_however_often_it_was_used() -> None:
    async def ask() -> None:
        pictures = KeptPictures(1_000_000, 60)
        await keep(pictures, "key-1", b"a")
        await asyncio.sleep(40)
        await keep(pictures, "key-1", b"b")
        assert await is_kept(pictures, "key-1", b"a")
        await asyncio.sleep(20.5)
        assert pictures.count == 1
        assert not await is_kept(pictures, "key-1", b"a")
        await asyncio.sleep(40)
        assert (pictures.count, pictures.held_bytes) == (0, 0)
        await keep(pictures, "key-1", b"c")  # after a pause without any the next one's time is watched as well
        await asyncio.sleep(61)
        assert pictures.count == 0

    run_in_virtual_time(ask())


def test_clearing_lets_go_of_all() -> None:
    async def ask() -> None:
        pictures = KeptPictures(1_000_000, 60)
        await keep(pictures, "key-1", b"a")
        pictures.clear()
        assert (pictures.count, pictures.held_bytes) == (0, 0)
        assert not await is_kept(pictures, "key-1", b"a")

    run_in_virtual_time(ask())


def test_where_there_is_no_room_who_holds_most_gives_up_what_it_used_longest_ago() -> None:
    async def ask() -> None:
        pictures = KeptPictures(5 * (1_000 + BESIDE), 60)
        await keep(pictures, "clinician", b"film")
        for number in range(4):
            await keep(pictures, "batch", bytes([number]))
        assert await is_kept(pictures, "batch", b"\x00")
        for number in range(4, 40):
            await keep(pictures, "batch", bytes([number]))
            assert await is_kept(pictures, "batch", b"\x00")
        assert await is_kept(pictures, "clinician", b"film")
        assert [number for number in range(40) if await is_kept(pictures, "batch", bytes([number]))] == [0, 37, 38, 39]

    run_in_virtual_time(ask())


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_asked_memory_stays_within_its_bound_and_is_counted_right(seed: int) -> None:
    async def ask() -> None:
        draw = random.Random(seed)
        most = 200_000
        pictures = KeptPictures(most, 30)
        for _ in range(400):
            owner, name, size = (
                draw.choice("abc"),
                bytes([draw.randrange(20)]),
                draw.choice((1, 9_000, 70_000, 190_000)),
            )
            await keep(pictures, owner, name, size)
            assert 0 <= pictures.held_bytes <= most
            assert (pictures.count == 0) == (pictures.held_bytes == 0)
            assert pictures.held_bytes >= pictures.count * BESIDE
            await asyncio.sleep(draw.choice((0, 0, 5)))
        await asyncio.sleep(31)
        assert (pictures.count, pictures.held_bytes) == (0, 0)

    run_in_virtual_time(ask())


def test_a_picture_that_is_larger_than_the_memory_is_given_and_not_kept() -> None:
    async def ask() -> None:
        pictures = KeptPictures(50_000, 60)
        await keep(pictures, "key-1", b"a")
        await keep(pictures, "key-1", b"large", 40_000)
        assert not await is_kept(pictures, "key-1", b"large")
        assert await is_kept(pictures, "key-1", b"a")

    run_in_virtual_time(ask())


@pytest.mark.parametrize("most_bytes", [1_000_000, 20])
def test_of_two_at_once_the_second_waits_for_the_first(most_bytes: int) -> None:
    async def ask() -> None:
        counted: list[Found] = []
        pictures, make = KeptPictures(most_bytes, 60, counted.append), Slow()
        found = await asyncio.gather(*(pictures.get("key-1", b"a", make) for _ in range(3)))
        assert make.begun == 1
        assert found[0] is found[1] is found[2]
        assert counted == ["made", "awaited", "awaited"]

    run_in_virtual_time(ask())


def test_nobody_waits_for_a_picture_in_the_line_of_another_client() -> None:
    async def ask() -> None:
        counted: list[Found] = []
        pictures, in_line = KeptPictures(1_000_000, 60, counted.append), Slow()
        line = asyncio.create_task(pictures.get("key-1", b"a", in_line, client="a batch of key-1"))
        await asyncio.sleep(0.5)
        own = prepared()
        assert await pictures.get("key-1", b"a", making(own), client="key-1") is own
        assert not line.done()
        await line
        assert await is_kept(pictures, "key-1", b"a")
        assert counted == ["made", "made", "kept"]

    run_in_virtual_time(ask())


def test_where_the_first_is_given_up_those_who_wait_go_on() -> None:
    async def ask() -> None:
        pictures, make = KeptPictures(1_000_000, 60), Slow()
        first, second = (asyncio.create_task(pictures.get("key-1", b"a", make)) for _ in range(2))
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second is await pictures.get("key-1", b"a", make)
        assert make.begun == 2
        assert first.cancelled()

    run_in_virtual_time(ask())


def test_giving_up_to_wait_leaves_the_first_alone() -> None:
    async def ask() -> None:
        pictures, make = KeptPictures(1_000_000, 60), Slow()
        first, second, third = (asyncio.create_task(pictures.get("key-1", b"a", make)) for _ in range(3))
        await asyncio.sleep(0.5)
        second.cancel()
        assert await first is await third
        assert make.begun == 1

    run_in_virtual_time(ask())


def test_a_refusal_is_not_kept_and_each_has_its_own() -> None:
    async def ask() -> None:
        loop = asyncio.get_running_loop()
        pictures, make = KeptPictures(1_000_000, 60), Slow(fault=True)
        found = await asyncio.gather(*(pictures.get("key-1", b"a", make) for _ in range(9)), return_exceptions=True)
        assert all(isinstance(each, PictureError) for each in found)
        assert len({id(each) for each in found}) == 9
        assert loop.time() == pytest.approx(2)  # who waited does not wait for one another
        make.fault = False
        await pictures.get("key-1", b"a", make)
        assert await is_kept(pictures, "key-1", b"a")

    run_in_virtual_time(ask())


@pytest.mark.parametrize("late", [False, True])
def test_a_picture_that_cannot_be_described_is_forgotten(late: bool) -> None:
    async def describe() -> Mapping[str, Any]:
        await asyncio.sleep(1 if late else 0)
        raise PictureError("damaged-image", "The image cannot be decoded.")

    async def ask() -> None:
        pictures = KeptPictures(1_000_000, 60)
        made = prepared(seen=describe())
        await asyncio.sleep(0 if late else 0.5)
        await pictures.get("key-1", b"a", making(made))
        assert made.seen is not None
        with pytest.raises(PictureError):
            await asyncio.shield(made.seen)
        await asyncio.sleep(0)
        assert not await is_kept(pictures, "key-1", b"a")

    run_in_virtual_time(ask())


@pytest.mark.parametrize("size", [10, 1_500_000])
async def test_the_fingerprint_depends_on_the_file_and_on_all_that_is_asked(size: int) -> None:
    asked: dict[str, Any] = {
        "limits": {"max_side": 1024},
        "media_type": None,
        "choice": {"frame": None, "window": [40, 400]},
    }
    others = [
        {**asked, "limits": {"max_side": 512}},
        {**asked, "media_type": "image/png"},
        {**asked, "choice": {"frame": 2, "window": [40, 400]}},
        {**asked, "choice": {"frame": None, "window": "LUNG"}},
    ]
    file = bytes(size)
    found = [await fingerprint(file, each) for each in (asked, *others)]
    found.append(await fingerprint(file + b"\x00", asked))
    assert len(set(found)) == len(found)
    assert await fingerprint(bytes(size), dict(reversed(asked.items()))) == found[0]
