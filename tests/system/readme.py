"""The README's first example: its command, and what it shows of the reply."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_EXAMPLE = re.compile(r"```sh\n(curl -s http://127\.0\.0\.1:8080/vqa.*?)```\n+.*?```json\n(.*?)```", re.DOTALL)


def first_example() -> tuple[str, dict[str, Any]]:
    """Read the README's first command, and the reply that it shows, which is a part of the whole one."""
    found = _EXAMPLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found, "the README shows a curl line and the reply to it"
    return found[1], json.loads(found[2])


def run_example(command: str, gateway: str, *, header: str | None = None) -> dict[str, Any]:
    """Run the command against another gateway, with another header, and read what it prints."""
    shown = "curl -s" if header is None else f'curl -s -H "{header}"'
    asked = command.replace("http://127.0.0.1:8080", gateway).replace("curl -s", shown, 1)
    printed = subprocess.run(["bash", "-c", asked], cwd=ROOT, capture_output=True, check=True).stdout
    reply: dict[str, Any] = json.loads(printed)
    return reply


def differences(shown: Mapping[str, Any], reply: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Name what is shown otherwise than it came.

    Example:
        >>> list(differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3, "d": 4}}))
        ['b.c']
    """
    for name, value in shown.items():
        if isinstance(value, Mapping) and isinstance(reply.get(name), Mapping):
            yield from differences(value, reply[name], f"{path}{name}.")
        elif name not in reply or reply[name] != value:
            yield f"{path}{name}"
