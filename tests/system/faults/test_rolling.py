"""Services are replaced one by one under load, and no request fails.

`make test` replaces one of two gateways; ROLLING=1, which `make test-faults` sets, both, and then policies, too.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.common.registry.directory import Registry
from tests.support.keys import bearer
from tests.support.network.balancer import Balancer
from tests.support.waiting import until
from tests.system.conftest import ROOT, Stack
from tests.system.faults.load import SHORT_RATE, Load, client
from tests.system.faults.questions import Outcome, with_references
from tests.system.faults.site import record_faults, stored
from tests.system.own_gateway import OwnGateway
from tests.system.own_service import OwnService

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

ROLLING = "ROLLING" in os.environ
ENDING = {"SHUTDOWN_DELAY_S": "1", "SHUTDOWN_GRACE_S": "30"}
"""The balancer looks ten times a second: within a second it has heard."""


@asynccontextmanager
async def asking(url: str, key: str) -> AsyncIterator[Load]:
    """Ask for the length of a block, once it is known what is right."""
    load = Load(client(url, bearer(key)), (), rate=None if ROLLING else SHORT_RATE)
    async with load.http:
        load.questions = await with_references(load.http, 4)
        async with load.asking():
            await load.until_right_again(60)
            yield load


async def without_policy(stack: Stack, load: Load) -> Sequence[Outcome]:
    """End the one policy service, that the supervisor starts anew: answers go on without guidance, and say so."""
    start = len(load.outcomes)
    stack.child("policy").send_signal(signal.SIGTERM)
    await load.until_answered(1, lambda each: each.kind == "flagged", 60)
    await load.until_right_again(100)
    return load.since(start)


async def test_gateways_are_replaced_and_no_question_fails(stack: Stack, tmp_path: Path) -> None:
    gateways = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        keys = {"API_KEYS": str(tmp_path / "a" / "keys.json")}  # both take the same
        gateways.append(OwnGateway(stack, tmp_path / name, settings={**ENDING, **keys}))
        gateways[-1].key = gateways[0].key
        Registry(gateways[-1].registry).seed_artifacts(ROOT / "models")
    try:
        await asyncio.gather(*(asyncio.to_thread(gateway.start) for gateway in gateways))
        async with Balancer([gateway.url for gateway in gateways]) as balancer:
            await until(lambda: len(balancer.ready) == 2)
            async with asking(balancer.url, gateways[0].key) as load:
                start = len(load.outcomes)
                for gateway in gateways if ROLLING else gateways[:1]:
                    await asyncio.to_thread(gateway.stop, signal.SIGTERM)
                    await asyncio.to_thread(gateway.start)
                    await until(lambda: len(balancer.ready) == 2, 60)
                    await load.until_right_again(60)
                outcomes = load.since(start)
                without = await without_policy(stack, load) if ROLLING else ()
        assert {each.kind for each in outcomes} == {"right"}, [each for each in outcomes if each.kind != "right"]
        assert not ROLLING or {each.kind for each in without} == {"right", "flagged"}, without
        records = {id_: row for gateway in gateways for id_, row in stored(gateway.file).items()}
        assert record_faults(outcomes, records, set(records)) == []
    finally:
        for gateway in gateways:
            await asyncio.to_thread(gateway.stop, signal.SIGKILL)


@dataclass(frozen=True)
class _Models:
    """The stack's downstream service, and policies elsewhere."""

    stack: Stack
    policy: str

    def url(self, service: str) -> str:
        return self.policy if service == "policy" else self.stack.url(service)


@pytest.mark.skipif(not ROLLING, reason="a minute and more: make test-faults runs it")
async def test_policies_are_replaced_and_every_answer_has_its_guidance(stack: Stack, tmp_path: Path) -> None:
    policies = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        # Without a cache, so that each answer's guidance is written by one of the two.
        settings = {**ENDING, "REGISTRY": str(tmp_path / "registry"), "CACHE_ENTRIES": "0"}
        policies.append(OwnService("policy", tmp_path / name, settings))
    gateway = None
    try:
        for policy in policies:
            await asyncio.to_thread(policy.start)
        async with Balancer([policy.url for policy in policies]) as balancer:
            await until(lambda: len(balancer.ready) == 2)
            gateway = OwnGateway(_Models(stack, balancer.url), tmp_path)
            Registry(gateway.registry).seed_artifacts(ROOT / "models")
            await asyncio.to_thread(gateway.start)
            async with asking(gateway.url, gateway.key) as load:
                start = len(load.outcomes)
                for policy in policies:
                    await asyncio.to_thread(policy.stop, signal.SIGTERM)
                    await load.until_answered(8, lambda each: each.kind == "right", 60)  # by the other alone
                    await asyncio.to_thread(policy.start)
                    await until(lambda: len(balancer.ready) == 2, 60)
                await load.until_answered(8, lambda each: each.kind == "right", 60)
                outcomes = load.since(start)
        assert {each.kind for each in outcomes} == {"right"}, [each for each in outcomes if each.kind != "right"]
        assert len(outcomes) >= 24
    finally:
        for each in (*policies, *([gateway] if gateway else [])):
            await asyncio.to_thread(each.stop, signal.SIGKILL)
