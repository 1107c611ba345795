"""Writes the part of .env.example that explains every setting; run python -m deploy.example when one has changed."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from services.common.settings import CONFIG_VARIABLE, ServiceSettings
from services.downstream.settings import DownstreamSettings
from services.gateway.settings import GatewaySettings
from services.listener.settings import ListenerSettings
from services.policy.settings import PolicySettings
from services.trainer.settings import TrainerSettings

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / ".env.example"
SERVICES: tuple[type[ServiceSettings], ...] = (
    GatewaySettings,
    PolicySettings,
    DownstreamSettings,
    TrainerSettings,
    ListenerSettings,
)
BEGINNING = "# --- Every setting of every service"
_WIDTH = 120


def section() -> str:
    """Compose the part: for each setting what it is for, and the value that the images have."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUSTVQA_")}
    environment[CONFIG_VARIABLE] = str(ROOT / "deploy" / "containers.yaml")
    lines = [
        f"{BEGINNING} ".ljust(_WIDTH - 1, "-"),
        "",
        "# With the values that the images have: of deploy/containers.yaml, or by default. Written by python -m",
        "# deploy.example.",
    ]
    with patch.dict(os.environ, environment, clear=True):
        for settings in SERVICES:
            lines += ["", *_lines(settings())]
    return "\n".join(lines) + "\n"


def _lines(settings: ServiceSettings) -> Iterator[str]:
    for name, field in type(settings).model_fields.items():
        variable, value = f"TRUSTVQA_{settings.service.upper()}_{name.upper()}", getattr(settings, name)
        yield from _comment(str(field.description))
        if "SecretStr" in str(field.annotation):
            yield f"#{variable} (a file of that name in deploy/secrets/{settings.service})"
        else:
            yield f"#{variable} (not set)" if value is None else f"#{variable}={_text(value)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list | set | frozenset):
        return json.dumps([str(each) for each in value])
    if isinstance(value, dict):
        return json.dumps({name: sorted(each) if isinstance(each, frozenset) else each for name, each in value.items()})
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return str(value)


def with_section(text: str) -> str:
    """Put the part into the file's text, at its end, in place of an older one."""
    return text.partition(BEGINNING)[0].rstrip("\n") + "\n\n" + section()


if __name__ == "__main__":
    EXAMPLE.write_text(with_section(EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
