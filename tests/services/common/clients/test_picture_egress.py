"""Pictures leave only for hosts near by, and for those that are named."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from prompt4trust.models import Sampling
from services.common.clients.downstream import DownstreamClient
from services.common.clients.errors import PictureEgressRefusedError
from services.common.clients.http_pool import HttpPool, Reply
from services.common.clients.picture_egress import reaches
from tests.services.common.clients.scripted_server import MESSAGES, QUICK, choice

PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]


class _Deaf(HttpPool):
    """Stands where the network would be: no such host may be asked from a test."""

    sent = 0

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        self.sent += 1
        return Reply(200, {}, json.dumps({"choices": [choice(0)]}).encode())


def test_a_reach_is_none_the_neighbours_or_everybody() -> None:
    hosts = ["localhost", "downstream", "api.example.org"]
    assert [reaches("never", host) for host in hosts] == [False, False, False]
    assert [reaches("near", host) for host in hosts] == [True, True, False]
    assert [reaches("always", host) for host in hosts] == [True, True, True]


@pytest.mark.parametrize(
    ("base_url", "egress", "allowed"),
    [
        ("http://127.0.0.1:9/v1", (), True),
        ("http://localhost:9/v1", (), True),
        ("http://[::1]:9/v1", (), True),
        ("http://downstream:9/v1", (), True),
        ("https://api.example.org/v1", (), False),
        ("https://api.example.org/v1", ("api.example.org",), True),
        ("https://api.example.org/v1", ("example.org",), False),
        ("http://203.0.113.5/v1", (), False),
        ("http://127.0.0.1.example.org/v1", (), False),
        ("http://localhost@api.example.org/v1", (), False),
        ("http://localhost./v1", (), False),
        ("http://[2001:db8::1]/v1", (), False),
        ("http://[2001:db8::1]/v1", ("2001:db8::1",), True),
        ("http://3405803781/v1", (), False),
        ("http://0xcb007105/v1", (), False),
    ],
)
async def test_a_picture_leaves_only_for_hosts_that_are_named(
    base_url: str, egress: tuple[str, ...], allowed: bool
) -> None:
    async with _Deaf(base_url) as http:
        client = DownstreamClient(http, "m-1", QUICK, egress_hosts=frozenset(egress))
        if allowed:
            await client.complete(PICTURE, Sampling())
        else:
            with pytest.raises(PictureEgressRefusedError, match="egress_hosts"):
                await client.complete(PICTURE, Sampling())
            assert http.sent == 0
        await client.complete(MESSAGES, Sampling())  # text may always go
    assert http.sent == 1 + allowed
