"""Whether a host is reached past proxies, held against what httpx does with the same environment."""

from __future__ import annotations

import os

import httpx
import pytest

from trustvqa.client.plain.proxies import is_past_proxies

HTTP = {"http_proxy": "http://proxy:3128"}


def is_past_for_httpx(host: str) -> bool:
    url = httpx.URL(f"http://[{host}]" if ":" in host else f"http://{host}")
    with httpx.Client() as client:
        return client._transport_for_url(url) is client._transport


@pytest.mark.parametrize(
    ("environment", "host", "past"),
    [
        ({}, "gateway", True),
        ({"https_proxy": "http://proxy"}, "gateway", True),
        ({"FTP_PROXY": "http://proxy"}, "gateway", True),
        (HTTP, "gateway", False),
        ({"HTTP_PROXY": "proxy:3128"}, "gateway", False),
        ({"ALL_PROXY": "http://proxy"}, "gateway", False),
        ({**HTTP, "no_proxy": "*"}, "gateway", True),
        ({**HTTP, "no_proxy": "elsewhere, gateway"}, "gateway", True),
        ({**HTTP, "NO_PROXY": "Ward.example"}, "gateway.ward.example", True),
        ({**HTTP, "no_proxy": "ward.example"}, "gatewayward.example", False),
        ({**HTTP, "no_proxy": ".ward.example"}, "gateway.ward.example", True),
        ({**HTTP, "no_proxy": ".ward.example"}, "ward.example", False),
        ({**HTTP, "no_proxy": "127.0.0.1,::1"}, "127.0.0.1", True),
        ({**HTTP, "no_proxy": "127.0.0.1,::1"}, "::1", True),
        ({**HTTP, "no_proxy": "0.0.1"}, "127.0.0.1", False),
        ({**HTTP, "no_proxy": "127.0.0.0/8"}, "127.0.0.1", False),
        ({**HTTP, "no_proxy": "localhost"}, "localhost", True),
        ({**HTTP, "no_proxy": "localhost"}, "a.localhost", False),
        ({**HTTP, "no_proxy": ","}, "gateway", False),
    ],
)
def test_it_is_judged_as_by_httpx(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], host: str, past: bool
) -> None:
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_past_proxies(host) is past
    if not past or is_past_for_httpx(host):
        return
    pytest.fail("httpx would ask a proxy")
