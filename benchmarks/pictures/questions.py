"""Questions about pictures as the two services take them."""

from __future__ import annotations

import base64
import json


def gateway_body(file: bytes) -> bytes:
    """Write a question about a picture as the gateway takes it."""
    image = base64.b64encode(file).decode()
    return json.dumps({"image": image, "question": "Which shape?", "options": ["Round", "Oval"]}).encode()


def chat_body(file: bytes) -> bytes:
    """Write a question about a picture as chat completions take it; the shortest answer will do."""
    url = "data:image/*;base64," + base64.b64encode(file).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Which shape?"}]
    asked = {"model": "downstream-mini-1", "max_tokens": 1, "messages": [{"role": "user", "content": content}]}
    return json.dumps(asked).encode()
