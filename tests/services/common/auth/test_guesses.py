"""Wrong keys and tokens: answered late and with 429 beyond some, while right ones are let in at once beside them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from services.common.auth.authenticator import Authenticator
from services.common.auth.guesses import Guesses
from tests.services.common.auth.test_authenticator import demo, problem
from tests.support.keys import bearer, keys_at
from tests.support.servers import running


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waits_double_up_to_a_bound_and_are_forgotten() -> None:
    clock = Clock()
    guesses = Guesses(allowed=3, forgiven_per_s=0.5, longest_s=10, clock=clock)
    assert [guesses.note("a", "junk") for _ in range(9)] == [0, 0, 0, 1, 2, 4, 8, 10, 10]
    clock.now = 18.0
    assert guesses.note("a", "junk") == 0
    assert guesses.note("b", "junk") == 0


def test_a_key_is_counted_from_wherever_it_is_tried() -> None:
    guesses = Guesses(allowed=3, clock=Clock())
    waits = [guesses.note(f"192.0.2.{number}", f"tvqa_00000001_{number}") for number in range(5)]
    assert waits == [0, 0, 0, 1, 2]
    assert guesses.note("192.0.2.9", "tvqa_00000002_x") == 0


def test_memory_is_bounded() -> None:
    guesses = Guesses(known=100, clock=Clock())
    for number in range(1000):
        guesses.note(f"address {number}", f"tvqa_{number:08x}_x")
    assert len(guesses) == 100


def test_a_guesser_is_slowed_and_the_right_key_beside_it_is_not(tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", ward="ask", other="ask")
    app = demo(api_keys=tmp_path / "keys.json")
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    [guard] = [each for each in app.user_middleware if each.cls == Authenticator]  # type: ignore[comparison-overlap]
    guard.kwargs.update(guesses=Guesses(allowed=5, clock=Clock()), sleep=sleep)
    attacked = keys["ward"][:13]
    with running(app) as url, httpx.Client(base_url=url, timeout=20) as http:
        for number in range(12):
            reply = http.post("/ask", headers=bearer(f"{attacked}_{number:043d}"))
            if number < 5:
                problem(reply, 401, "key-refused")
            else:
                problem(reply, 429, "too-many-wrong-keys")
                assert reply.headers["Retry-After"] == str(min(60, 2 ** (number - 5)))
            # The key that is attacked, never seen here before, and another, from the very same address.
            if number in (0, 11):
                assert http.post("/ask", headers=bearer(keys["ward"])).status_code == 200
                assert http.post("/ask", headers=bearer(keys["other"])).status_code == 200
        problem(http.post("/ask", headers=bearer("a.b.c")), 429, "too-many-wrong-keys")
        # Who shows nothing guesses nothing.
        problem(http.post("/ask"), 401, "key-required")
    assert slept == [1, 2, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("text", ["wrong", "tvqa_00000000_" + "a" * 43])
def test_the_first_wrong_ones_are_refused_as_ever(tmp_path: Path, text: str) -> None:
    keys_at(tmp_path / "keys.json")
    with running(demo(api_keys=tmp_path / "keys.json")) as url, httpx.Client(base_url=url) as http:
        for _ in range(20):
            problem(http.post("/ask", headers=bearer(text)), 401, "key-refused")
