"""The gateway's own fixtures: a real gateway in front of scripted models."""

from __future__ import annotations

from tests.services.gateway.conftest import empty_records, make_gateway, registry, upstream, upstream_server

__all__ = ["empty_records", "make_gateway", "registry", "upstream", "upstream_server"]
