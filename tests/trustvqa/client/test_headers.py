"""Keys and tokens that cannot stand in a header: refused before anything is sent, and in no message or traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.servers import free_port
from trustvqa.client import Client, ClientError, VqaQuestion
from trustvqa.client.api_key import MAX_BYTES, UnreadableKeyError, key_from_environment
from trustvqa.client.tokens import token_in

PICTURE = b"\x89PNG pixels"


def shown_of(act: Callable[[], object]) -> str:
    """Give all that would be printed of the error that comes."""
    with pytest.raises(ClientError) as caught:
        act()
    return "".join(traceback.format_exception(caught.value)[-1:]) + repr(caught.value.__cause__)


@pytest.mark.parametrize(
    "key", ["tvqa_sec\nret", "tvqa_sec ret", "tvqa_sec\x00ret", "tvqa_secr\u00e9t", "sec\udcffret"]
)
def test_a_key_that_is_none_is_refused_unseen(tmp_path: Path, key: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(key.encode("utf-8", "surrogateescape"))
    for act in (
        lambda: key_from_environment({"TRUSTVQA_API_KEY": key}),
        lambda: key_from_environment({"TRUSTVQA_API_KEY_FILE": str(file)}),
        lambda: Client(api_key=key),
        token_in(file),
        lambda: asked(token=key),
        lambda: asked(token=lambda: key),
    ):
        said = shown_of(act)
        assert "Unreadable" in said
        assert "sec" not in said


def asked(token: str | Callable[[], str]) -> None:
    with Client(f"http://127.0.0.1:{free_port()}", token=token, patience_s=0) as client:
        client.about()


def test_space_around_a_key_is_none_of_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(" tvqa_x\n")
    for environment in ({"TRUSTVQA_API_KEY": " tvqa_x\n"}, {"TRUSTVQA_API_KEY_FILE": str(file)}):
        assert key_from_environment(environment) == "tvqa_x"


def test_a_file_without_end_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(UnreadableKeyError, match="cannot be read"):
        key_from_environment({"TRUSTVQA_API_KEY_FILE": str(file)})


def test_an_idempotency_key_that_cannot_be_sent_is_not() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", patience_s=0) as client:
        for key in ("0123456789abcde\n", "0123456789abcd\u00e9f"):
            with pytest.raises(ClientError, match="visible ASCII"):
                client.ask(PICTURE, "Which?", idempotency_key=key)
            with pytest.raises(ClientError, match="visible ASCII"):
                list(client.batch([VqaQuestion(PICTURE, "Which?")], key=key))
