"""An issuer's keys: how often they are read, what is made of bad ones, and how long they count without the issuer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.auth.tokens.errors import TokenFault, TokenRefusedError
from services.common.auth.tokens.issuer_keys import IssuerKeys, KeyTiming, usable_keys
from services.common.auth.tokens.issuer_source import IssuerSource
from tests.services.common.auth.tokens.issuer import Issuer, ec_key, public_jwk, rsa_key, serving_issuer
from tests.support.servers import free_port
from tests.support.waiting import until

TIMING = KeyTiming(refresh_s=300, retry_s=10, unknown_s=30, stale_s=3600)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serving_issuer() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys_of(issuer: Issuer, clock: Clock, noted: list[bool] | None = None) -> IssuerKeys:
    told = [] if noted is None else noted
    return IssuerKeys(IssuerSource(issuer.url), ("RS256", "ES384"), TIMING, clock=clock, noted=told.append)


async def fault(keys: IssuerKeys, key_id: str | None, algorithm: str = "RS256") -> TokenFault:
    with pytest.raises(TokenRefusedError) as refused:
        await keys.find(key_id, algorithm)
    return refused.value.fault


async def test_keys_are_read_once_for_all_who_wait(issuer: Issuer, clock: Clock) -> None:
    keys = keys_of(issuer, clock)
    found = await asyncio.gather(*(keys.find("rsa-1", "RS256") for _ in range(20)))
    assert {key.key_id for key in found} == {"rsa-1"}
    assert issuer.readings == 1
    assert (keys.count, keys.age_s, keys.problem) == (2, 0.0, None)
    # A token that names no key: there is one for its algorithm.
    assert (await keys.find(None, "ES384")).key_id == "ec-1"


async def test_an_unknown_key_has_them_read_again_but_not_by_everybody(issuer: Issuer, clock: Clock) -> None:
    keys = keys_of(issuer, clock)
    await keys.find("rsa-1", "RS256")
    issuer.keys["rsa-2"] = rsa_key("second")
    await asyncio.gather(*(keys.find("rsa-2", "RS256") for _ in range(5)))
    assert issuer.readings == 2
    for number in range(50):
        assert await fault(keys, f"guessed-{number}") is TokenFault.UNKNOWN_KEY
    assert issuer.readings == 2
    clock.now += 31
    assert await fault(keys, "guessed") is TokenFault.UNKNOWN_KEY
    assert issuer.readings == 3
    # A known key of another algorithm is no unknown key.
    clock.now += 31
    assert await fault(keys, "ec-1", "RS256") is TokenFault.UNKNOWN_KEY
    assert issuer.readings == 3


async def test_keys_count_for_a_while_without_the_issuer_and_then_no_more(issuer: Issuer, clock: Clock) -> None:
    noted: list[bool] = []
    keys = keys_of(issuer, clock, noted)
    await keys.find("rsa-1", "RS256")
    issuer.status = 503
    clock.now += 3590
    assert (await keys.find("rsa-1", "RS256")).key_id == "rsa-1"
    clock.now += 20
    assert await fault(keys, "rsa-1") is TokenFault.UNVERIFIABLE
    assert keys.count == 0
    assert keys.problem is not None
    assert "status 503" in keys.problem
    assert "127.0.0.1" not in keys.problem
    # Not asked again by every token.
    readings = len(noted)
    assert await fault(keys, "rsa-1") is TokenFault.UNVERIFIABLE
    assert len(noted) == readings
    issuer.status = 200
    clock.now += 11
    assert (await keys.find("rsa-1", "RS256")).key_id == "rsa-1"
    assert noted == [True, False, True]


async def test_they_are_followed_beside_the_requests(issuer: Issuer) -> None:
    timing = KeyTiming(refresh_s=0.05, retry_s=0.05)
    keys = IssuerKeys(IssuerSource(issuer.url), ("RS256",), timing)
    async with keys.followed():
        await until(lambda: keys.count == 1)
        issuer.keys = {"rsa-2": rsa_key("second")}
        await until(lambda: issuer.readings >= 3)
        assert (await keys.find("rsa-2", "RS256")).key_id == "rsa-2"
        issuer.status = 500
        await until(lambda: keys.problem is not None)
        issuer.status = 200
        await until(lambda: keys.problem is None)


async def test_an_issuer_that_is_not_there_costs_one_try(clock: Clock) -> None:
    keys = keys_of(Issuer(url=f"http://127.0.0.1:{free_port()}"), clock)
    assert await fault(keys, "rsa-1") is TokenFault.UNVERIFIABLE
    assert keys.problem is not None
    assert keys.problem.startswith("the issuer's OpenID configuration cannot be read")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": ["x", null, 1, {}]}',
        b"[" * 200_000,
        b'{"keys": [' + b" " * 600_000 + b"]}",
        json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "rsa-1", "alg": "HS256"}]}).encode(),
    ],
)
async def test_a_bad_key_set_leaves_the_keys_before_in_force(issuer: Issuer, clock: Clock, body: bytes) -> None:
    keys = keys_of(issuer, clock)
    await keys.find("rsa-1", "RS256")
    issuer.body = body
    clock.now += 31
    assert await fault(keys, "new") is TokenFault.UNKNOWN_KEY
    assert keys.problem is not None
    assert (await keys.find("rsa-1", "RS256")).key_id == "rsa-1"


async def test_a_configuration_of_another_issuer_is_not_believed(issuer: Issuer, clock: Clock) -> None:
    keys = IssuerKeys(IssuerSource(f"{issuer.url}/"), ("RS256",), TIMING, clock=clock)
    assert await fault(keys, "rsa-1") is TokenFault.UNVERIFIABLE
    assert keys.problem == "the OpenID configuration is of another issuer"


def named(*listed: dict[str, Any]) -> set[tuple[str | None, str]]:
    return set(usable_keys(listed, ("RS256", "PS256", "ES384")))


def test_only_keys_that_can_check_a_signature_count() -> None:
    good = public_jwk(rsa_key(), "a")
    assert named(good) == {("a", "RS256"), ("a", "PS256")}
    assert named({**good, "alg": "PS256"}) == {("a", "PS256")}
    assert named(public_jwk(ec_key(), "b")) == {("b", "ES384")}
    for bad in (
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"kid": 7},
        {"kid": "x" * 300},
        {"d": "AQAB"},
        {"alg": "HS256"},
        {"kty": "EC"},
        {"n": "AQAB"},
        {"n": None},
    ):
        assert named({**good, **bad}) == set(), bad
    assert named(public_jwk(rsa_key("small", 1024), "small")) == set()
    # Of two keys of one name nobody knows which is meant.
    assert named(good, public_jwk(rsa_key("second"), "a")) == set()
    assert len(named(*({**good, "kid": f"{number}"} for number in range(150)))) == 200
