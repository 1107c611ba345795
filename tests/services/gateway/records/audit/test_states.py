"""Keys and registry are looked at by their files' stamps, which show every change, and read when these have changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.common.auth.key import Right, make_key
from services.common.auth.key_file import change_keys
from services.gateway.records.audit.states import KeysState, RegistryState


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read."""
    found: list[str] = []

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def read(path: Path, *args: Any, **named: Any) -> Any:
            found.append(path.name)
            return method(path, *args, **named)

        return read

    for name in ("read_text", "read_bytes"):
        monkeypatch.setattr(Path, name, counting(getattr(Path, name)))
    return found


def rewrite(file: Path, old: str, new: str) -> None:
    """Change a file in place without a change of its size or its writer's time, as somebody does who hides it."""
    status = file.stat()
    file.write_text(file.read_text().replace(old, new))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_keys_are_read_once_and_a_hidden_change_is_seen(tmp_path: Path, reads: list[str]) -> None:
    file = tmp_path / "keys.json"
    state = KeysState(file)
    assert state() is None
    _, key = make_key("ward 7", [Right.ASK], created=datetime(2026, 1, 1, tzinfo=UTC))
    change_keys(file, lambda _: (key,))
    reads.clear()
    first = state()
    assert first is not None
    assert [each["name"] for each in first["keys"]] == ["ward 7"]
    assert key.hash not in json.dumps(first)
    assert [state(), state()] == [first, first]
    assert reads == ["keys.json"]
    rewrite(file, "ward 7", "ward 8")
    second = state()
    assert second is not None
    assert second["digest"] != first["digest"]
    file.unlink()
    assert state() is None


def test_a_registry_is_read_once_and_of_its_artifacts_what_has_changed(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "calibrators").mkdir()
    for name in ("one", "other"):
        (tmp_path / "calibrators" / f"{name}.json").write_text(f'{{"name": "{name}"}}')
    state = RegistryState(tmp_path)
    first = state()
    assert first is not None
    assert (first["artifacts"], first["policy"]) == (["calibrators/one", "calibrators/other"], None)
    reads.clear()
    assert state() == first
    assert reads == []
    rewrite(tmp_path / "calibrators" / "one.json", '"one"', '"two"')
    reads.clear()
    second = state()
    assert second is not None
    assert second["digest"] != first["digest"]
    assert [each for each in reads if each in ("one.json", "other.json")] == ["one.json"]
    (tmp_path / "calibrators" / "one.json").unlink()
    third = state()
    assert third is not None
    assert third["artifacts"] == ["calibrators/other"]
    (tmp_path / "active.json").write_text("no JSON")
    assert state() is None
