"""Keys and their file: what is kept, what is refused, and that writers do not lose each other's changes."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.common.auth import Key, KeyFile, Right, make_key
from services.common.auth.errors import KeysError
from services.common.auth.key import id_of, is_of
from services.common.auth.key_file import change_keys, read_keys

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def made(**changes: Any) -> tuple[str, Key]:
    return make_key(**{"name": "ward 7", "scopes": [Right.ASK], "created": NOW, **changes})


def test_a_key_holds_256_random_bits_and_only_its_hash_is_kept() -> None:
    text, key = made()
    match = re.fullmatch(r"tvqa_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", text)  # 43 letters of base64 are 256 bits
    assert match
    assert match[1] == key.id == id_of(text)
    assert key.hash == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert match[2] not in key.model_dump_json()
    assert len({made()[0] for _ in range(100)}) == 100


def test_a_text_is_one_key_s_alone() -> None:
    (text, key), (other, _) = made(), made()
    assert is_of(text, key)
    assert not is_of(other, key)
    assert not is_of(text[:-1] + ("A" if text[-1] != "A" else "B"), key)
    assert not is_of(text, None)
    assert not is_of("", None)


@pytest.mark.parametrize("text", ["", "tvqa", "tvqa_0123abcd_", "tvqa_0123ABCD_" + "a" * 43, "x" * 10_000, "tvqa_é"])
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert id_of(text) is None


def test_admin_stands_for_every_right_and_the_others_for_themselves() -> None:
    for right in Right:
        allowed = {each for each in Right if made(scopes=[right])[1].allows(each)}
        assert allowed == (set(Right) if right is Right.ADMIN else {right})


def test_a_key_is_good_until_the_moment_at_which_it_expires() -> None:
    _, key = made(expires=NOW + timedelta(days=1))
    assert not key.has_expired(NOW + timedelta(days=1, microseconds=-1))
    assert key.has_expired(NOW + timedelta(days=1))
    assert not made()[1].has_expired(NOW + timedelta(days=40_000))


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"name": "x" * 101}, {"name": "a\nb"}, {"scopes": []}, {"services": []}]
)
def test_keys_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**wrong)


def test_a_file_is_readable_by_its_maker_alone_and_keeps_what_somebody_made_of_that(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys.json"
    _, first = made()
    _, second = made(expires=NOW, services=["policy"])
    change_keys(path, lambda keys: (*keys, first))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    change_keys(path, lambda keys: (*keys, second))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert read_keys(path) == KeyFile(keys=(first, second))
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]


def content(**changes: Any) -> str:
    return json.dumps({"keys": [{**json.loads(made()[1].model_dump_json()), **changes}]})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Invalid JSON"),
        ("[]", "object"),
        ('{"kyes": []}', "kyes: Extra inputs"),
        (content(scope=["ask"]), "keys.0.scope: Extra inputs"),
        (content(scopes=["aks"]), "keys.0.scopes.0: Input should be 'ask'"),
        (content(scopes=[]), "at least 1 item"),
        (content(hash="correct horse"), "keys.0.hash"),
        (content(created="2026-01-01T00:00:00"), "timezone"),
        (json.dumps({"keys": [json.loads(made()[1].model_dump_json())] * 2}), "the same id"),
    ],
    ids=("empty", "list", "other field", "field of a key", "scope", "no scope", "hash", "no zone", "same id"),
)
def test_a_file_that_is_wrong_is_said_to_be_without_its_content(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(KeysError, match=re.escape(says)) as raised:
        read_keys(path)
    assert "correct horse" not in str(raised.value)
    with pytest.raises(KeysError):
        change_keys(path, lambda keys: keys)
    assert path.read_text() == text


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="there is no file"):
        read_keys(tmp_path / "absent")
    with pytest.raises(KeysError, match="cannot be read"):
        read_keys(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(KeysError, match="no text"):
        read_keys(tmp_path / "binary")


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = [made()[1] for _ in range(24)]

    def add(mine: list[Key]) -> None:
        for key in mine:
            change_keys(path, lambda there, key=key: (*there, key))  # type: ignore[misc]

    threads = [threading.Thread(target=add, args=(keys[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {key.id for key in read_keys(path).keys} == {key.id for key in keys}
