"""Values that get past the first check: real pictures, and names of what is there; schemathesis imports this.

Only what fits the document is replaced, so that what was made wrong on purpose stays wrong.
"""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
import zlib
from pathlib import Path
from typing import Any

import schemathesis

PICTURE = (Path(__file__).parents[2] / "services" / "gateway" / "static" / "samples" / "ultrasound.png").read_bytes()
ENCODED = base64.b64encode(PICTURE).decode()
POLICIES = ("policy-mini-grpo-1", "policy-mini-sft-1")
_FEW_TOKENS = 4
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""Fits the patterns of all names."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_uuid(value: str) -> bool:
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def _one_of(names: tuple[str, ...], drawn: str) -> str:
    """A name of these or the drawn one, always the same for the same."""
    choices = (*names, drawn)
    return choices[zlib.crc32(drawn.encode("utf-8", "surrogatepass")) % len(choices)]


@schemathesis.serializer("application/x-ndjson")
def as_lines(_context: Any, value: Any) -> bytes:
    """Send a batch: a text as it is, of several values one a line."""
    if isinstance(value, bytes | str):
        return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    lines = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Put what is there into a drawn body."""
    if isinstance(body, dict):
        change = {
            "/vqa": _vqa,
            "/v1/chat/completions": _chat,
            "/v1/responses": _response,
            "/v1/cgp": _cgp,
            "/v1/runs": _run,
        }
        change.get(context.operation.path, lambda _: None)(body)
    return body


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Ask for what is there more often than not."""
    known: dict[str, list[str]] = json.loads(os.environ["FUZZ_KNOWN"])
    for name, names in known.items():
        drawn: Any = (path_parameters or {}).get(name)
        if _is_name(drawn) and (name != "answer_id" or _is_uuid(drawn)):
            path_parameters[name] = _one_of(tuple(names), drawn)
    return path_parameters


def _vqa(body: dict[str, Any]) -> None:
    if isinstance(body.get("image"), bytes):
        body["image"] = PICTURE
    elif _is_text(body.get("image")):
        body["image"] = ENCODED
    if _is_name(body.get("method")):
        body["method"] = _one_of(("cgp", "verbalized"), body["method"])


def _response(body: dict[str, Any]) -> None:
    if _is_text(body.get("model")):
        body["model"] = _one_of(("downstream-mini-1",), body["model"])
    longest = body.get("max_output_tokens", _FEW_TOKENS)
    if type(longest) is int and longest > 0:
        body["max_output_tokens"] = min(longest, _FEW_TOKENS)


def _chat(body: dict[str, Any]) -> None:
    is_gateways = os.environ["FUZZ_SERVICE"] == "gateway"
    if _is_text(body.get("model")):
        models = ("calibrated-vqa", "calibrated-vqa/cgp") if is_gateways else ("downstream-mini-1",)
        body["model"] = _one_of(models, body["model"])
    _show_pictures(body)
    if is_gateways:
        return  # its answers have the length that they have
    for name in ("max_tokens", "max_completion_tokens"):
        if type(body.get(name)) is int and body[name] > 0:
            body[name] = min(body[name], _FEW_TOKENS)
    if body.get("max_completion_tokens") is None:
        body.setdefault("max_tokens", _FEW_TOKENS)


def _show_pictures(body: dict[str, Any]) -> None:
    for message in body["messages"] if isinstance(body.get("messages"), list) else ():
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else ():
            address = part.get("image_url") if isinstance(part, dict) else None
            if isinstance(address, dict) and _is_text(address.get("url")):
                address["url"] = f"data:image/png;base64,{ENCODED}"


def _cgp(body: dict[str, Any]) -> None:
    if _is_name(body.get("version")):
        body["version"] = _one_of(POLICIES, body["version"])


def _run(body: dict[str, Any]) -> None:
    if _is_name(body.get("config")):
        body["config"] = _one_of(("embedded",), body["config"])
    if _is_name(body.get("policy")):
        body["policy"] = _one_of(POLICIES, body["policy"])
