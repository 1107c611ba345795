"""Chats as clients of OpenAI's API send them."""

from __future__ import annotations

import base64
from typing import Any

from openai import OpenAI

from tests.services.gateway.conftest import picture

MODEL = "calibrated-vqa/cgp"
TEXT = "Which shape?\nA: Round\nB: Oval\nC: Spiculated"


def data_url(file: bytes | None = None) -> str:
    return "data:image/png;base64," + base64.b64encode(file or picture()).decode()


def content(text: str = TEXT, url: str | None = None) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": text},
        {"type": "image_url", "image_url": {"url": url or data_url()}},
    ]


def messages(text: str = TEXT, url: str | None = None) -> list[Any]:
    return [{"role": "user", "content": content(text, url)}]


def chat_body(**changes: Any) -> dict[str, Any]:
    """A good body with changes; a change to ... leaves the field out."""
    good = {"model": MODEL, "messages": messages()}
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def client_of(url: str, **settings: Any) -> OpenAI:
    """OpenAI's own client, which asks once."""
    return OpenAI(base_url=f"{url}/v1", **{"api_key": "none", "max_retries": 0, "timeout": 20, **settings})
