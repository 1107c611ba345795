"""Proxies that the environment or the system names, judged as httpx judges them, without importing it."""

from __future__ import annotations

import os
import sys
from typing import Final

_SUFFIX: Final = "_proxy"


def is_past_proxies(host: str) -> bool:
    """Whether plain HTTP to a host goes past no proxy.

    Exceptions (`no_proxy`) that name a port or a scheme count for none here; whoever asks httpx then is told right.

    Args:
        host: The host's name or IP address, the latter without brackets.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, {"http_proxy": "http://proxy", "no_proxy": "ward.example"}, clear=True):
        ...     is_past_proxies("10.0.0.1"), is_past_proxies("pacs.ward.example")
        (False, True)
    """
    if sys.platform not in ("darwin", "win32") and not any(name.lower().endswith(_SUFFIX) for name in os.environ):
        return True  # as getproxies would say here, which takes long to import
    from urllib.request import getproxies

    named = getproxies()
    if not (named.get("http") or named.get("all")):
        return True
    return any(_excepts(each.strip().lower(), host.lower()) for each in named.get("no", "").split(","))


def _excepts(entry: str, host: str) -> bool:
    if entry.startswith("."):
        return host.endswith(entry) and host != entry
    return bool(entry) and (entry in ("*", host) or (_is_name(entry) and host.endswith(f".{entry}")))


def _is_name(entry: str) -> bool:
    return entry != "localhost" and ":" not in entry and not entry.replace(".", "").isdigit()
