"""Calls by LiteLLM's SDK, run by a Python that has it: reads a gateway's address, a model and messages, writes JSON."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Ask once whole, once streamed, for calls of a function both ways, and once for what is refused."""
    import litellm

    asked = json.loads(sys.stdin.read())
    given: dict[str, Any] = {
        "model": f"openai/{asked['model']}",
        "api_base": f"{asked['url']}/v1",
        "api_key": "none",
        "messages": asked["messages"],
        "extra_body": {"max_risk": asked["max_risk"]},
        "num_retries": 0,
        "timeout": 60,
    }
    whole = litellm.completion(**given)
    message = whole.choices[0].message
    chunks = list(litellm.completion(**given, stream=True))
    named = {"tools": asked["tools"], "tool_choice": asked["tool_choice"]}
    called = litellm.completion(**given, **named).choices[0].message.tool_calls[0].function
    parts = [each.choices[0].delta.tool_calls for each in litellm.completion(**given, **named, stream=True)]
    try:
        litellm.completion(**given, n=2)
        refused = None
    except litellm.BadRequestError as error:
        refused = str(error)
    found = {
        "content": message.content,
        "reasoning": getattr(message, "reasoning_content", None),
        "usage": whole.usage.total_tokens,
        "streamed": "".join(each.choices[0].delta.content or "" for each in chunks),
        "called": [called.name, json.loads(called.arguments)],
        "called, streamed": json.loads("".join(each[0].function.arguments for each in parts if each)),
        "refused": refused,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
