"""Keys in force while their file changes, breaks and goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.common.auth import Key, Keyring, Right, make_key
from services.common.auth.errors import KeysError
from services.common.auth.key_file import change_keys
from services.common.auth.keyring import Refusal
from tests.support.keys import keys_at
from tests.support.waiting import until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_found_by_its_text(path: Path) -> None:
    texts = keys_at(path, one="ask", two=["feedback", "metrics"])
    ring = Keyring(path, "gateway")
    found = ring.find(texts["two"])
    assert isinstance(found, Key)
    assert found.name == "two"
    assert set(found.scopes) == {Right.FEEDBACK, Right.METRICS}
    assert ring.in_force == 2
    assert ring.find(None) is Refusal.MISSING
    for wrong in (
        "",
        "x",
        texts["one"][:-1],
        texts["one"][:14] + texts["two"][14:],
        make_key("x", [Right.ASK], created=NOW)[0],
    ):
        assert ring.find(wrong) is Refusal.UNKNOWN


def test_a_key_expires_while_the_service_runs_and_only_its_holder_is_told(path: Path) -> None:
    text, key = make_key("guest", [Right.ASK], created=NOW, expires=NOW + timedelta(hours=1))
    change_keys(path, lambda _: (key,))
    time = [NOW]
    ring = Keyring(path, "gateway", now=lambda: time[0])
    assert ring.find(text) == key
    time[0] += timedelta(hours=1)
    assert ring.find(text) is Refusal.EXPIRED
    assert ring.find(text[:-2] + "zz") is Refusal.UNKNOWN
    assert ring.in_force == 0


def test_a_key_for_one_service_is_none_of_another(path: Path) -> None:
    text, key = make_key("stack", [Right.ASK], created=NOW, services=["policy", "downstream"])
    change_keys(path, lambda _: (key,))
    assert Keyring(path, "policy").find(text) == key
    assert Keyring(path, "gateway").find(text) is Refusal.UNKNOWN


def test_keys_are_exchanged_without_a_restart_and_both_are_good_meanwhile(path: Path) -> None:
    old = keys_at(path, old="ask")["old"]
    ring = Keyring(path, "gateway")
    new, key = make_key("new", [Right.ASK], created=NOW)
    change_keys(path, lambda keys: (*keys, key))
    with capture_logs() as logs:
        ring.refresh()
    assert isinstance(ring.find(old), Key)
    assert isinstance(ring.find(new), Key)
    assert [line["added"] for line in logs] == [[key.id]]
    change_keys(path, lambda _: (key,))
    ring.refresh()
    assert ring.find(old) is Refusal.UNKNOWN
    assert isinstance(ring.find(new), Key)


@pytest.mark.parametrize("what", ["broken", "gone", "a directory"])
def test_a_file_that_breaks_changes_nothing_but_what_is_said(path: Path, what: str) -> None:
    text = keys_at(path, one="ask")["one"]
    ring = Keyring(path, "gateway")
    whole = path.read_text()
    path.unlink()
    if what == "broken":
        path.write_text(whole[: len(whole) // 2])
    elif what == "a directory":
        path.mkdir()
    with capture_logs() as logs:
        for _ in range(3):
            ring.refresh()
    assert isinstance(ring.find(text), Key)
    assert ring.find("tvqa_00000000_" + "a" * 43) is Refusal.UNKNOWN
    assert ring.problem
    assert [line["log_level"] for line in logs] == ["error"]  # said once, not at every look
    if what == "a directory":
        path.rmdir()
    new = keys_at(path.with_name("new.json"), two="ask")["two"]
    path.with_name("new.json").rename(path)
    ring.refresh()
    assert not ring.problem
    assert ring.find(text) is Refusal.UNKNOWN
    assert isinstance(ring.find(new), Key)


def test_a_file_without_keys_lets_nobody_in(path: Path) -> None:
    text = keys_at(path, one="ask")["one"]
    ring = Keyring(path, "gateway")
    change_keys(path, lambda _: ())
    ring.refresh()
    assert ring.find(text) is Refusal.UNKNOWN


def test_a_keyring_begins_with_a_file_that_can_be_read(path: Path) -> None:
    with pytest.raises(KeysError, match="there is no file"):
        Keyring(path, "gateway")


async def test_the_file_is_followed_beside_the_event_loop(path: Path) -> None:
    keys_at(path, one="ask")
    ring = Keyring(path, "gateway", check_every_s=0.01)
    async with ring.followed():
        text, key = make_key("two", [Right.ASK], created=NOW)
        change_keys(path, lambda keys: (*keys, key))
        await until(lambda: isinstance(ring.find(text), Key))
